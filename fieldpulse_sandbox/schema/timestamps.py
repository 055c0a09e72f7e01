"""Forms in which FieldPulse writes a time. Inside the sandbox a time is whole UNIX seconds."""

from __future__ import annotations

import time
from datetime import datetime, timezone
from zoneinfo import ZoneInfo

YEAR = 365 * 86_400
EPOCH = int(datetime(2026, 11, 1, tzinfo=timezone.utc).timestamp())
"""The present of a seeded account; its rows come from the year before."""
SHORTEST_TIME, LONGEST_TIME = 8, 11
"""Number of digits of a text that is read as UNIX seconds."""


def bare(seconds: int) -> str:
    """Return `YYYY-MM-DD HH:MM:SS` in UTC, without a zone: the form of most columns (verified)."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(seconds))


def iso(seconds: int) -> str:
    """Return ISO 8601 with microseconds and Z: the form of assignments and `completed_at` (verified)."""
    return time.strftime("%Y-%m-%dT%H:%M:%S.000000Z", time.gmtime(seconds))


def unix_from_bare(text: str) -> int:
    """Return the UNIX seconds of a bare time."""
    day = datetime(int(text[:4]), int(text[5:7]), int(text[8:10]), tzinfo=timezone.utc)
    return int(day.timestamp()) + int(text[11:13]) * 3600 + int(text[14:16]) * 60 + int(text[17:19])


def bare_from(value: object) -> str | None:
    """Return the bare form of a written time, or None if the value is not a time.

    Units: numbers, and texts of eight to eleven digits, are UNIX seconds (documented). Other texts are ISO-like
    (observed), and in UTC unless they name a zone.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        text = str(value).strip()
        if isinstance(value, int | float) or (text.isdigit() and SHORTEST_TIME <= len(text) <= LONGEST_TIME):
            return bare(int(value))
        return bare(_seconds(text))
    except (ValueError, OverflowError, OSError):
        return None


def is_unix(value: object) -> bool:
    """Return whether a written time is in UNIX seconds."""
    if isinstance(value, str):
        return value.isdigit() and SHORTEST_TIME <= len(value) <= LONGEST_TIME
    return isinstance(value, int | float) and not isinstance(value, bool)


def in_utc(value: object, zone: str) -> object:
    """Return a text that is a time without a zone, and therefore in `zone`, as bare UTC; other values unchanged."""
    if zone == "UTC" or not isinstance(value, str) or is_unix(value):
        return value
    try:
        local = datetime.fromisoformat(value.strip().removesuffix("Z"))
    except ValueError:
        return value
    if local.tzinfo or value.strip().endswith("Z"):
        return value
    return bare(int(local.replace(tzinfo=ZoneInfo(zone)).timestamp()))


def _seconds(text: str) -> int:
    parsed = datetime.fromisoformat(text[:-1] + "+00:00" if text.endswith("Z") else text)
    return int((parsed if parsed.tzinfo else parsed.replace(tzinfo=timezone.utc)).timestamp())
