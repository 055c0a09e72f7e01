"""The tables of the ledger's database, and transactions on them.

The version of the schema is part of the tables' names, so that two versions of the target never share a table.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Connection,
    Float,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    inspect,
)

from fieldpulse_api.errors import ConfigError
from fieldpulse_plugin.database import open_database, translate_db_errors
from fieldpulse_plugin.history.tables import UtcTime
from fieldpulse_plugin.store_urls import sqlite_path

_VERSION = 1
_TRANSACTIONS = 4  # that run at once: as many connections, beside those that hold locks
_ENTRIES_PREFIX = "fieldpulse_ledger_"
_METADATA = MetaData()

ENTRIES = Table(
    f"{_ENTRIES_PREFIX}{_VERSION}",
    _METADATA,
    Column("account", String(64), primary_key=True),
    Column("stream", String(64), primary_key=True),
    Column("kind", String(16), primary_key=True),
    Column("source_key", String(512), primary_key=True),
    Column("status", String(16), nullable=False),
    Column("row_id", BigInteger),
    Column("parent_ids", JSON, nullable=False),
    Column("property_hashes", JSON, nullable=False),
    Column("fingerprint", JSON, nullable=False),
    Column("max_id_before", BigInteger, nullable=False),
    Column("updated_at", Float, nullable=False),
    Index(f"{_ENTRIES_PREFIX}{_VERSION}_rows", "account", "stream", "row_id"),
    Index(f"{_ENTRIES_PREFIX}{_VERSION}_status", "account", "stream", "status"),
)
RUNS = Table(
    "fieldpulse_run_2",  # the number is the version of the columns
    _METADATA,
    Column("account", String(64), primary_key=True),
    Column("stream", String(64), primary_key=True),
    Column("run_id", String(32), nullable=False),
    Column("status", String(16), nullable=False),
    Column("updated_at", Float, nullable=False),
)
WRITTEN_ROWS = Table(
    "fieldpulse_written_row_2",  # the number is the version of the columns
    _METADATA,
    Column("account", String(64), primary_key=True),
    Column("stream", String(64), primary_key=True),
    Column("row_id", BigInteger, primary_key=True, autoincrement=False),
    Column("created", JSON, nullable=False),
    Column("sent", JSON, nullable=False),
    Column("is_deleted", Boolean, nullable=False),
)
"""The rows that this target wrote, by id.

`created` are hashes of the columns as a create left them, `sent` those of the last value sent for each column, with the
number of that write.
"""
AUDIT = Table(
    "fieldpulse_audit_2",  # the number is the version of the columns
    _METADATA,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("account", String(64), nullable=False),
    Column("run_id", String(32), nullable=False),
    Column("recorded_at", UtcTime, nullable=False, index=True),
    Column("stream", String(64), nullable=False),
    Column("source_key", String(512)),
    Column("action", String(16), nullable=False),
    Column("outcome", String(16), nullable=False),
    Column("requests", Integer, nullable=False),
    Column("row_id", BigInteger),
    Column("changed", JSON),
    Column("records", Integer, nullable=False),
    Column("reason", Text),
)
REJECTS = Table(
    "fieldpulse_reject_1",  # the number is the version of the columns
    _METADATA,
    Column("number", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("account", String(64), nullable=False),
    Column("stream", String(64), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("source_key", String(512), nullable=False),
    Column("content", String(32), nullable=False),
    Column("outcome", String(16), nullable=False),
    Column("reason", Text, nullable=False),
    Column("first_at", UtcTime, nullable=False),
    Column("last_at", UtcTime, nullable=False),
    Column("times", Integer, nullable=False),
    Column("closed_at", UtcTime),
    Index("fieldpulse_reject_1_stream", "account", "stream"),
    Index("fieldpulse_reject_1_content", "account", "content"),
)
"""The rejected, failed and uncertain records, whose lines are in the rejects file.

`source_key` is empty for a record without a key. `content` is the hash of the record. `closed_at` is set once the key
was written: the entry stays as long as its line.
"""


class LedgerDatabase:
    """The database behind `ledger_url`. May be used by many threads.

    In SQLite, one transaction runs at a time. In PostgreSQL, a few do if they concern one key each: what a record takes
    is mostly the way to the server and back.

    Raises: ConfigError if the database cannot be opened, or was written by a newer version of the target.
    """

    def __init__(self, url: str) -> None:
        self.engine = open_database(url, _METADATA, store="ledger")
        self.is_sqlite = self.engine.dialect.name == "sqlite"
        # SQLite begins no transaction for a query. PostgreSQL would be asked to begin and to end one.
        self._queries = self.engine
        if not self.is_sqlite:
            self._queries = self.engine.execution_options(isolation_level="AUTOCOMMIT")
        self._turns = threading.BoundedSemaphore(1 if self.is_sqlite else _TRANSACTIONS)
        self._path = sqlite_path(url)
        self._opened = self._path.stat() if self._path else None
        self._lock = threading.Lock()
        try:
            self._check_version()
        except ConfigError:
            self.close()
            raise

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """Open a transaction, committed at the end of the block. No other one of this kind runs beside it.

        Raises: ConfigError if the database fails, or if its file was moved, replaced or removed.
        """
        with self._lock, self.begin_for_key() as connection:
            yield connection

    @contextmanager
    def begin_for_key(self) -> Iterator[Connection]:
        """Open a transaction that concerns one key alone: one of another key may run beside it. Raises: as `begin`."""
        with self._turns, translate_db_errors("ledger"), self.engine.begin() as connection:
            self._raise_if_moved()
            yield connection

    @contextmanager
    def query(self) -> Iterator[Connection]:
        """Open a connection for a query that needs no transaction. Raises: as `begin`."""
        with self._turns, translate_db_errors("ledger"), self._queries.connect() as connection:
            self._raise_if_moved()
            yield connection

    def close(self) -> None:
        """Close all connections. SQLite then merges its write-ahead log into the file."""
        self.engine.dispose()

    def _raise_if_moved(self) -> None:
        """Raise ConfigError if the next run would not find what is written to the open file."""
        if self._path is None or self._opened is None:
            return
        with suppress(OSError):
            if os.path.samestat(self._opened, self._path.stat()):
                return
        raise ConfigError(
            "The file of the ledger was moved, replaced or removed while it was in use.",
            where=f"setting ledger_url · {self._path.absolute()}",
            hint="put it back, or follow `A restored ledger` in docs/target/ledger.md before you run again",
        )

    def _check_version(self) -> None:
        with translate_db_errors("ledger"):
            names = inspect(self.engine).get_table_names()
        versions = [name.removeprefix(_ENTRIES_PREFIX) for name in names if name.startswith(_ENTRIES_PREFIX)]
        if any(int(version) > _VERSION for version in versions if version.isdigit()):
            raise ConfigError(
                "The ledger was written by a newer version of this target.",
                where="setting ledger_url",
                hint="install that version, or set another ledger_url",
            )
