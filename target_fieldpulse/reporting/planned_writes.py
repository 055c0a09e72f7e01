"""The lines of a dry run: threads plan them in any order, and people read them by stream and key."""

from __future__ import annotations

import re
from collections.abc import Iterator

from fieldpulse_plugin.stores.temporary_database import TemporaryDatabase

_TABLE = "create table lines (stream text, sort_key text, log_line text, plan_line blob);"
_DIGITS = re.compile(r"\d+", re.ASCII)
_MAX_DIGITS = 20  # of a number that sorts by its value


class PlannedWrites:
    """Lines for the log and for the plan file, sorted by stream and key. May be used by many threads.

    Memory is bounded: SQLite stores and sorts what is more than a few megabytes on the disk.
    """

    def __init__(self) -> None:
        self._database = TemporaryDatabase(_TABLE, "The plan of the dry run")

    def append(self, stream: str, key: str, log_line: str, plan_line: bytes = b"") -> None:
        """Add the lines of one record; numbers in keys sort by value. Raises: ConfigError if there is no room."""
        sort_key = _DIGITS.sub(lambda number: number[0].zfill(_MAX_DIGITS), key)
        with self._database.connection() as connection:
            connection.execute("insert into lines values (?, ?, ?, ?)", (stream, sort_key, log_line, plan_line))

    def __iter__(self) -> Iterator[tuple[str, bytes]]:
        """Yield the lines; those of one key in the order in which they came. Raises: ConfigError."""
        with self._database.connection() as connection:
            yield from connection.execute("select log_line, plan_line from lines order by stream, sort_key, rowid")

    def close(self) -> None:
        """Discard the lines."""
        self._database.close()
