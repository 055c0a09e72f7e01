"""How many requests may start, shared by everything that holds the key.

A request reserves the next slot (one every 1/rate seconds) under a lock and sleeps until it. Windows
and buckets let bursts through that a server with a hard sliding second refuses; slots do not.
"""

from __future__ import annotations

import hashlib
import os
import struct
import tempfile
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from typing_extensions import override

from fieldpulse_api.errors import ConfigError

MAX_PAUSE_SECONDS = 60.0
_MOST_TIMES_LATE = 3


@dataclass
class SlotState:
    """The next free slot and the end of a pause, in seconds of the system-wide monotonic clock."""

    free_at: float = 0.0
    paused_until: float = 0.0

    def reserve(self, now: float, interval: float) -> float:
        """Take the next slot. Values that no living process can have written are dropped (a reboot)."""
        if self.free_at > now + max(MAX_PAUSE_SECONDS * 2, interval * 256):
            self.free_at = now
        if self.paused_until > now + MAX_PAUSE_SECONDS:
            self.paused_until = now
        slot = max(now, self.free_at, self.paused_until)
        self.free_at = slot + interval
        return slot


class RateLimiter(ABC):
    """Hand out slots, one every 1/`requests_per_second` seconds."""

    def __init__(
        self,
        requests_per_second: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._interval = 1 / requests_per_second
        self._clock, self._sleep = clock, sleep

    @abstractmethod
    def _slots(self) -> AbstractContextManager[SlotState]:
        """Lock the slots, hand them out for reading and changing, keep what was changed."""

    def acquire(self) -> None:
        """Wait for a slot. A slot that passed while this process was stopped, or that a pause overtook, is left.

        On a machine that is always late, that is given up after a few times: it would never begin.
        """
        slot, times_late = self._reserve(), 0
        while True:
            self._sleep(max(0.0, slot - self._clock()))
            with self._slots() as slots:
                now = self._clock()
                if slots.paused_until <= now:
                    if now - slot <= self._interval or times_late == _MOST_TIMES_LATE:
                        return
                    times_late += 1
                slot = slots.reserve(now, self._interval)

    def pause(self, seconds: float) -> None:
        """Let nobody start a request for `seconds`, at most a minute."""
        with self._slots() as slots:
            until = self._clock() + min(seconds, MAX_PAUSE_SECONDS)
            slots.paused_until = max(slots.paused_until, until)

    def _reserve(self) -> float:
        with self._slots() as slots:
            return slots.reserve(self._clock(), self._interval)


class ProcessRateLimiter(RateLimiter):
    """A budget of this process alone."""

    def __init__(self, requests_per_second: float, **clocks: Callable[..., float | None]) -> None:
        super().__init__(requests_per_second, **clocks)  # type: ignore[arg-type]
        self._lock, self._state = threading.Lock(), SlotState()

    @contextmanager
    @override
    def _slots(self) -> Iterator[SlotState]:
        with self._lock:
            yield self._state


class SharedFileRateLimiter(RateLimiter):
    """A budget of every process of this machine that opens the same file."""

    _FORM = struct.Struct("<dd")

    def __init__(self, requests_per_second: float, path: Path, **clocks: Callable[..., float | None]) -> None:
        super().__init__(requests_per_second, **clocks)  # type: ignore[arg-type]
        self._lock = threading.Lock()
        self._file = _open(path)

    @contextmanager
    @override
    def _slots(self) -> Iterator[SlotState]:
        import fcntl  # noqa: PLC0415  POSIX only; `rate_limit_store: memory` works without it

        with self._lock:
            fcntl.flock(self._file, fcntl.LOCK_EX)
            try:
                text = os.pread(self._file, self._FORM.size, 0)
                before = self._FORM.unpack(text) if len(text) == self._FORM.size else (0.0, 0.0)
                slots = SlotState(*before)
                yield slots
                if (slots.free_at, slots.paused_until) != before:
                    os.pwrite(self._file, self._FORM.pack(slots.free_at, slots.paused_until), 0)
            finally:
                fcntl.flock(self._file, fcntl.LOCK_UN)

    def __del__(self) -> None:
        if hasattr(self, "_file"):
            os.close(self._file)


def _open(path: Path) -> int:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise ConfigError(
            f"The file of the rate limiter cannot be opened ({error.strerror}).",
            where=f"setting rate_limit_store · {path}",
            hint="set TMPDIR to a writable folder, or rate_limit_store: memory if no other process uses the key",
        ) from None


def rate_limit_path(api_url: str, api_key: str) -> Path:
    """Return the file that everybody on this machine shares who has this key for this address."""
    name = hashlib.sha256(f"{api_url}\n{api_key}".encode()).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"fieldpulse-{os.getuid()}" / f"budget-{name}"
