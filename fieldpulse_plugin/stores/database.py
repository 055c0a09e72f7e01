"""Databases behind the stores: SQLite in a private file, or PostgreSQL, by SQLAlchemy URL.

All are closed before the process ends. Until its last connection closes, SQLite keeps what was written in a second
file beside the database (`…-wal`), and a copy of the database alone would be empty.
"""

from __future__ import annotations

import logging
import math
import os
import sqlite3
import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import backoff
from sqlalchemy import MetaData, create_engine, event, text
from sqlalchemy.engine import URL, Engine, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, InvalidatePoolError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.pool import ConnectionPoolEntry

from fieldpulse_api.errors import ConfigError

from .private_files import make_private_folder
from .urls import address_of, check_only_name
from .waits import (
    CONNECT_SECONDS,
    LOCK_SECONDS,
    NO_ANSWER,
    SQLITE_LOCKED,
    STATEMENT_SECONDS,
    postgresql_connections,
    set_sqlite_pragmas,
    sqlite_connections,
)

_LOGGER = logging.getLogger(__name__)
_CONNECTION_LIMITS = {
    "connect_timeout": CONNECT_SECONDS,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,  # milliseconds
}
"""Limits of libpq for connections to PostgreSQL; the user's URL may have others."""
_SESSION = (
    f"set lock_timeout = '{LOCK_SECONDS}s'",
    f"set statement_timeout = '{STATEMENT_SECONDS}s'",
    "set synchronous_commit = on",
    """select set_config(name, '0', false) from pg_settings
    where name in ('idle_session_timeout', 'idle_in_transaction_session_timeout', 'transaction_timeout')""",
)
"""What prepares a session.

A commit that a crash of the server can undo would make the target create a row twice. Sessions that hold a lock, and
the tap's transaction of a stream, are idle while a list is read: no limit of the server's may end them. Older servers
lack some of these limits.
"""
_GROWN = text(
    "select relname from pg_class where relname = any(:names) and pg_table_is_visible(oid) "
    "and pg_relation_size(oid) > 2 * relpages * current_setting('block_size')::int"
)
_engines: weakref.WeakSet[Engine] = weakref.WeakSet()
_threads_of_connections: dict[ConnectionPoolEntry, int] = {}  # of those that are in use
_USED_AT = "fieldpulse_used_at"
_IDLE_SECONDS = 1.0
_FAILED_WAIT_SECONDS = 5.0
_UNAVAILABLE_SECONDS = 30.0
_unavailable: dict[str, tuple[float, str]] = {}  # by store: until when, and the reason
_REASONS = {
    NO_ANSWER: NO_ANSWER,
    "connection timeout expired": NO_ANSWER,  # psycopg's words
    SQLITE_LOCKED: "another program has locked it",
    "disk is full": "the disk is full",
    "disk I/O error": "its file cannot be written or read",
    "55P03": "another session has locked its tables",
    "57014": f"a statement took more than {STATEMENT_SECONDS} s",
}
"""By a part of the error's text, or by PostgreSQL's code of it."""


def open_database(url: str, tables: MetaData, *, store: str, log_level: int = logging.INFO) -> Engine:
    """Return the engine for an SQLAlchemy URL, with its tables created, and log where it is.

    `store` is `ledger` or `snapshot`; the setting `<store>_url` holds the URL.

    Raises: ConfigError.
    """
    engine = engine_of(url, store=store)
    _unavailable.pop(store, None)
    try:
        if engine.dialect.name == "sqlite":
            path = Path(str(engine.url.database))
            make_private_folder(path.parent)
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
            check_only_name(path, store)
        _create_tables(tables, engine)
        if engine.dialect.name == "postgresql":
            _analyze_grown(tables, engine)
    except (OSError, SQLAlchemyError, ValueError) as error:
        raise _open_error(store, error) from None
    _LOGGER.log(log_level, "Using the %s at %s", store, address_of(engine.url))
    return engine


def engine_of(url: str, *, store: str, reads_only: bool = False) -> Engine:
    """Return the engine for an SQLAlchemy URL; this creates nothing. Raises: ConfigError.

    With `reads_only`, a SQLite file belongs to somebody else: it is neither created nor changed.
    """
    try:
        parsed = make_url(url)
        if parsed.drivername in ("postgresql", "postgres"):
            parsed = parsed.set(drivername="postgresql+psycopg")
        if not parsed.drivername.startswith("sqlite"):
            engine = _server_engine(parsed, store, has_time_limits=not reads_only)
        elif reads_only:
            path = Path(str(parsed.database)).absolute().as_uri()
            engine = create_engine("sqlite://", creator=lambda: sqlite3.connect(f"{path}?mode=ro", uri=True))
        else:
            engine = _sqlite_engine(parsed, store)
    except (ArgumentError, NoSuchModuleError, ImportError, ValueError) as error:
        raise _open_error(store, error) from None
    _engines.add(engine)
    event.listen(engine, "checkout", _note_checkout)
    event.listen(engine, "checkin", _note_checkin)
    return engine


def close_databases() -> None:
    """Close the databases of this process. To be called last, by the thread that used them.

    A connection that a worker thread is using stays open: to close it in the middle of a statement would crash SQLite.
    """
    for connection, thread in list(_threads_of_connections.items()):
        if thread == threading.get_ident():
            with suppress(SQLAlchemyError):
                connection.invalidate()
    for engine in list(_engines):
        engine.dispose()


