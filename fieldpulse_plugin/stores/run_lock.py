"""Locks that let one run at a time use a store: two runs would create the same record twice, or lose events."""

from __future__ import annotations

import hashlib
import os
import socket
import stat
from contextlib import suppress
from pathlib import Path

from sqlalchemy import Connection, text
from sqlalchemy.engine import Engine
from sqlalchemy.exc import SQLAlchemyError

from fieldpulse_api.errors import ConfigError, RunLocked

from .database import translate_db_errors
from .private_files import write_whole

_MAX_HOLDER_LENGTH = 60  # PostgreSQL keeps 63 bytes of an application's name
_MAX_FILE_BYTES = 1000
_FIND_HOLDER = """
select a.application_name from pg_locks l join pg_stat_activity a using (pid)
where l.locktype = 'advisory' and l.granted and l.objid::bigint = :low
"""


class RunLock:
    """A lock that ends with its process: on a file beside SQLite's, or an advisory lock of PostgreSQL.

    The file stays. Its first line names the process, and the next ones hold what `write_run_ids` wrote last: an older
    copy of the database does not have these. `run_ids` are those that it held; there are none without a file.
    """

    def __init__(self, engine: Engine, account: str, *, store: str, stream: str | None = None) -> None:
        """Acquire the lock of an account, or of one stream of it, without waiting.

        `store` is `ledger` or `snapshot`; the setting `<store>_url` holds the URL.

        Raises: RunLocked, with the process that holds the lock; ConfigError if the store fails.
        """
        self._store, self._stream = store, stream
        self._file = -1
        self.run_ids: list[str] = []
        self._connection: Connection | None = None
        name = f"{account}.{stream}" if stream else account
        if engine.dialect.name == "sqlite":
            path = os.path.realpath(str(engine.url.database))  # the same lock through a symbolic link
            self._lock_file(Path(f"{path}.{name}.lock"))
        elif engine.dialect.name == "postgresql":
            self._lock_advisory(engine, name)

    def release(self) -> None:
        """Release the lock; a second call does nothing."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
        if self._connection:
            # PostgreSQL unlocks a closed connection too, but only when it notices.
            with suppress(ConfigError), translate_db_errors(self._store):
                self._connection.execute(text("select pg_advisory_unlock_all()"))
            with suppress(SQLAlchemyError):
                self._connection.close()
            self._connection = None

    def write_run_ids(self, *run_ids: str) -> None:
        """Replace the ids of runs in the file of the lock, if it has one. They are on the disk when this returns.

        Raises: ConfigError if there is no room: the file is empty then.
        """
        if self._file >= 0:
            os.ftruncate(self._file, 0)
            content = "\n".join((_this_process(), *run_ids)).encode()
            write_whole(self._file, content, self._path, f"{self._store}_url")

    def _lock_file(self, path: Path) -> None:
        import fcntl  # noqa: PLC0415  POSIX only, like the rate limiter's file

        self._path = path
        flags = os.O_CREAT | os.O_RDWR | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
        try:
            self._file = os.open(path, flags, 0o600)
            is_special = not stat.S_ISREG(os.fstat(self._file).st_mode)
        except OSError as error:
            raise self._file_error(error.strerror or type(error).__name__) from None
        if is_special:
            self.release()
            raise self._file_error("it is not a plain file")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = self._read_lines()[0]
            self.release()
            raise self._locked(holder) from None
        self.run_ids = self._read_lines()[1:]
        try:
            self.write_run_ids(*self.run_ids)
        except ConfigError:
            self.release()
            raise

    def _read_lines(self) -> list[str]:
        content = os.pread(self._file, _MAX_FILE_BYTES, 0).decode(errors="replace")
        return content.splitlines() or ["unknown process"]

    def _lock_advisory(self, engine: Engine, name: str) -> None:
        digest = hashlib.sha256(f"fieldpulse {self._store} {name}".encode()).digest()
        lock_id = int.from_bytes(digest[:8], "big", signed=True)
        with translate_db_errors(self._store):
            self._connection = engine.connect().execution_options(isolation_level="AUTOCOMMIT")
            if not self._connection.scalar(text("select pg_try_advisory_lock(:id)"), {"id": lock_id}):
                holder = self._connection.scalar(text(_FIND_HOLDER), {"low": lock_id & 0xFFFFFFFF})
                self.release()
                raise self._locked(holder or "unknown process")
            set_name = text("select set_config('application_name', :name, false)")
            self._connection.execute(set_name, {"name": _this_process()})

    def _file_error(self, reason: str) -> ConfigError:
        return ConfigError(
            f"The file of the lock cannot be opened ({reason}).",
            where=f"setting {self._store}_url · {self._path}",
            hint="remove it if it is a link, a folder or a pipe; its folder must be writable",
        )

    def _locked(self, holder: str) -> RunLocked:
        return RunLocked(
            f"The {self._store} is locked by another run ({holder}).",
            where=f"setting {self._store}_url" + (f" · stream {self._stream}" if self._stream else ""),
            hint="wait until that run has ended; only one run at a time can use it",
        )


def _this_process() -> str:
    return f"process {os.getpid()} on {socket.gethostname()}"[:_MAX_HOLDER_LENGTH]
