"""The bookmark of one stream: where the last run ended, and where the next one continues."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone, tzinfo
from typing import Any

from fieldpulse_api.errors import ConfigError
from fieldpulse_api.values.scalars import iso_timestamp
from tap_fieldpulse.settings import MAX_CLOCK_SKEW, parse_time

_FIRST_TIME = datetime.min.replace(tzinfo=timezone.utc)


@dataclass
class Bookmark:
    """The bookmark of one stream while it is read: the previous one, and the newest time read so far."""

    column: str
    previous: datetime | None
    newest: datetime | None = None
    stream: str = ""

    @classmethod
    def from_state(cls, state: Mapping[str, Any], column: str, stream: str) -> Bookmark:
        """Return the bookmark that a stream's state holds; one of another column is ignored. Raises: ConfigError."""
        if state.get("replication_key") != column:
            return cls(column, None, stream=stream)
        time = parse_time(state.get("replication_key_value"), f"state · stream {stream}")
        return cls(column, time, stream=stream)

    def since(
        self, start_date: datetime | None, lookback_seconds: float, zone: tzinfo = timezone.utc
    ) -> datetime | None:
        """Return the time from which on rows are read; None for all rows. `zone` is that of times without one.

        In autumn an hour comes twice. A bare time in it is taken for the first, so a row of the second hour may seem
        older than a bookmark of the first, or than `start_date`: reading then begins one hour earlier.
        """
        if start_date:
            start_date -= _repeated_time(start_date, zone)
        if self.previous is None:
            return start_date
        lookback = timedelta(seconds=lookback_seconds)
        since = max(self.previous, _FIRST_TIME + lookback) - lookback
        repeated = max(_repeated_time(since, zone), _repeated_time(self.previous, zone))
        since = max(since, _FIRST_TIME + repeated) - repeated
        return max(since, start_date) if start_date else since

    def observe(self, time: datetime) -> None:
        """Include the time of a row that was read."""
        if self.newest is None or time > self.newest:
            self.newest = time

    def next_state(self, server_clock: datetime | None) -> dict[str, str]:
        """Return the new state: the newest time read, but not later than `server_clock` at the start of the scan.

        A row that changes during the scan is read again by the next run. The bookmark never moves back.

        Raises: ConfigError if the previous bookmark is in the future. Changes until then would never be read.
        """
        if self.previous and server_clock and self.previous - server_clock > MAX_CLOCK_SKEW:
            raise ConfigError(
                "The bookmark is in the future; changes until then would be skipped.",
                where=f"state · stream {self.stream}",
                hint="correct the bookmark, or remove the stream from the state to read it from the start",
            )
        newest = self.newest
        if newest and server_clock:
            newest = min(newest, server_clock)
        times = [time for time in (newest, self.previous) if time]
        return {"replication_key": self.column, "replication_key_value": iso_timestamp(max(times))} if times else {}


def _repeated_time(time: datetime, zone: tzinfo) -> timedelta:
    """Return by how much the clock of a zone was put back at the end of the hour of `time`; mostly nothing."""
    try:
        local = time.astimezone(zone).replace(tzinfo=None)
    except OverflowError:  # the year 1 or 9999
        return timedelta()
    first, second = (local.replace(tzinfo=zone, fold=fold).utcoffset() for fold in (0, 1))
    return max((first or timedelta()) - (second or timedelta()), timedelta())
