"""What a model may read: texts without secrets and hidden characters, and records that fit into its context."""

from __future__ import annotations

import json
import math
import unicodedata
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from fieldpulse_plugin.output import without_secrets
from tap_fieldpulse.records.shaper import is_secret_name

Record = dict[str, Any]

MAX_CHARACTERS = 40_000
"""The length of a result's rows as JSON: about 10,000 tokens."""
MAX_DEPTH = 30
"""Levels of a record; our deepest documents have a dozen."""
_TOO_DEEP = "[left out: nested too deeply]"
_MIN_CHARACTERS = 200  # what a field keeps at least before whole fields are left out
_HARMLESS = "\n\t\u200c\u200d"  # joiners belong to scripts and to emoji
_HIDDEN = frozenset(("Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"))


def for_model(value: Any, depth: int = MAX_DEPTH) -> Any:
    """Return a value without fields whose names are those of secrets, and without what JSON lacks.

    A Decimal becomes a number where that keeps all digits, or else a text.
    """
    if isinstance(value, (dict, list)) and not depth:
        return _TOO_DEEP
    if isinstance(value, dict):
        return {name: for_model(element, depth - 1) for name, element in value.items() if not is_secret_name(name)}
    if isinstance(value, list):
        return [for_model(element, depth - 1) for element in value]
    if isinstance(value, Decimal):
        number = float(value)
        return number if Decimal(repr(number)) == value else str(value)
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def safe(value: Any, depth: int = 2 * MAX_DEPTH) -> Any:
    """Return a JSON value whose texts hide nothing: no secrets, and characters that are not visible are escaped.

    Control characters steer terminals. Invisible ones carry instructions past the person who reads along. What is
    nested too deeply for the protocol's encoder would end the server.
    """
    if isinstance(value, str):
        return _safe_text(value)
    if isinstance(value, (dict, list)) and not depth:
        return _TOO_DEEP
    if isinstance(value, dict):
        return {_safe_text(str(name)): safe(element, depth - 1) for name, element in value.items()}
    return [safe(element, depth - 1) for element in value] if isinstance(value, list) else value


def _safe_text(text: str) -> str:
    text = without_secrets(text)
    if text.isprintable():
        return text
    return "".join(
        each.encode("unicode_escape").decode()
        if unicodedata.category(each) in _HIDDEN and each not in _HARMLESS
        else each
        for each in text
    )


def size_of(value: Any) -> int:
    """Return the length of a value as JSON, in characters."""
    return len(json.dumps(value, ensure_ascii=False))


def without_empty(record: Record) -> Record:
    """Return a record without its fields that are empty: most of the hundred columns of a row are."""
    return {name: value for name, value in record.items() if value not in (None, "", [], {})}


def fitted(record: Record, max_characters: int = MAX_CHARACTERS) -> tuple[Record, dict[str, str]]:
    """Return a record that is no longer than a limit, and for each field that was cut, what is missing.

    Long fields are cut first, all to the same length.
    """
    limit = max_characters
    cut, missing = record, dict[str, str]()
    while size_of(cut) > max_characters:
        limit //= 2
        if limit < _MIN_CHARACTERS:
            return _first_fields(cut, missing, max_characters)
        cut, missing = {}, {}
        for name, value in record.items():
            cut[name] = value
            if size_of(value) > limit:
                cut[name], missing[name] = _cut(value, limit)
    return cut, missing


def _cut(value: Any, limit: int) -> tuple[Any, str]:
    if isinstance(value, str):
        return value[:limit], f"the first {limit:,} of {len(value):,} characters"
    if isinstance(value, list):
        count = _fitting_count(value, limit, lambda element: element)
        return value[:count], f"the first {count:,} of {len(value):,} elements"
    if isinstance(value, dict):
        count = _fitting_count(list(value.items()), limit, list)
        return dict(list(value.items())[:count]), f"the first {count:,} of {len(value):,} members"
    return None, "left out: the number is too long"


def _fitting_count(elements: list[Any], limit: int, form: Callable[[Any], Any]) -> int:
    size = 0
    for count, element in enumerate(elements):
        size += size_of(form(element)) + 2
        if size > limit:
            return count
    return len(elements)


def _first_fields(record: Record, missing: dict[str, str], max_characters: int) -> tuple[Record, dict[str, str]]:
    count = _fitting_count(list(record.items()), max_characters, list)
    names = list(record)
    left_out = len(names) - count
    missing = {name: text for name, text in missing.items() if name in names[:count]}
    return {name: record[name] for name in names[:count]}, {**missing, "…": f"{left_out:,} more fields are left out"}
