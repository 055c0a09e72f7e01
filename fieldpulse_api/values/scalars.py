"""Conversion of single API values to the form in which records hold them: times, dates, decimals, integers, text.

The API sends one type in several forms (API facts 4.0), and every conversion accepts all of them. A conversion returns
None for an empty value, and raises ConversionError for a value that does not fit the type.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta, timezone, tzinfo
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any

from .strict_json import encode

ZERO_DATES = ("0000-00-00", "-0001-11-30")
_DATE = re.compile(r"\d{4}-\d\d-\d\d\Z", re.ASCII)
_SEPARATORS = frozenset({"-- ::", "--T::"})
"""Every third character of `2026-03-09 18:22:41`, from the fifth on."""
_UTC_ENDS = frozenset({"", "Z", ".000000Z"})
"""What may follow the seconds of a time of UTC that has no fraction."""
_UNIX_TIME = re.compile(r"\d+\Z", re.ASCII)
_UNIX_SECONDS, _UNIX_MILLISECONDS = (9, 10), (12, 13)
"""Numbers of digits: of times from 1973 to 2286. Other numbers could be of another century, or dates."""
_DECIMAL = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\Z", re.ASCII)
_INTEGER = re.compile(r"[+-]?\d{1,18}\Z", re.ASCII)
_INTEGER_LIMIT = 10**18
_MAX_DIGITS = 60
_BOOLEANS: dict[Any, bool | None] = {True: True, False: False, "": None}
_BOOLEANS |= dict.fromkeys(("true", "t", "yes", "y", "on", "1"), True)
_BOOLEANS |= dict.fromkeys(("false", "f", "no", "n", "off", "0"), False)


class ConversionError(ValueError):
    """A value does not fit its declared type."""


@lru_cache(maxsize=2048)
def _parse_time(value: str, zone: tzinfo) -> datetime | None:
    """Return the aware UTC time of a text in ISO 8601 form, or in digits: UNIX seconds or milliseconds."""
    if not value or value.startswith(ZERO_DATES):
        return None
    try:
        if _UNIX_TIME.match(value):
            return _from_digits(value)
        time = datetime.fromisoformat(value[:-1] + "+00:00" if value[-1] in "Zz" else value)
        return (time if time.tzinfo else time.replace(tzinfo=zone)).astimezone(timezone.utc)
    except (ValueError, OverflowError):
        raise ConversionError from None


def _from_digits(value: str) -> datetime:
    if len(value) in _UNIX_SECONDS:
        return datetime.fromtimestamp(int(value), timezone.utc)
    if len(value) in _UNIX_MILLISECONDS:
        return datetime.fromtimestamp(int(value) // 1000, timezone.utc) + timedelta(milliseconds=int(value) % 1000)
    raise ConversionError


def iso_timestamp(time: datetime) -> str:
    """Return a time in the form in which it is emitted. All have the same width, so they also sort as text."""
    return f"{time.astimezone(timezone.utc).replace(tzinfo=None).isoformat(timespec='microseconds')}Z"


def to_utc(value: Any, zone: tzinfo) -> datetime | None:
    """Return the aware UTC time of text or UNIX seconds."""
    if isinstance(value, str):
        if zone is timezone.utc and value[19:] in _UTC_ENDS and value[4:17:3] in _SEPARATORS and value[11:13] != "24":
            try:  # as `quick_timestamp`, for nearly all times
                return datetime.fromisoformat(value[:19] + "+00:00")
            except ValueError:
                return _parse_time(value, zone)
        return _parse_time(value.strip(), zone)
    if isinstance(value, int) and not isinstance(value, bool):
        try:
            return datetime.fromtimestamp(value, timezone.utc)
        except (ValueError, OverflowError, OSError):
            raise ConversionError from None
    raise ConversionError


def optional_time(value: Any, zone: tzinfo) -> datetime | None:
    """Return the aware UTC time of text or UNIX seconds, or None for any other value."""
    try:
        return to_utc(value, zone)
    except ConversionError:
        return None


def to_timestamp(value: Any, zone: tzinfo) -> str | None:
    """Return a time as text, in the form of `iso_timestamp`."""
    time = to_utc(value, zone)
    return None if time is None else iso_timestamp(time)


def quick_timestamp(zone: tzinfo, otherwise: Callable[[Any], str | None]) -> Callable[[Any], str | None]:
    """Return a function that does what `to_timestamp` does, and calls `otherwise` for values of rare forms.

    Nearly all times are of UTC and end with the second, or with zeros: what is emitted consists of their digits.
    """
    ends = _UTC_ENDS if zone is timezone.utc else _UTC_ENDS - {""}

    def timestamp(value: Any) -> str | None:
        if value.__class__ is str and value[19:] in ends:
            text: str = value[:19]
            if text[4:17:3] in _SEPARATORS and text[11:13] != "24":  # Python 3.14 takes 24:00:00 for the next day
                try:
                    datetime.fromisoformat(text)
                except ValueError:
                    return otherwise(value)  # such as 0000-00-00 00:00:00
                return text.replace(" ", "T") + ".000000Z"
        return otherwise(value)

    return timestamp


def to_date(value: Any) -> str | None:
    """Return a date as `YYYY-MM-DD`; a time of midnight after it is dropped."""
    if not isinstance(value, str):
        raise ConversionError
    date, _, rest = value.strip().replace("T", " ").partition(" ")
    if not date or date in ZERO_DATES:
        return None
    if not _DATE.match(date):
        raise ConversionError
    try:
        datetime.fromisoformat(date)
    except ValueError:
        raise ConversionError from None
    if rest.strip("0:.Z"):
        raise ConversionError
    return date


def to_decimal_text(value: Any) -> str | None:
    """Return a decimal as text without an exponent."""
    if isinstance(value, str):
        value = value.strip()
        if not value:
            return None
        if not _DECIMAL.match(value):  # Decimal() also accepts 1_000 and the digits of other scripts
            raise ConversionError
    elif isinstance(value, bool) or not isinstance(value, (int, float, Decimal)):
        raise ConversionError
    try:
        exact = Decimal(str(value))
    except InvalidOperation:
        raise ConversionError from None
    if not exact.is_finite() or abs(exact.adjusted()) > _MAX_DIGITS:
        raise ConversionError
    return f"{exact:f}"


def number_text(number: Any) -> str:
    """Return a number as text: the same text for 7001, 7001.0 and 7.001e3, and for 12.5 and 12.50."""
    text = to_decimal_text(number) or ""
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text


def to_integer(value: Any) -> int | None:
    """Return an integer; floats and decimals must be whole."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str):
        value = value.strip()
        if not value:
            return None
        if _INTEGER.match(value):
            return int(value)
    elif isinstance(value, (float, Decimal)) and -_INTEGER_LIMIT < value < _INTEGER_LIMIT and value == int(value):
        return int(value)
    raise ConversionError


def optional_int(value: Any) -> int | None:
    """Return an integer, or None for any other value."""
    if value.__class__ is int:
        return int(value)
    try:
        return to_integer(value)
    except ConversionError:
        return None


def to_number(value: Any) -> Any:
    """Return a number; text becomes an exact Decimal."""
    if isinstance(value, (int, float, Decimal)) and not isinstance(value, bool):
        return value
    exact = to_decimal_text(value)
    return None if exact is None else Decimal(exact)


def to_boolean(value: Any) -> bool | None:
    """Return a boolean. The API sends true, 1, "1" and "true" alike; offices and databases also write yes, on, t."""
    key = value.strip().lower() if isinstance(value, str) else value
    try:
        return _BOOLEANS[key]  # finds 1 and 0 as well, because they equal True and False
    except (KeyError, TypeError):
        raise ConversionError from None


def to_text(value: Any) -> str:
    """Return the JSON text of a value, for a property that is declared as text."""
    return encode(value).decode()
