"""Forms that several loaders give to values: how a value changes, how a loaded value is read, and the statements."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

EMPTY_IS_NULL = "`''` is NULL"
MONEY_IS_TEXT = "money and dates are text"


def instance_of(kind: type) -> Callable[[Any], Any]:
    """Return a decoder that accepts only values of one type, so that a column of another type is a difference."""

    def decode(value: Any) -> Any:
        if type(value) is not kind:
            raise TypeError(f"a {type(value).__name__}, and not a {kind.__name__}")
        return value

    return decode


def json_value(value: Any) -> Any:
    """Return a value that was read as JSON; it raises for text."""
    if not isinstance(value, (dict, list)):
        raise TypeError(f"a {type(value).__name__}, and not JSON")
    return value


def null_if_empty(value: Any) -> Any:
    """Return null for empty text, and any other value as it is."""
    return None if value == "" else value


def without_nul(replacement: str) -> Callable[[Any], Any]:
    """Return a function that replaces NUL in a text, and in the texts of an object or array."""

    def replace(value: Any) -> Any:
        if isinstance(value, str):
            return value.replace("\0", replacement)
        if isinstance(value, dict):
            return {name: replace(item) for name, item in value.items()}
        return [replace(item) for item in value] if isinstance(value, list) else value

    return replace


def as_float(value: Any) -> Any:
    """Return the number as a column of floats holds it."""
    return float(value) if isinstance(value, Decimal) else value


def boolean_text(text: str) -> bool:
    """Return the value of Python's text of a boolean."""
    return {"True": True, "False": False}[text]


def without_nulls(value: Any) -> Any:
    """Return objects without their null members, which a store of structs adds."""
    if isinstance(value, dict):
        return {name: without_nulls(item) for name, item in value.items() if item is not None}
    return [without_nulls(item) for item in value] if isinstance(value, list) else value


def date_of_time(text: str) -> date:
    """Return the date of a text that has the time 00:00:00 behind it."""
    return date_of_midnight(datetime.fromisoformat(text))


def date_of_midnight(value: datetime) -> date:
    """Return the date of a time that is 00:00:00.

    Raises: ValueError for another time.
    """
    if value.time() != time():
        raise ValueError(value)
    return value.date()
