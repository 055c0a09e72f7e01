"""JSON without loss: decimals keep their digits, and parsing reports what other parsers guess or drop."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable
from decimal import Decimal
from typing import IO, Any, NamedTuple

import msgspec

from fieldpulse_api.errors import ConfigError, without_likely_keys, without_personal_data

encode = msgspec.json.Encoder(decimal_format="number").encode
"""Encode a value as JSON bytes; decimals keep their digits."""
decode = msgspec.json.Decoder(float_hook=Decimal).decode
"""Decode JSON bytes or text; numbers with a point become Decimal."""

MAX_DEPTH = 100  # our deepest documents have a dozen levels; code that copies and compares documents recurses
_MAX_INTEGER_DIGITS = 20  # longer ones become Decimal: exact, at a cost that grows only with their length
_MAX_KEY_LENGTH = 50  # of a key in a message
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


class ParsedJson(NamedTuple):
    """A document and its problems. `has_duplicate_keys` refers to the outermost object alone."""

    value: Any
    problems: list[str]
    has_duplicate_keys: bool = False


def parse(text: str) -> ParsedJson:
    """Parse a text and list its problems; numbers with a point become Decimal. Raises: ValueError if it is not JSON."""
    problems: list[str] = []
    duplicate_keys: list[str] = []  # of the object that ended last; in the end this is the outermost one

    def to_dict(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        result = dict(pairs)
        duplicate_keys.clear()
        if len(result) < len(pairs):
            duplicate_keys.extend(key for key, count in Counter(key for key, _ in pairs).items() if count > 1)
            problems.extend(f"the key {_shown(key)!r} twice" for key in duplicate_keys)
        return result

    def to_float(name: str) -> float:
        problems.append(f"{name}, which JSON does not allow")
        return float(name)

    try:
        value = json.loads(
            text, parse_float=Decimal, parse_int=_to_integer, parse_constant=to_float, object_pairs_hook=to_dict
        )
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if _SURROGATE.search(text) or text.count("[") + text.count("{") > MAX_DEPTH:
        problems += _problems_within(value)
    return ParsedJson(value, problems, bool(duplicate_keys))


def read_object(file: IO[str], where: str) -> dict[str, Any]:
    """Return the JSON object in a file of the user. Raises: ConfigError."""
    try:
        value, problems, _ = parse(file.read().removeprefix("\ufeff"))
    except json.JSONDecodeError as error:
        what = f"The file is not valid JSON (line {error.lineno}, column {error.colno})"
    except UnicodeDecodeError:
        what = "The file is not UTF-8"
    except ValueError as error:
        what = f"The file cannot be read as JSON: {error}"
    else:
        if isinstance(value, dict) and not problems:
            return value
        what = f"The file has {'; '.join(problems)}" if problems else "The file does not contain a JSON object"
    raise ConfigError(f"{what}.", where=where, hint="correct the file, or use another one")


def encoding_problem(text: str) -> str:
    """Return the reason why a text cannot be encoded as UTF-8, or an empty string."""
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            return "an unpaired surrogate, which UTF-8 cannot encode"
    return ""


def _shown(key: str) -> str:
    return without_personal_data(without_likely_keys(key))[:_MAX_KEY_LENGTH]


def _to_integer(digits: str) -> int | Decimal:
    return int(digits) if len(digits) <= _MAX_INTEGER_DIGITS else Decimal(digits)


def _problems_within(value: Any) -> list[str]:
    """Return the problems of all texts and keys, level by level, so that depth costs no recursion."""
    problems: dict[str, None] = {}
    level = [value]
    for _ in range(MAX_DEPTH + 1):
        texts = (text for element in level for text in ([element] if isinstance(element, str) else _keys(element)))
        problems.update(dict.fromkeys(filter(None, map(encoding_problem, texts))))
        level = [child for element in level for child in _children(element)]
        if not level:
            return list(problems)
    return [*problems, f"more than {MAX_DEPTH} levels of nesting"]


def _keys(value: Any) -> Iterable[str]:
    return value if isinstance(value, dict) else ()


def _children(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()
