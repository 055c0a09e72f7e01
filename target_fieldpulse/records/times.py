"""Times and days of records, in the forms that databases and languages write.

| value | means |
| --- | --- |
| ISO 8601 with an offset, `Z`, `UTC` or `GMT` | that instant |
| ISO 8601 without a zone | that time in the zone of the settings |
| `2026-03-01` | that day; as a time, its midnight in the zone of the settings |
| 9 or 10 digits, text or number, with or without a fraction | UNIX seconds |
| 12 or 13 digits | UNIX milliseconds |

Of an hour that comes twice in autumn the first is meant. A time in the hour that spring leaves out is an hour later.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from typing import Any

from fieldpulse_api.values.scalars import ZERO_DATES, ConversionError, to_boolean, to_decimal_text

TIME_FORM = "a time in ISO 8601 form, like 2026-12-01T15:00:00Z, or UNIX seconds"
YEARS = range(1900, 2200)
"""The years of plausible times. Databases and taps write infinity as year 1 or 9999."""
_CLOCK_TOLERANCE = timedelta(minutes=5)  # how far the clock of a source may be ahead of ours
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_SECOND, _MILLISECOND = timedelta(seconds=1), timedelta(milliseconds=1)
_TIME = re.compile(
    r"(\d{4})-?(\d\d)-?(\d\d)(?:[T ](\d\d|\d(?=:)):?(\d\d)(?::?(\d\d)(?:[.,](?P<fraction>\d+))?)?"
    r"\s*(?P<zone>Z|UTC|GMT|(?P<sign>[+-])(?P<hours>\d\d)(?::?(?P<minutes>\d\d))?(?::?(?P<seconds>\d\d))?)?)?\Z",
    re.ASCII | re.IGNORECASE,
)
_UNIX_TIME = re.compile(r"(\d+)(?:\.\d*)?\Z", re.ASCII)
_UNIX_UNITS = {9: _SECOND, 10: _SECOND, 12: _MILLISECOND, 13: _MILLISECOND}  # by number of digits: 1973 to 2286
_FAR_OFF = re.compile(r"[+-]?inf(inity)?\Z", re.IGNORECASE)


def to_time(value: Any, zone: tzinfo) -> datetime | None:
    """Return the aware UTC time of a value; `zone` is that of times without one. Raises: ConversionError."""
    time = _parse(value)
    if time is None:
        return None
    return (time if time.tzinfo else time.replace(tzinfo=zone)).astimezone(timezone.utc)


def to_day(value: Any, zone: tzinfo) -> str | None:
    """Return the day of a value as `YYYY-MM-DD`. Raises: ConversionError.

    Of a time it is the day in `zone`. Midnight in UTC is the form in which many sources write a plain day.
    """
    time = _parse(value)
    if time is None:
        return None
    is_midnight_utc = time.utcoffset() == timedelta(0) and time.time() == datetime.min.time()
    local = time if time.tzinfo is None or is_midnight_utc else time.astimezone(zone)
    return local.date().isoformat()


def unix_seconds(time: datetime) -> int:
    """Return the UNIX seconds of an aware time, rounded down. `datetime.timestamp` is a float, and rounds."""
    return (time - _EPOCH) // _SECOND


def lacks_zone(value: Any) -> bool:
    """Return whether a value is a time or a day without a zone."""
    try:
        time = _parse(value)
    except ConversionError:
        return False
    return time is not None and time.tzinfo is None


def is_deletion_time(value: Any, zone: tzinfo) -> bool:
    """Return whether a value is the time of a deletion; zero, false and empty dates are not.

    Raises: ConversionError for a time in the future, and for a value of another kind.
    """
    try:
        if not to_boolean(value):
            return False
    except ConversionError:
        pass
    time = to_time(value, zone)
    if time is not None and time > datetime.now(timezone.utc) + _CLOCK_TOLERANCE:
        raise ConversionError("it is in the future, and deletes nothing: null means that a row was not deleted")
    return time is not None


def _parse(value: Any) -> datetime | None:
    """Return a time, without a zone if the value has none; None for an empty value. Raises: ConversionError."""
    if not isinstance(value, str):
        value = to_decimal_text(value)
    time = _parse_text(value.strip())
    if time is not None and time.year not in YEARS:
        raise _far_off_error()
    return time


@lru_cache(maxsize=2048)
def _parse_text(text: str) -> datetime | None:
    if not text or text.startswith(ZERO_DATES):
        return None
    if _FAR_OFF.match(text):
        raise _far_off_error()
    unix_time = _UNIX_TIME.match(text)
    if unix_time:
        return _from_unix(*text.partition(".")[::2])
    match = _TIME.match(text)
    if not match:
        raise ConversionError
    year, month, day, hour, minute, second = (int(group or 0) for group in match.groups()[:6])
    microsecond = _digits(match["fraction"], 6)
    try:
        return datetime(year, month, day, hour, minute, second, microsecond, tzinfo=_zone(match))
    except ValueError:
        raise ConversionError from None


def _zone(match: re.Match[str]) -> timezone | None:
    if not match["zone"]:
        return None
    parts = {name: int(match[name] or 0) for name in ("hours", "minutes", "seconds")}
    return timezone(-timedelta(**parts) if match["sign"] == "-" else timedelta(**parts))


def _from_unix(whole: str, fraction: str) -> datetime:
    """Return the time of UNIX seconds or milliseconds, exact to the microsecond."""
    unit = _UNIX_UNITS.get(len(whole))
    if unit is None:
        raise ConversionError
    digits = 6 if unit is _SECOND else 3
    return _EPOCH + int(whole) * unit + timedelta(microseconds=_digits(fraction, digits))


def _digits(fraction: str | None, number: int) -> int:
    """Return the first digits of a fraction as a whole number."""
    return int((fraction or "").ljust(number, "0")[:number])


def _far_off_error() -> ConversionError:
    return ConversionError(
        f"it is not within the years {YEARS.start} to {YEARS.stop - 1}; a database may have written infinity so"
    )
