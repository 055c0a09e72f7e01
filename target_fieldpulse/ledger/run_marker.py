"""Markers of runs: which run writes a stream, and whether the run before it was killed.

A killed run may have left requests in flight. FieldPulse can still apply them, and a late PUT would overwrite a newer
one. The next run must therefore know that it follows a kill.

A marker also fences off a run that has lost its lock, because its lock file was removed or its connection to PostgreSQL
was dropped. The next run replaces the marker, and the ledger accepts nothing from a run whose marker was replaced.

What such a run noted before may still be unsent: it waited for the rate limit, or was suspended. The next run cannot
know when it goes on. So the marker is a lease: a write leaves only within `lease_seconds` after its run last saw its
own marker. The next run waits that long, and then as long as FieldPulse may apply a request, before it concludes that a
create did not happen, or writes over what may come late.
"""

from __future__ import annotations

import time

from sqlalchemy import ColumnElement, insert, select, update

from fieldpulse_api.errors import ConfigError, RunLocked
from fieldpulse_plugin.stores.run_lock import RunLock

from .database import LedgerDatabase
from .tables import RUNS

_MIN_LEASE_SECONDS = 0.25
_MAX_LEASE_SECONDS = 10.0


class RunMarkers:
    """The locks and markers of one account's streams. Used by the main thread, but for `renew_lease`.

    `timeout_seconds` is how long after it was sent a request may still be applied.

    `killed_before` is a time of the monotonic clock: no run that this one follows sends anything after it. It is None
    if all earlier runs ended by themselves.
    """

    def __init__(self, database: LedgerDatabase, account: str, run_id: str, *, timeout_seconds: float = 0.0) -> None:
        self._database, self._account, self._run_id = database, account, run_id
        self._timeout_seconds = timeout_seconds
        self._lease_seconds = min(max(timeout_seconds / 10, _MIN_LEASE_SECONDS), _MAX_LEASE_SECONDS)
        self._lease_began = -self._lease_seconds
        self._locks: dict[str, RunLock] = {}
        self._killed_before: dict[str, float | None] = {}  # by the streams that this run has started

    @property
    def killed_before(self) -> float | None:
        """Return when the last run that did not end by itself sent its last request, at the latest."""
        return max((time for time in tuple(self._killed_before.values()) if time is not None), default=None)

    def lock(self, stream: str) -> None:
        """Keep other processes out of a stream until `close`. Raises: RunLocked, naming the other process."""
        if stream not in self._locks:
            self._locks[stream] = RunLock(self._database.engine, self._account, store="ledger", stream=stream)

    def start(self, stream: str) -> None:
        """Lock a stream and mark it as being written by this run.

        Raises: RunLocked; ConfigError if the ledger is an older copy of the one that the last run wrote.
        """
        if stream not in self._killed_before:
            self.lock(stream)
            self._check_last_run(stream)
            was_killed = self._take_marker(stream) == "running"
            self._killed_before[stream] = time.monotonic() + self._lease_seconds if was_killed else None
            self._locks[stream].write_run_ids(self._run_id)

    def renew_lease(self) -> None:
        """Look whether the markers are still this run's, if that was not seen within the lease. Used by all threads.

        The time is taken before the look, and after it is compared again: a run may be suspended in between.

        Raises: RunLocked if another run has a stream of this one by now.
        """
        while _now() - self._lease_began > self._lease_seconds:
            streams = set(self._killed_before)
            with self._database.begin() as connection:
                looked_at = _now()
                query = select(RUNS.c.stream).where(*self._is_own)
                lost = streams.difference(connection.scalars(query))
            if lost:
                raise lock_lost_error(min(lost))
            self._lease_began = looked_at

    def end(self) -> None:
        """Mark the streams of this run as ended: none of its requests is in flight any more.

        Those of a killed run before it may still be: such a stream stays marked, and the next run waits again.
        """
        now = time.monotonic()
        streams = [
            stream
            for stream, killed_before in self._killed_before.items()
            if killed_before is None or now >= killed_before + self._timeout_seconds
        ]
        with self._database.begin() as connection:
            ended = update(RUNS).where(*self._is_own, RUNS.c.stream.in_(streams))
            connection.execute(ended.values(status="ended", updated_at=time.time()))
        self._killed_before.clear()

    def close(self) -> None:
        """Let other processes have the streams."""
        for lock in self._locks.values():
            lock.release()
        self._locks.clear()

    @property
    def _is_own(self) -> tuple[ColumnElement[bool], ...]:
        return RUNS.c.account == self._account, RUNS.c.run_id == self._run_id

    def _check_last_run(self, stream: str) -> None:
        """Check that the last run of the lock's file is that of the marker: else the database is an older copy.

        Until the marker is this run's, the file has both runs: a kill in between does not matter. A ledger without a
        marker is a new one.
        """
        lock, is_stream = self._locks[stream], (RUNS.c.account == self._account, RUNS.c.stream == stream)
        with self._database.begin() as connection:
            last_run: str | None = connection.scalar(select(RUNS.c.run_id).where(*is_stream))
        if last_run and lock.run_ids and last_run not in lock.run_ids:
            raise ConfigError(
                "The ledger is an older copy: it lacks what the last run wrote, and rows may be created twice.",
                where=f"setting ledger_url · stream {stream}",
                hint="restore the newest copy, or follow `A restored ledger` in docs/target/ledger.md",
            )
        lock.write_run_ids(*([last_run] if last_run else []), self._run_id)

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


def lock_lost_error(stream: str) -> RunLocked:
    """Return the error of a run whose marker was replaced."""
    return RunLocked(
        "This run has lost its lock of the ledger: another run has begun to write the stream.",
        where=f"setting ledger_url · stream {stream}",
        hint="let one run at a time write; the ledger has what was written, and the other run goes on with it",
    )


def _now() -> float:
    """Return the seconds of a clock that no setting of the time moves, and that counts while the machine sleeps."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))  # macOS: its monotonic clock does
