"""Values in JSON, in the forms in which they are hashed and compared."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec

from fieldpulse_api.values.scalars import ConversionError, number_text, to_decimal_text
from fieldpulse_api.values.text import visible

_PLAIN_NUMBER = re.compile(r"-?(0|[1-9]\d{0,50})(\.\d{1,50})?\Z", re.ASCII)  # neither 007 nor 1e3: these are codes
_BOOLEAN_DIGITS = {"true": "1", "false": "0"}
_JSON = msgspec.json.Encoder(order="deterministic", decimal_format="string")


def to_text(value: Any) -> str:
    """Return a text or a number as text, without spaces around it. Raises: ConversionError."""
    return value.strip() if isinstance(value, str) else number_text(value)


def canonical_json(value: Any) -> bytes:
    """Return the one JSON text of a value, for hashing."""
    return _JSON.encode(value)


def comparable_json(value: Any) -> Any:
    """Return JSON in which all spellings of a number or of a boolean are the same text."""
    if isinstance(value, Mapping):
        return {str(name): comparable_json(item) for name, item in value.items()}
    if isinstance(value, list):
        return [comparable_json(item) for item in value]
    if value is None or isinstance(value, bool):
        return value if value is None else str(int(value))
    try:
        text = to_text(value)
    except ConversionError:
        return value
    return number_text(text) if _PLAIN_NUMBER.match(text) else _BOOLEAN_DIGITS.get(text.lower(), text)


def comparable_name(value: Any) -> Any:
    """Return the form in which two names, or lists of names, refer to the same rows."""
    if isinstance(value, list):
        return [comparable_name(item) for item in value]
    return " ".join(visible(value).casefold().split()) if isinstance(value, str) else comparable_json(value)


def contains(cell: Any, value: Any) -> bool:
    """Return whether JSON of a row has everything that was sent: the API adds keys of its own."""
    if isinstance(value, Mapping):
        return isinstance(cell, Mapping) and all(contains(cell.get(key), item) for key, item in value.items())
    if isinstance(value, list):
        cell = [] if cell is None else cell
        return isinstance(cell, list) and len(cell) == len(value) and all(map(contains, cell, value))
    if isinstance(cell, Mapping):  # a tag is written by its id (API facts 4.22)
        return value in (cell.get("id"), cell.get("tag_id"))
    return bool(value == cell) or str(value) == str(cell) or _is_same_number(value, cell)


def _is_same_number(value: Any, cell: Any) -> bool:
    """Return whether two texts are the same number: prices read back with four decimals."""
    try:
        left, right = to_decimal_text(value), to_decimal_text(cell)
    except ConversionError:
        return False
    return left is not None and right is not None and Decimal(left) == Decimal(right)
