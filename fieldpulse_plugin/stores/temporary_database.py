"""A temporary SQLite database: rows that may be more than memory holds, and that end with the process."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from fieldpulse_api.errors import ConfigError


class TemporaryDatabase:
    """A database that is opened when it is first needed. May be used by many threads, one at a time.

    SQLite holds 2 MB of it in memory, and the rest in a file that has no name and vanishes with the process, however
    that ends. `content` says what is stored, for the message.
    """

    def __init__(self, tables: str, content: str) -> None:
        self._script, self._content = f"pragma journal_mode = off; {tables}", content
        self._lock = threading.Lock()
        self._opened: sqlite3.Connection | None = None

    @contextmanager
    def connection(self) -> Iterator[sqlite3.Connection]:
        """Lock the database, and return its connection. Raises: ConfigError if it cannot be read or written."""
        with self._lock:
            try:
                if self._opened is None:
                    self._opened = sqlite3.connect("", isolation_level=None, check_same_thread=False)
                    self._opened.executescript(self._script)
                yield self._opened
            except sqlite3.Error as error:
                raise ConfigError(
                    f"{self._content} cannot be stored ({error}).",
                    where="temporary folder",
                    hint="make room in it, or set TMPDIR to another folder",
                ) from None

    def close(self) -> None:
        """Discard the rows."""
        with self._lock:
            if self._opened:
                self._opened.close()
                self._opened = None
