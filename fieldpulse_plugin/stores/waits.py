"""Connections to stores whose waits have limits on this side, and log lines about waits that become long.

A server that is stopped enforces none of its own limits. Its socket stays open, and the kernel acknowledges what is
sent to it, so no time-out of TCP ends the wait either.
"""

from __future__ import annotations

import logging
import math
import sqlite3
import time
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any, TypeVar

from typing_extensions import Self, override

if TYPE_CHECKING:
    from psycopg import Connection

LOCK_SECONDS = 30
"""For a lock of another program or session."""
STATEMENT_SECONDS = 120
"""For a statement of PostgreSQL, by the server's clock."""
SILENCE_SECONDS = STATEMENT_SECONDS + 10
"""For a server from which nothing comes, not even its error for a statement that took too long."""
CONNECT_SECONDS = 10
NO_ANSWER = "it does not answer"
SQLITE_LOCKED = "database is locked"
_LONG_WAIT_SECONDS = 5.0
_SHORTEST_CONNECT_SECONDS = 2  # psycopg takes less for this
_SQLITE_BUSY_MILLISECONDS = 250  # SQLite waits without looking for signals
_LOGGER = logging.getLogger(__name__)
_T = TypeVar("_T")
_ends_at = math.inf


def end_store_waits_within(seconds: float) -> None:
    """End every wait of this process once `seconds` have passed, because the process is to end."""
    global _ends_at  # noqa: PLW0603  a process ends once
    _ends_at = min(_ends_at, time.monotonic() + seconds)


class _Wait:
    """One wait for a store."""

    def __init__(self, store: str, limit_seconds: float) -> None:
        self._store, self._limit_seconds = store, limit_seconds
        self._began_at, self._is_logged = time.monotonic(), False

    def restart(self) -> None:
        """Begin again: a part of the answer has come."""
        self._began_at = time.monotonic()

    def is_over(self) -> bool:
        """Return whether the wait has reached its limit, and log once that it is long. To be asked again and again."""
        now = time.monotonic()
        seconds = now - self._began_at
        if seconds > _LONG_WAIT_SECONDS and not self._is_logged:
            self._is_logged = True
            _LOGGER.warning("Waiting for the %s: no answer for %.0f s", self._store, seconds)
        return seconds > self._limit_seconds or now > _ends_at


def sqlite_connections(store: str) -> type[sqlite3.Connection]:
    """Return the class of connections to a store in SQLite. A statement waits `LOCK_SECONDS` for another program."""

    class LimitedCursor(sqlite3.Cursor):
        @override
        def execute(self, sql: str, parameters: Any = (), /) -> Self:
            return _when_unlocked(lambda: super(LimitedCursor, self).execute(sql, parameters), store)

        @override
        def executemany(self, sql: str, parameters: Any, /) -> Self:
            return _when_unlocked(lambda: super(LimitedCursor, self).executemany(sql, parameters), store)

    class LimitedConnection(sqlite3.Connection):
        @override
        def cursor(self, factory: Any = LimitedCursor) -> Any:
            return super().cursor(factory)

        @override
        def commit(self) -> None:
            _when_unlocked(super().commit, store)

    return LimitedConnection


def set_sqlite_pragmas(connection: sqlite3.Connection) -> None:
    """Prepare a connection: what it has committed is on the disk."""
    for pragma in (f"busy_timeout={_SQLITE_BUSY_MILLISECONDS}", "journal_mode=WAL", "synchronous=FULL"):
        connection.execute(f"PRAGMA {pragma}")


def postgresql_connections(store: str, *, silence_seconds: float = SILENCE_SECONDS) -> type[Connection[Any]]:
    """Return the class of connections to a store in PostgreSQL. It may be silent for `silence_seconds`.

    Raises: ImportError without psycopg.
    """
    import psycopg  # noqa: PLC0415  of the extra

    class LimitedConnection(psycopg.Connection[Any]):
        @classmethod
        @override
        def connect(cls, *arguments: Any, **options: Any) -> Self:
            """Connect. A process that is to end has no time for the whole of `CONNECT_SECONDS`."""
            left_seconds = _ends_at - time.monotonic()
            if left_seconds < _SHORTEST_CONNECT_SECONDS:
                raise psycopg.OperationalError(NO_ANSWER)
            if left_seconds < CONNECT_SECONDS:
                options["connect_timeout"] = int(left_seconds)
            return super().connect(*arguments, **options)

        @override
        def wait(self, gen: Any, *arguments: Any, **options: Any) -> Any:
            """Wait for the server. All that psycopg sends after the connect waits for its answer here."""
            no_answer = psycopg.OperationalError(NO_ANSWER)
            try:
                return super().wait(_limited(gen, _Wait(store, silence_seconds), no_answer), *arguments, **options)
            except BaseException as error:
                if error is no_answer or not isinstance(error, Exception):  # a signal, in the middle of a statement
                    self.close()
                raise

    return LimitedConnection


def _when_unlocked(call: Callable[[], _T], store: str) -> _T:
    """Repeat a call while another program has locked the file. A locked statement has changed nothing."""
    wait = _Wait(store, LOCK_SECONDS)
    while True:
        try:
            return call()
        except sqlite3.OperationalError as error:
            if SQLITE_LOCKED not in str(error) or wait.is_over():
                raise
        time.sleep(0.01)  # for errors that come without SQLite's own wait


def _limited(answers: Generator[Any, Any, _T], wait: _Wait, no_answer: Exception) -> Generator[Any, Any, _T]:
    """Pass a generator of psycopg on. It is sent 0 where a tenth of a second brought nothing."""
    try:
        wanted = next(answers)
        while True:
            ready = yield wanted
            if ready:
                wait.restart()
            elif wait.is_over():
                raise no_answer
            wanted = answers.send(ready)
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]
