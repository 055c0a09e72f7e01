"""Single values of the wire in the one form in which they are emitted: times, money, numbers, text."""

from __future__ import annotations

import re
from datetime import datetime, timezone, tzinfo
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any

import msgspec

_ZERO_DATES = ("0000-00-00", "-0001-11-30")
_DAY = re.compile(r"\d{4}-\d\d-\d\d\Z", re.ASCII)
_SECONDS = re.compile(r"\d{9,11}\Z", re.ASCII)  # UNIX seconds as text; of a date there are eight digits, or fourteen
_DECIMAL = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\Z", re.ASCII)
_WHOLE = re.compile(r"[+-]?\d{1,18}\Z", re.ASCII)
_LARGEST = 10**18
_MOST_DIGITS = 60
_ENCODER = msgspec.json.Encoder(decimal_format="number")
_TRUTH = {True: True, False: False, "true": True, "false": False, "1": True, "0": False, "": None}


class ConversionError(ValueError):
    """A value does not fit its declared type."""


@lru_cache(maxsize=2048)
def moment(value: str, zone: tzinfo) -> datetime | None:
    """Return the aware UTC time of any form the API sends; None for '' and zero dates.

    Raises: Unfit.
    """
    if not value or value.startswith(_ZERO_DATES):
        return None
    try:
        if _SECONDS.match(value):
            return datetime.fromtimestamp(int(value), timezone.utc)
        time = datetime.fromisoformat(value[:-1] + "+00:00" if value[-1] in "Zz" else value)
        return (time if time.tzinfo else time.replace(tzinfo=zone)).astimezone(timezone.utc)
    except (ValueError, OverflowError):
        raise ConversionError from None


def iso_timestamp(time: datetime) -> str:
    """Return the one fixed-width form in which times are emitted, so that they compare as text."""
    return time.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ").rjust(27, "0")


def to_utc(value: Any, zone: tzinfo) -> datetime | None:
    """Return the aware UTC time of a wire value: text, or UNIX seconds.

    Raises: Unfit.
    """
    if isinstance(value, str):
        return moment(value.strip(), zone)
    if isinstance(value, int) and not isinstance(value, bool):
        try:
            return datetime.fromtimestamp(value, timezone.utc)
        except (ValueError, OverflowError, OSError):
            raise ConversionError from None
    raise ConversionError


@lru_cache(maxsize=2048)
def _stamp(value: str, zone: tzinfo) -> str | None:
    time = moment(value.strip(), zone)
    return None if time is None else iso_timestamp(time)


def to_timestamp(value: Any, zone: tzinfo) -> str | None:
    """Return a time in the form of `iso`. Raises: Unfit."""
    if isinstance(value, str):
        return _stamp(value, zone)
    time = to_utc(value, zone)
    return None if time is None else iso_timestamp(time)


def to_date(value: Any) -> str | None:
    """Return a plain date; midnight behind it is dropped. Raises: Unfit."""
    if not isinstance(value, str):
        raise ConversionError
    date, _, rest = value.strip().replace("T", " ").partition(" ")
    if not date or date in _ZERO_DATES:
        return None
    if not _DAY.match(date):
        raise ConversionError
    try:
        datetime.strptime(date, "%Y-%m-%d")  # noqa: DTZ007  a date has no zone
    except ValueError:
        raise ConversionError from None
    if rest.strip("0:.Z"):
        raise ConversionError
    return date


def to_decimal_text(value: Any) -> str | None:
    """Return an exact decimal as plain text. Raises: Unfit."""
    if isinstance(value, str):
        value = value.strip()
        if not value:
            return None
        if not _DECIMAL.match(value):  # Decimal() also takes 1_000, and digits of other scripts
            raise ConversionError
    elif isinstance(value, bool) or not isinstance(value, (int, float, Decimal)):
        raise ConversionError
    try:
        exact = Decimal(str(value))
    except InvalidOperation:
        raise ConversionError from None
    if not exact.is_finite() or abs(exact.adjusted()) > _MOST_DIGITS:
        raise ConversionError
    return f"{exact:f}"


def to_integer(value: Any) -> int | None:
    """Return an integer. Raises: Unfit."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str):
        value = value.strip()
        if not value:
            return None
        if _WHOLE.match(value):
            return int(value)
    elif isinstance(value, (float, Decimal)) and -_LARGEST < value < _LARGEST and value == int(value):
        return int(value)
    raise ConversionError


def to_number(value: Any) -> Any:
    """Return a number, exact where it came as text. Raises: Unfit."""
    if isinstance(value, (int, float, Decimal)) and not isinstance(value, bool):
        return value
    exact = to_decimal_text(value)
    return None if exact is None else Decimal(exact)


def to_boolean(value: Any) -> bool | None:
    """Return a boolean. Raises: Unfit."""
    key = value.strip().lower() if isinstance(value, str) else value
    try:
        return _TRUTH[key]  # 1 == True and 0 == False, so the API's 0/1 are found too
    except (KeyError, TypeError):
        raise ConversionError from None


def to_text(value: Any) -> str:
    """Return the JSON text of a value, so that nothing is lost where text is declared."""
    return _ENCODER.encode(value).decode()
