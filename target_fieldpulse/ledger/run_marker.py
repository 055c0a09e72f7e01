"""Markers of runs: which streams this run has locked, and whether the run before it was killed.

A killed run may have left requests in flight. FieldPulse can still apply them, and a late PUT would overwrite a newer
one. The next run must therefore know that it follows a kill.
"""

from __future__ import annotations

import time

from sqlalchemy import ColumnElement, delete, insert, select

from fieldpulse_plugin.run_lock import RunLock

from .tables import RUNS, LedgerDatabase


class RunMarkers:
    """The locks and markers of one account's streams. Used by the main thread.

    `killed_before` is a time, in epoch seconds, by which every killed run that this one follows was dead.
    It is None if all earlier runs ended by themselves.
    """

    def __init__(self, database: LedgerDatabase, account: str) -> None:
        self._database, self._account = database, account
        self._locks: dict[str, RunLock] = {}
        self._started: set[str] = set()
        self.killed_before: float | None = None

    def lock(self, stream: str) -> None:
        """Keep other processes out of a stream until `close`. Raises: RunLocked, naming the other process."""
        if stream not in self._locks:
            self._locks[stream] = RunLock(self._database.engine, self._account, store="ledger", stream=stream)

    def start(self, stream: str) -> None:
        """Lock a stream and mark it as being written. Raises: RunLocked."""
        if stream in self._started:
            return
        self.lock(stream)
        query = select(RUNS.c.status).where(*self._is(stream))
        with self._database.begin() as connection:
            if connection.scalar(query) == "running":
                self.killed_before = time.time()
        self._mark(stream, "running")
        self._started.add(stream)

    def end(self) -> None:
        """Mark the streams of this run as ended: none of its requests is in flight any more."""
        for stream in self._started:
            self._mark(stream, "ended")
        self._started.clear()

    def close(self) -> None:
        """Let other processes have the streams."""
        for lock in self._locks.values():
            lock.release()
        self._locks.clear()

    def _mark(self, stream: str, status: str) -> None:
        row = {"account": self._account, "stream": stream, "status": status, "updated_at": time.time()}
        with self._database.begin() as connection:
            connection.execute(delete(RUNS).where(*self._is(stream)))
            connection.execute(insert(RUNS).values(**row))

    def _is(self, stream: str) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
        return RUNS.c.account == self._account, RUNS.c.stream == stream
