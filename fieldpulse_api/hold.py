"""One run at a time has a store of an account: two would create the same record twice, or lose events."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from sqlalchemy import Connection, text
from sqlalchemy.engine import Engine

from .errors import GuardStopped


class Hold:
    """A lock that ends with the process: on a file beside SQLite's, or an advisory one of PostgreSQL.

    Raises: GuardStopped while another process has it.
    """

    def __init__(self, engine: Engine, account: str, *, store: str) -> None:
        """Take the lock of an account. `store` is what is locked, as its setting `<store>_url` has it."""
        self._store = store
        self._file = -1
        self._connection: Connection | None = None
        if engine.dialect.name == "sqlite":
            self._take_file(Path(f"{engine.url.database}.{account}.lock"))
        elif engine.dialect.name == "postgresql":
            self._take_advisory(engine, account)

    def release(self) -> None:
        """Let others have it."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
        if self._connection:
            self._connection.close()

    def _take_file(self, path: Path) -> None:
        import fcntl  # noqa: PLC0415  POSIX only, like the budget's file

        self._file = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(self._file, 20, 0).decode() or "unknown"
            self.release()
            raise self._held(f"process {holder}") from None
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, str(os.getpid()).encode(), 0)

    def _take_advisory(self, engine: Engine, account: str) -> None:
        number = int.from_bytes(
            hashlib.sha256(f"fieldpulse {self._store} {account}".encode()).digest()[:8], "big", signed=True
        )
        self._connection = engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        if not self._connection.scalar(text("select pg_try_advisory_lock(:number)"), {"number": number}):
            holder = "select pid from pg_locks where locktype = 'advisory' and granted and objid::bigint = :low"
            pid = self._connection.scalar(text(holder), {"low": number & 0xFFFFFFFF})
            self.release()
            raise self._held(f"PostgreSQL session {pid}")

    def _held(self, holder: str) -> GuardStopped:
        return GuardStopped(
            f"Another run has the {self._store} of this account ({holder}).",
            where=f"setting {self._store}_url",
            do="wait until it has ended, and let only one run at a time have it",
        )
