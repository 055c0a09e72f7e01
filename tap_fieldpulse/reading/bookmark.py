"""Where the last run ended, and where this one may say that it ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

from fieldpulse_api.errors import ConfigError
from fieldpulse_api.values.scalars import ConversionError, iso_timestamp, to_utc


def read_time(value: object, where: str) -> datetime | None:
    """Return an aware UTC time of a setting or a state; None for none.

    Raises: BadSetting.
    """
    if value is None or value == "":
        return None
    error = ConfigError("A time is not in ISO 8601 form.", where=where, hint="give it like 2026-01-31T00:00:00Z")
    if not isinstance(value, str):
        raise error
    try:
        return to_utc(value, timezone.utc)
    except ConversionError:
        raise error from None


MAX_CLOCK_SKEW = timedelta(days=1)  # no two clocks differ by more
_FIRST = datetime.min.replace(tzinfo=timezone.utc)


@dataclass
class Bookmark:
    """The bookmark of one stream while it is read: what it was, and the newest time emitted so far."""

    column: str
    previous: datetime | None
    newest: datetime | None = None
    stream: str = ""

    @classmethod
    def from_state(cls, state: Mapping[str, Any], column: str, stream: str) -> Bookmark:
        """Read the bookmark of a stream's state; one of another column does not count."""
        if state.get("replication_key") != column:
            return cls(column, None, stream=stream)
        time = read_time(state.get("replication_key_value"), f"state · stream {stream}")
        return cls(column, time, stream=stream)

    def since(self, start_date: datetime | None, lookback_seconds: float) -> datetime | None:
        """Return the time from which on rows are wanted; None for all."""
        if self.previous is None:
            return start_date
        looked_back = max(self.previous, _FIRST + timedelta(seconds=lookback_seconds)) - timedelta(
            seconds=lookback_seconds
        )
        return max(looked_back, start_date) if start_date else looked_back

    def observe(self, time: datetime) -> None:
        """Take the time of a row into account."""
        if self.newest is None or time > self.newest:
            self.newest = time

    def next_state(self, server_clock: datetime | None) -> dict[str, str]:
        """Return the new state: the newest time emitted, never later than the server's clock when the walk began.

        What changed during the walk is read again next time. It never moves back.

        Raises: BadSetting for one from the future: what changes until then would never be read.
        """
        if self.previous and server_clock and self.previous - server_clock > MAX_CLOCK_SKEW:
            raise ConfigError(
                "The bookmark is later than FieldPulse's clock: what changes until then would not be read.",
                where=f"state · stream {self.stream}",
                hint="correct it, or take the stream out of the state to read it anew",
            )
        newest = self.newest
        if newest and server_clock:
            newest = min(newest, server_clock)
        times = [time for time in (newest, self.previous) if time]
        return {"replication_key": self.column, "replication_key_value": iso_timestamp(max(times))} if times else {}
