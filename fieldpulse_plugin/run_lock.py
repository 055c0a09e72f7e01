"""One run at a time has a store of an account: two would create the same record twice, or lose events."""

from __future__ import annotations

import hashlib
import os
import socket
from contextlib import suppress
from pathlib import Path

from sqlalchemy import Connection, text
from sqlalchemy.engine import Engine
from sqlalchemy.exc import SQLAlchemyError

from fieldpulse_api.errors import RunLocked

_LONGEST_HOLDER = 60  # PostgreSQL keeps 63 bytes of an application's name
_WHO = """
select a.application_name from pg_locks l join pg_stat_activity a using (pid)
where l.locktype = 'advisory' and l.granted and l.objid::bigint = :low
"""


class RunLock:
    """A lock that ends with the process: on a file beside SQLite's, or an advisory one of PostgreSQL.

    Raises: RunLocked while another process has it.
    """

    def __init__(self, engine: Engine, account: str, *, store: str, stream: str | None = None) -> None:
        """Take the lock of an account, or of a stream of it. `store` is what its setting calls `<store>_url`."""
        self._store, self._stream = store, stream
        self._file = -1
        self._connection: Connection | None = None
        name = f"{account}.{stream}" if stream else account
        if engine.dialect.name == "sqlite":
            self._take_file(Path(f"{engine.url.database}.{name}.lock"))
        elif engine.dialect.name == "postgresql":
            self._take_advisory(engine, name)

    def release(self) -> None:
        """Let others have it."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
        if self._connection:
            # The server would let go too, but only once it has noticed that the connection is closed.
            with suppress(SQLAlchemyError), self._connection as connection:
                connection.execute(text("select pg_advisory_unlock_all()"))
            self._connection = None

    def _take_file(self, path: Path) -> None:
        import fcntl  # noqa: PLC0415  POSIX only, like the budget's file

        self._file = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(self._file, _LONGEST_HOLDER, 0).decode() or "unknown"
            self.release()
            raise self._held(holder) from None
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, _this_process().encode(), 0)

    def _take_advisory(self, engine: Engine, name: str) -> None:
        key = hashlib.sha256(f"fieldpulse {self._store} {name}".encode()).digest()[:8]
        number = int.from_bytes(key, "big", signed=True)
        self._connection = engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        if not self._connection.scalar(text("select pg_try_advisory_lock(:number)"), {"number": number}):
            holder = self._connection.scalar(text(_WHO), {"low": number & 0xFFFFFFFF})
            self.release()
            raise self._held(holder or "unknown")
        self._connection.execute(text("select set_config('application_name', :name, false)"), {"name": _this_process()})

    def _held(self, holder: str) -> RunLocked:
        part = f" · stream {self._stream}" if self._stream else ""
        return RunLocked(
            f"Another run has the {self._store} of this account ({holder}).",
            where=f"setting {self._store}_url{part}",
            hint="wait until it has ended, and let only one run at a time have it",
        )


def _this_process() -> str:
    return f"process {os.getpid()} on {socket.gethostname()}"[:_LONGEST_HOLDER]
