"""The rate limiter's file, through which all processes of a user share the slots of an API key."""

from __future__ import annotations

import hashlib
import logging
import os
import struct
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from typing_extensions import override

from fieldpulse_api.errors import ConfigError
from fieldpulse_api.http.private_file import open_private

from .rate_limiter import LocalRateLimiter, SlotState
from .request_count_file import RequestCountFile

_LOGGER = logging.getLogger(__name__)
_LOGGED_LOCK_SECONDS = 1.0
_MAX_LOCK_SECONDS = 5.0
"""A lock is held for microseconds. A process that has it for longer is stopped, or starved of processor time."""
_MAX_POLL_SECONDS = 0.05


class SharedFileRateLimiter(LocalRateLimiter):
    """A rate limiter for all processes of this machine that open the same file.

    The file holds the times of `SlotState`. A `flock` covers each read and write of them, and ends with the process
    that holds it. The invariant of `SlotState` needs one clock for all: the monotonic clock of the machine. The month's
    count is in the file `counts`, under the same lock.

    A file may be damaged, deleted, or locked by a process that is stopped. The state then begins again, in the last two
    cases in another file: its first slot is a second ahead, and reservations of the state before do not count any more.
    Whoever has locked a file looks whether it is still there, so all processes go over to the other one.

    Raises: ConfigError if the file cannot be opened, read or written; with a quota, also for the file `counts`.
    """

    scope = "all processes of this user"
    _FORMAT = struct.Struct("<dddd")

    def __init__(self, requests_per_second: float, path: Path, *, counts: Path | None = None, **options: Any) -> None:
        super().__init__(requests_per_second, **options)
        self._path = path
        self._counts = self._open_counts(counts) if counts else None
        self._lock = threading.Lock()  # flock does not tell the threads of a process apart
        self._open()
        _LOGGER.debug("The rate limiter allows %g requests per second, shared through %s", requests_per_second, path)

    @contextmanager
    @override
    def _locked_state(self, *, with_month: bool = False) -> Iterator[SlotState]:
        import fcntl  # noqa: PLC0415  POSIX only; `rate_limit_store: memory` works without it

        with self._lock, _translate_errors(self._path):
            self._lock_file()
            try:
                content = os.pread(self._file, self._FORMAT.size + 1, 0)
                state = SlotState(*self._FORMAT.unpack(content)) if len(content) == self._FORMAT.size else None
                now = self._clock()
                is_new = state is None or not state.is_valid(now)
                if state is None or is_new:
                    state = SlotState()
                    state.restart(now, self._interval)
                    os.ftruncate(self._file, 0)
                if with_month or is_new:
                    self._read_count(state, is_new=is_new)
                yield state
                if with_month:
                    self._write_count(state)
                after = self._FORMAT.pack(*state.numbers)
                if after != content:
                    os.pwrite(self._file, after, 0)
            finally:
                fcntl.flock(self._file, fcntl.LOCK_UN)

    def _open_counts(self, path: Path) -> RequestCountFile | None:
        try:
            counts = RequestCountFile(path)
        except OSError as error:
            self._fail_to_count(path, error)
            return None
        self.month.place = str(path)
        return counts

    def _read_count(self, state: SlotState, *, is_new: bool) -> None:
        if self._counts:
            try:
                state.month = self._counts.read()
                if is_new:
                    self._counts.replace()
            except OSError as error:
                self._fail_to_count(self._counts.path, error)

    def _write_count(self, state: SlotState) -> None:
        if self._counts:
            try:
                self._counts.write(state.month)
            except OSError as error:
                self._fail_to_count(self._counts.path, error)

    def _fail_to_count(self, path: Path, error: OSError) -> None:
        """Go on without a count, which only a quota needs. Raises: ConfigError with a quota."""
        if self.month.quota:
            raise ConfigError(
                f"The file that counts the month's requests cannot be used ({error.strerror}).",
                where=f"setting monthly_quota · {path}",
                hint="make the file writable, or set rate_limit_store to Redis or PostgreSQL",
            ) from None
        self._counts, self.month.place = None, ""
        _LOGGER.debug("The month's requests are not counted (%s): %s", error.strerror, path)

    def _lock_file(self) -> None:
        """Lock the file that has the path, if need be another than before."""
        import fcntl  # noqa: PLC0415  see above

        began_at, is_logged = self._clock(), False
        while True:
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                waited_seconds = self._clock() - began_at
                if waited_seconds > _LOGGED_LOCK_SECONDS and not is_logged:
                    is_logged = True
                    _LOGGER.warning("Waiting for the rate limiter: the process that has locked its file does not run.")
                if waited_seconds > _MAX_LOCK_SECONDS:
                    _LOGGER.warning("The rate limiter goes on without that process, with another file.")
                    self._remove()
                    began_at = self._clock()
                self._sleep(min(_MAX_POLL_SECONDS, 0.001 + waited_seconds / 10))
            else:
                if os.fstat(self._file).st_nlink:
                    return
            if not os.fstat(self._file).st_nlink:
                self._close()
                self._open()

    def _remove(self) -> None:
        """Remove the file, if no other process has replaced it."""
        with suppress(FileNotFoundError):
            if os.path.samestat(self._path.lstat(), os.fstat(self._file)):
                self._path.unlink()

    def _open(self) -> None:
        with _translate_errors(self._path):
            self._file = open_private(self._path)
        self._close = weakref.finalize(self, os.close, self._file)


def rate_limit_path(api_key: str) -> Path:
    """Return the file that all processes of this user share for a key.

    FieldPulse limits the key, so nothing else decides the path: not `api_url`, TMPDIR, HOME or XDG_RUNTIME_DIR, which a
    cron job, a service and a shell set differently. `/dev/shm` also stays shared under systemd's PrivateTmp.
    """
    folder = Path("/dev/shm" if os.access("/dev/shm", os.W_OK) else "/tmp")  # noqa: S108  see open_private
    return folder / f"fieldpulse-{os.getuid()}" / f"rate-limit-{key_hash(api_key)}"


def key_hash(api_key: str) -> str:
    """Return what names a key where its limit is shared: 16 hexadecimal digits."""
    return hashlib.sha256(api_key.encode()).hexdigest()[:16]


@contextmanager
def _translate_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ConfigError(
            f"The file of the rate limiter cannot be used ({error.strerror}).",
            where=f"setting rate_limit_store · {path}",
            hint="make the file writable, or set rate_limit_store: memory if no other process uses the key",
        ) from None
