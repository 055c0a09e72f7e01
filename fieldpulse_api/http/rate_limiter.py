"""The rate limiter: one request per slot, shared by all threads and processes that use an API key.

FieldPulse rejects the 51st request of any sliding second. Fixed windows and token buckets let through bursts that it
rejects; evenly spaced slots do not.
"""

from __future__ import annotations

import errno
import hashlib
import logging
import os
import stat
import struct
import threading
import time
import weakref
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from typing_extensions import override

from fieldpulse_api.errors import ConfigError

_LOGGER = logging.getLogger(__name__)
MAX_PAUSE_SECONDS = 60.0
_MAX_EXPIRED_SLOTS = 3
_MAX_QUEUED_SLOTS = 256
_LOGGED_FROM_SECONDS = 1.0


@dataclass
class SlotState:
    """The next free slot and the end of a pause, in seconds of the system-wide monotonic clock.

    Invariant: two reserved slots are at least one interval (1/rate seconds) apart, and none lies in the past or in a
    pause. No sliding second therefore holds more slots than the rate, whoever reserves them and in whatever order.
    An idle limiter saves nothing up: the next slot is never earlier than now.
    """

    free_at: float = 0.0
    paused_until: float = 0.0

    def reserve(self, now: float, interval: float) -> float:
        """Return the next slot, and move the free one behind it."""
        # The monotonic clock restarts with the machine. Values further ahead than a living process can have written are
        # from before that.
        if self.free_at > now + max(MAX_PAUSE_SECONDS * 2, interval * _MAX_QUEUED_SLOTS):
            self.free_at = now
        if self.paused_until > now + MAX_PAUSE_SECONDS:
            self.paused_until = now
        slot = max(now, self.free_at, self.paused_until)
        self.free_at = slot + interval
        return slot


