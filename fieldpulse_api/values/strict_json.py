"""JSON without loss: decimals keep their digits, and parsing reports what other parsers guess or drop."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable
from decimal import Decimal
from typing import IO, Any, NamedTuple

import msgspec

from fieldpulse_api.errors import ConfigError, without_personal_data

encode = msgspec.json.Encoder(decimal_format="number").encode
"""Encode a value as JSON bytes; decimals keep their digits."""
decode = msgspec.json.Decoder(float_hook=Decimal).decode
"""Decode JSON bytes or text; numbers with a point become Decimal."""

MOST_LEVELS = 100  # the deepest of ours has a dozen; what copies and compares documents recurses
_LONGEST_INTEGER = 20  # digits: longer ones stay exact as Decimal, and cost no more than their length
_HALF = re.compile(r"\\u[dD][89a-fA-F]")


class Parsed(NamedTuple):
    """A document, and what is wrong in it. `is_torn`: a key stands twice in the outermost object itself."""

    value: Any
    faults: list[str]
    is_torn: bool = False


def parse(text: str) -> Parsed:
    """Return what a text says; numbers with a point are Decimal. Raises: ValueError for what is no JSON at all."""
    faults: list[str] = []
    twice: list[str] = []  # in the object that ended last, which in the end is the outermost

    def note(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        twice.clear()
        if len(found) < len(pairs):
            twice.extend(name for name, times in Counter(name for name, _ in pairs).items() if times > 1)
            faults.extend(f"the key {without_personal_data(name)[:50]!r} twice" for name in twice)
        return found

    def constant(name: str) -> float:
        faults.append(f"{name}, which is no number")
        return float(name)

    try:
        value = json.loads(
            text, parse_float=Decimal, parse_int=_integer, parse_constant=constant, object_pairs_hook=note
        )
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if _HALF.search(text) or text.count("[") + text.count("{") > MOST_LEVELS:
        faults += _faults_within(value)
    return Parsed(value, faults, bool(twice))


def read_object(file: IO[str], where: str) -> dict[str, Any]:
    """Return the object that a file holds. Raises: BadSetting."""
    try:
        value, faults, _ = parse(file.read().removeprefix("\ufeff"))
    except json.JSONDecodeError as error:
        what = f"The file is not JSON, from line {error.lineno}, column {error.colno}"
    except UnicodeDecodeError:
        what = "The file is not UTF-8"
    except ValueError as error:
        what = f"The file cannot be read as JSON: {error}"
    else:
        if isinstance(value, dict) and not faults:
            return value
        what = f"The file has {'; '.join(faults)}" if faults else "The file holds no JSON object"
    raise ConfigError(f"{what}.", where=where, hint="correct the file, or give another")


def text_fault(text: str) -> str:
    """Say what is wrong with a text that no encoding takes; nothing if all is well."""
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            return "half of a surrogate pair, which is no text"
    return ""


def _integer(digits: str) -> int | Decimal:
    return int(digits) if len(digits) <= _LONGEST_INTEGER else Decimal(digits)


def _faults_within(value: Any) -> list[str]:
    faults: dict[str, None] = {}
    level = [value]
    for _ in range(MOST_LEVELS + 1):
        texts = (text for one in level for text in ([one] if isinstance(one, str) else _keys(one)))
        faults.update(dict.fromkeys(filter(None, map(text_fault, texts))))
        level = [inner for one in level for inner in _within(one)]
        if not level:
            return list(faults)
    return [*faults, f"more than {MOST_LEVELS} levels of nesting"]


def _keys(value: Any) -> Iterable[str]:
    return value if isinstance(value, dict) else ()


def _within(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()