@contextmanager
def translate_db_errors(store: str) -> Iterator[None]:
    """Raise ConfigError for errors of an open database. `store` is as in `open_database`.

    After a wait that failed, the store counts as unavailable for a while: else each of many threads would wait in turn.
    """
    until, reason = _unavailable.get(store, (0.0, ""))
    began_at = time.monotonic()
    if began_at < until:
        raise _store_error(store, reason)
    try:
        yield
    except SQLAlchemyError as error:
        reason, now = _reason(error), time.monotonic()
        if now - began_at > _FAILED_WAIT_SECONDS:
            _unavailable[store] = now + _UNAVAILABLE_SECONDS, reason
        raise _store_error(store, reason) from None


def _store_error(store: str, reason: str) -> ConfigError:
    return ConfigError(
        f"The {store} cannot be read or written ({reason}).",
        where=f"setting {store}_url",
        hint="check the disk or the database server, then run again",
    )


def _reason(error: SQLAlchemyError) -> str:
    cause = getattr(error, "orig", error)
    found = f"{getattr(cause, 'sqlstate', '')} {cause}"
    return next((reason for part, reason in _REASONS.items() if part in found), type(error).__name__)


def _is_lasting(error: Exception) -> bool:
    """Return whether an error has another cause than a second process that creates the same tables."""
    return "already exists" not in str(error)


@backoff.on_exception(
    backoff.constant, DBAPIError, interval=0.1, max_tries=20, max_time=60, giveup=_is_lasting, logger=None
)
def _create_tables(tables: MetaData, engine: Engine) -> None:
    tables.create_all(engine)


def _analyze_grown(tables: MetaData, engine: Engine) -> None:
    """Let PostgreSQL look again at tables that have doubled since it did, as after a restore; autovacuum does so later.

    To old statistics, an index of the stream seems as good as the primary key, and a look-up reads the whole stream.
    """
    with engine.begin() as connection:
        for name in connection.scalars(_GROWN, {"names": list(tables.tables)}).all():
            connection.execute(text(f'analyze "{name}"'))


def _server_engine(url: URL, store: str, *, has_time_limits: bool) -> Engine:
    """Return the engine of a database server, which may be mute, restart, or be set to lose what it has committed."""
    is_postgresql = url.drivername == "postgresql+psycopg"
    limits = {name: value for name, value in _CONNECTION_LIMITS.items() if name not in url.query}
    # The lock of each stream occupies a connection, beside those of the transactions.
    engine = create_engine(url, max_overflow=-1, connect_args=limits if is_postgresql else {})
    _test_idle_connections(engine)
    if is_postgresql:
        connections = postgresql_connections(store)

        @event.listens_for(engine, "do_connect")
        def _connect(_dialect: Any, _record: Any, arguments: Any, options: Any) -> Any:
            return connections.connect(*arguments, **options)

    if is_postgresql and has_time_limits:

        @event.listens_for(engine, "connect")
        def _set_session(connection: Any, _: Any) -> None:
            connection.autocommit = True  # else the first rollback would undo the settings
            for statement in _SESSION:
                connection.execute(statement)
            connection.autocommit = False

    return engine


def _test_idle_connections(engine: Engine) -> None:
    """Test each connection that was idle before it is used: the server may have restarted meanwhile.

    SQLAlchemy's own test precedes each use: one round trip more, beside the four or five of a transaction.
    """

    @event.listens_for(engine, "checkin")
    def _note_use(_connection: object, entry: ConnectionPoolEntry) -> None:
        entry.info[_USED_AT] = time.monotonic()

    @event.listens_for(engine, "checkout")
    def _test_idle(connection: Any, entry: ConnectionPoolEntry, _proxy: object) -> None:
        if time.monotonic() - entry.info.get(_USED_AT, math.inf) < _IDLE_SECONDS:  # never used: it is new
            return
        try:
            engine.dialect.do_ping(connection)
        except engine.dialect.loaded_dbapi.Error as error:
            if engine.dialect.is_disconnect(error, connection, None):
                raise InvalidatePoolError from None
            raise


def _sqlite_engine(url: URL, store: str) -> Engine:
    if url.database is None or url.database in ("", ":memory:"):
        raise ArgumentError("a database in memory would be lost with the process")
    if url.database.startswith("file:"):
        raise ArgumentError("this form hides which file it is from the checks of files")
    engine = create_engine(url, connect_args={"factory": sqlite_connections(store), "timeout": 0})

    @event.listens_for(engine, "connect")
    def _set_pragmas(connection: Any, _: Any) -> None:
        set_sqlite_pragmas(connection)

    return engine


def _note_checkout(_connection: object, entry: ConnectionPoolEntry, _proxy: object) -> None:
    _threads_of_connections[entry] = threading.get_ident()


def _note_checkin(_connection: object, entry: ConnectionPoolEntry) -> None:
    _threads_of_connections.pop(entry, None)


def _open_error(store: str, error: Exception) -> ConfigError:
    reason = _reason(error) if isinstance(error, SQLAlchemyError) else type(error).__name__
    return ConfigError(
        f"The {store} database cannot be opened ({reason}).",
        where=f"setting {store}_url",
        hint=f"use sqlite:///path/to/{store}.db, or postgresql://… with the extra `postgres` installed",
    )
