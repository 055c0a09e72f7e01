"""Rate limits in PostgreSQL: a row for each key, changed under an advisory lock."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

from fieldpulse_api.http.limits.monthly_quota import MonthCount
from fieldpulse_api.http.limits.rate_limiter import Operation, SlotState, View
from fieldpulse_plugin.stores.waits import NO_ANSWER, postgresql_connections

from .store import SILENCE_SECONDS, StoreLost, refusal

if TYPE_CHECKING:
    from psycopg import Connection

_CREATE = """
select pg_advisory_xact_lock(hashtextextended('fieldpulse_rate_limit', 0));  -- two that create a table fail
create unlogged table if not exists fieldpulse_rate_limit (
    name text primary key,
    free_at double precision not null, paused_until double precision not null,
    reserved_at double precision not null, began_at double precision not null
);
create table if not exists fieldpulse_request_count (
    name text primary key, since double precision not null, requests bigint not null
)"""
_HAS_TABLES = (
    "select to_regclass('fieldpulse_rate_limit') is not null and to_regclass('fieldpulse_request_count') is not null"
)
_TIME = "extract(epoch from clock_timestamp())::double precision"
_READ = f"""
select {_TIME}, free_at, paused_until, reserved_at, began_at, since, requests
from (select %(name)s as name) as wanted
left join fieldpulse_rate_limit using (name) left join fieldpulse_request_count using (name)"""  # noqa: S608  constants
_LOCK = f"""
begin isolation level read committed;
set local lock_timeout = '{SILENCE_SECONDS * 1000 - 500}ms';
set local synchronous_commit = off;
set local idle_in_transaction_session_timeout = '{SILENCE_SECONDS * 1000 - 1000}ms';
select pg_advisory_xact_lock(hashtextextended('fieldpulse_rate_limit ' || %(name)s, 0));
"""
_WRITE = """
insert into fieldpulse_rate_limit
values (%(name)s, %(free_at)s, %(paused_until)s, %(reserved_at)s, %(began_at)s)
on conflict (name) do update set free_at = excluded.free_at, paused_until = excluded.paused_until,
    reserved_at = excluded.reserved_at, began_at = excluded.began_at;
insert into fieldpulse_request_count values (%(name)s, %(since)s, %(requests)s)
on conflict (name) do update set since = excluded.since, requests = excluded.requests;
commit"""
_REFUSALS = {
    "authentication failed": "it refuses the password",
    "no password supplied": "it wants a password",
    "pg_hba.conf": "it refuses this user or machine",
    '" does not exist': "the user or the database does not exist",
    "permission denied": "the user may not use or create the tables fieldpulse_rate_limit and fieldpulse_request_count",
}


class PostgresqlStore:
    """The state of one key in PostgreSQL 11 or later.

    The table of slots is unlogged. Its changes wait for no disk, and a crash or a failover empties it: a state from
    before, with fewer reservations than were made, never comes back. The table of counts has to outlive that. Its
    commits do not wait for a disk either, so a crash loses the count of the last second.

    The lock is held for one round trip. The server ends the transaction of a process that is stopped in the middle.

    Raises: ImportError without psycopg.
    """

    def __init__(self, url: str, key_hash: str, address: str) -> None:
        import psycopg  # noqa: PLC0415  of the extra

        self._psycopg, self._url, self._name, self._address = psycopg, url, key_hash, address
        self._connections = postgresql_connections("rate limit store", silence_seconds=SILENCE_SECONDS)
        self._connection: Connection[Any] | None = None
        self._lock = threading.Lock()
        self._lost_at, self._reason = 0.0, ""

    def apply(self, operation: Operation, interval: float) -> View:
        """Carry an operation out; see `SlotStore`."""
        asked_at = time.monotonic()
        with self._lock:
            if self._lost_at > asked_at:  # in another thread: it has waited for this one too
                raise StoreLost(self._reason)
            try:
                return self._apply(operation, interval)
            except BaseException as error:
                self._disconnect()
                if not isinstance(error, self._psycopg.Error):
                    raise
                raise self._translate(error) from None

    def close(self) -> None:
        """Close the connection."""
        with self._lock:
            self._disconnect()

    def _apply(self, operation: Operation, interval: float) -> View:
        if self._connection is None:
            self._connection = self._connect()
        if operation == Operation():
            state, now = self._read(_READ)
            if state.is_valid(now):
                return state.apply(operation, now)
        state, now = self._read(_LOCK + _READ)
        if not state.is_valid(now):
            state.restart(now, interval)
        view = state.apply(operation, now)
        names = ("free_at", "paused_until", "reserved_at", "began_at", "since", "requests")
        numbers = (*state.numbers, state.month.since, state.month.requests)
        self._connection.execute(_WRITE, {"name": self._name, **dict(zip(names, numbers, strict=True))})
        return view

    def _read(self, statements: str) -> tuple[SlotState, float]:
        """Return the state and the time; without a row, a state that is not valid."""
        assert self._connection is not None  # noqa: S101  for mypy
        cursor = self._connection.execute(statements, {"name": self._name})
        while cursor.nextset():
            pass
        now, *values, since, requests = cursor.fetchone() or (0.0, None, None, None)
        state = SlotState(began_at=-1) if None in values else SlotState(*values)
        if since is not None and requests is not None:
            state.month = MonthCount(since, requests)
        return state, now

    def _connect(self) -> Connection[Any]:
        connection = self._connections.connect(
            self._url,
            autocommit=True,
            cursor_factory=self._psycopg.ClientCursor,  # it sends several statements with parameters at once
            connect_timeout=SILENCE_SECONDS,
        )
        if connection.execute(_HAS_TABLES).fetchone() != (True,):
            connection.execute(_CREATE)
        return connection

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _translate(self, error: Exception) -> Exception:
        """Return StoreLost or ConfigError for an error of psycopg."""
        text = "" if isinstance(error, self._psycopg.errors.UndefinedTable) else str(error)  # it has been dropped
        for part, reason in _REFUSALS.items():
            if part in text:
                return refusal(reason, self._address, "correct the URL, or the rights of its user")
        self._lost_at = time.monotonic()
        self._reason = NO_ANSWER if NO_ANSWER in text or "timeout" in text else "no connection to it"
        return StoreLost(self._reason)
