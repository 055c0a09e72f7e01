"""The database of the ledger, and transactions on it."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from sqlalchemy import Connection, inspect

from fieldpulse_api.errors import ConfigError
from fieldpulse_plugin.stores.database import open_database, translate_db_errors
from fieldpulse_plugin.stores.urls import sqlite_path

from .tables import ENTRIES_PREFIX, METADATA, VERSION

_TRANSACTIONS = 4  # that run at once: as many connections, beside those that hold locks


class LedgerDatabase:
    """The database behind `ledger_url`. May be used by many threads.

    In SQLite, one transaction runs at a time. In PostgreSQL, a few do if they concern one key each: what a record takes
    is mostly the way to the server and back.

    Raises: ConfigError if the database cannot be opened, or was written by a newer version of the target.
    """

    def __init__(self, url: str) -> None:
        self.engine = open_database(url, METADATA, store="ledger")
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
        versions = [name.removeprefix(ENTRIES_PREFIX) for name in names if name.startswith(ENTRIES_PREFIX)]
        if any(int(version) > VERSION for version in versions if version.isdigit()):
            raise ConfigError(
                "The ledger was written by a newer version of this target.",
                where="setting ledger_url",
                hint="install that version, or set another ledger_url",
            )