class RateLimiter(ABC):
    """Let requests start in slots that are 1/`requests_per_second` seconds apart.

    A slot is reserved under a lock and then slept for without it. In between, the process may be suspended, or a 429
    may begin a pause: the request would then start among slots that belong to others. `acquire` therefore looks again
    after the sleep, and reserves another slot if its own has expired (by more than one interval) or a pause has begun.
    After three expired slots it starts anyway, so that a machine that is always late makes progress.
    A start is at most one interval late as a rule, which the default rate of 45 leaves room for below the limit of 50.
    """

    def __init__(
        self,
        requests_per_second: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._interval = 1 / requests_per_second
        self._clock, self._sleep = clock, sleep
        self._known_pause_until = 0.0  # set by this process, or logged by it

    @abstractmethod
    def _locked_state(self) -> AbstractContextManager[SlotState]:
        """Yield the state under a lock, and store what the caller changes in it."""

    def acquire(self) -> None:
        """Wait until a request may start."""
        slot, expired_slots = self._reserve(), 0
        while True:
            self._sleep(max(0.0, slot - self._clock()))
            with self._locked_state() as state:
                now = self._clock()
                is_paused = state.paused_until > now
            if not is_paused:
                if now - slot <= self._interval or expired_slots == _MAX_EXPIRED_SLOTS:
                    return
                expired_slots += 1
            slot = self._reserve()

    def pause(self, seconds: float) -> None:
        """Let no request start for `seconds`, at most a minute."""
        with self._locked_state() as state:
            until = self._clock() + min(seconds, MAX_PAUSE_SECONDS)
            state.paused_until = self._known_pause_until = max(state.paused_until, until)

    def _reserve(self) -> float:
        with self._locked_state() as state:
            now = self._clock()
            slot = state.reserve(now, self._interval)
            seconds = state.paused_until - now
            is_set_by_other = seconds > _LOGGED_FROM_SECONDS and state.paused_until > self._known_pause_until
            if is_set_by_other:
                self._known_pause_until = state.paused_until
        if is_set_by_other:
            _LOGGER.info("Waiting %.1f s: FieldPulse throttles another process that uses this API key.", seconds)
        return slot


class ProcessRateLimiter(RateLimiter):
    """A rate limiter for the threads of this process."""

    def __init__(self, requests_per_second: float, **clocks: Callable[..., float | None]) -> None:
        super().__init__(requests_per_second, **clocks)  # type: ignore[arg-type]
        self._lock, self._state = threading.Lock(), SlotState()

    @contextmanager
    @override
    def _locked_state(self) -> Iterator[SlotState]:
        with self._lock:
            yield self._state


class SharedFileRateLimiter(RateLimiter):
    """A rate limiter for all processes of this machine that open the same file.

    The file holds the two numbers of `SlotState`. A `flock` covers each read and write of them, and ends with the
    process that holds it. The invariant of `SlotState` needs one clock for all: the monotonic clock of the machine.

    Raises: ConfigError if the file cannot be opened.
    """

    _FORMAT = struct.Struct("<dd")

    def __init__(self, requests_per_second: float, path: Path, **clocks: Callable[..., float | None]) -> None:
        super().__init__(requests_per_second, **clocks)  # type: ignore[arg-type]
        self._lock = threading.Lock()  # flock does not tell the threads of a process apart
        self._file = _open(path)
        weakref.finalize(self, os.close, self._file)
        _LOGGER.debug("The rate limiter allows %g requests per second, shared through %s", requests_per_second, path)

    @contextmanager
    @override
    def _locked_state(self) -> Iterator[SlotState]:
        import fcntl  # noqa: PLC0415  POSIX only; `rate_limit_store: memory` works without it

        with self._lock:
            fcntl.flock(self._file, fcntl.LOCK_EX)
            try:
                content = os.pread(self._file, self._FORMAT.size, 0)
                before = self._FORMAT.unpack(content) if len(content) == self._FORMAT.size else (0.0, 0.0)
                state = SlotState(*before)
                yield state
                if (state.free_at, state.paused_until) != before:
                    os.pwrite(self._file, self._FORMAT.pack(state.free_at, state.paused_until), 0)
            finally:
                fcntl.flock(self._file, fcntl.LOCK_UN)


def rate_limit_path(api_key: str) -> Path:
    """Return the file that all processes of this user share for a key.

    FieldPulse limits the key, so nothing else decides the path: not `api_url`, TMPDIR, HOME or XDG_RUNTIME_DIR, which a
    cron job, a service and a shell set differently. `/dev/shm` also stays shared under systemd's PrivateTmp.
    """
    folder = Path("/dev/shm" if os.access("/dev/shm", os.W_OK) else "/tmp")  # noqa: S108  see _open
    name = hashlib.sha256(api_key.encode()).hexdigest()[:16]
    return folder / f"fieldpulse-{os.getuid()}" / f"rate-limit-{name}"


def _open(path: Path) -> int:
    """Open a plain file in a private folder.

    Others can write beside that folder, and know its name. So nothing that they can prepare there is followed: no link,
    no folder of theirs, no folder that they can write to.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            _check(os.fstat(folder), "folder")
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
            file = os.open(path.name, flags, 0o600, dir_fd=folder)
        finally:
            os.close(folder)
        try:
            _check(os.fstat(file), "file")
        except OSError:
            os.close(file)
            raise
        else:
            return file
    except OSError as error:
        raise ConfigError(
            f"The file of the rate limiter cannot be opened ({error.strerror}).",
            where=f"setting rate_limit_store · {path}",
            hint="make the file writable, or set rate_limit_store: memory if no other process uses the key",
        ) from None


def _check(status: os.stat_result, kind: str) -> None:
    """Raise PermissionError for a folder or a file that is not this user's alone."""
    if status.st_uid != os.getuid() or status.st_mode & 0o077:
        raise PermissionError(errno.EPERM, f"other users own or can use the {kind}")
    if kind == "file" and (not stat.S_ISREG(status.st_mode) or status.st_nlink != 1):
        raise PermissionError(errno.EPERM, "it is not a plain file, or has a second name")
