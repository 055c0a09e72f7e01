"""Markers of runs: which run writes a stream, and whether the run before it was killed.

A killed run may have left requests in flight. FieldPulse can still apply them, and a late PUT would overwrite a newer
one. The next run must therefore know that it follows a kill.

A marker also fences off a run that has lost its lock, because its lock file was removed or its connection to PostgreSQL
was dropped. The next run replaces the marker, and the ledger accepts no create from a run whose marker was replaced.
"""

from __future__ import annotations

import time

from sqlalchemy import insert, select, update

from fieldpulse_plugin.run_lock import RunLock

from .tables import RUNS, LedgerDatabase


class RunMarkers:
    """The locks and markers of one account's streams. Used by the main thread.

    `killed_before` is a time of the monotonic clock by which every killed run that this one follows was dead. It is
    None if all earlier runs ended by themselves.
    """

    def __init__(self, database: LedgerDatabase, account: str, run_id: str) -> None:
        self._database, self._account, self._run_id = database, account, run_id
        self._locks: dict[str, RunLock] = {}
        self._started: set[str] = set()
        self.killed_before: float | None = None

    def lock(self, stream: str) -> None:
        """Keep other processes out of a stream until `close`. Raises: RunLocked, naming the other process."""
        if stream not in self._locks:
            self._locks[stream] = RunLock(self._database.engine, self._account, store="ledger", stream=stream)

    def start(self, stream: str) -> None:
        """Lock a stream and mark it as being written by this run. Raises: RunLocked."""
        if stream in self._started:
            return
        self.lock(stream)
        if self._take_marker(stream) == "running":
            self.killed_before = time.monotonic()
        self._started.add(stream)

    def end(self) -> None:
        """Mark the streams of this run as ended: none of its requests is in flight any more."""
        is_own = RUNS.c.account == self._account, RUNS.c.run_id == self._run_id
        with self._database.begin() as connection:
            connection.execute(update(RUNS).where(*is_own).values(status="ended", updated_at=time.time()))
        self._started.clear()

    def close(self) -> None:
        """Let other processes have the streams."""
        for lock in self._locks.values():
            lock.release()
        self._locks.clear()

    def _take_marker(self, stream: str) -> str | None:
        """Mark a stream with this run, and return the status of the run before, None if it is the first."""
        is_stream = RUNS.c.account == self._account, RUNS.c.stream == stream
        values = {"run_id": self._run_id, "updated_at": time.time()}
        with self._database.begin() as connection:
            # The update comes first, because it locks the row.
            if not connection.execute(update(RUNS).where(*is_stream).values(**values)).rowcount:
                row = {"account": self._account, "stream": stream, "status": "running", **values}
                connection.execute(insert(RUNS).values(**row))
                return None
            before: str | None = connection.scalar(select(RUNS.c.status).where(*is_stream))
            connection.execute(update(RUNS).where(*is_stream).values(status="running"))
            return before
