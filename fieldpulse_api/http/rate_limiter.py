"""The rate limiter: one request per slot, shared by all threads and processes that use an API key.

FieldPulse rejects the 51st request of any sliding second. Fixed windows and token buckets let through bursts that it
rejects; evenly spaced slots do not.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import astuple, dataclass
from typing import NamedTuple

from typing_extensions import override

_LOGGER = logging.getLogger(__name__)
MAX_PACE = 45
"""Requests per second of which FieldPulse rejects none: 51 start within 1.09 s or more, see `RateLimiter`."""
MAX_PAUSE_SECONDS = 60.0
_MAX_SECONDS_AHEAD = 120.0
_MAX_ROOM_SECONDS = 3600.0
_SECONDS_BEFORE_START = 1.0
_LOGGED_FROM_SECONDS = 1.0


@dataclass
class SlotState:
    """The next free slot, the end of a pause, the last reserved slot, and when this state began.

    All are in seconds of the system-wide monotonic clock.

    Invariant: a reserved slot is followed by its room, at least one interval (1/rate seconds), without another slot,
    and none lies in the past or in a pause. No sliding second therefore holds more slots than the rate, whoever
    reserves them and in whatever order; where processes have different rates, the highest. An idle limiter saves
    nothing up: the next slot is never earlier than now.
    """

    free_at: float = 0.0
    paused_until: float = 0.0
    reserved_at: float = 0.0
    began_at: float = 0.0

    def restart(self, now: float, interval: float) -> None:
        """Replace a state that is missing or damaged. The first slot waits for requests that it did not count."""
        self.began_at = self.reserved_at = now
        self.free_at, self.paused_until = now + max(_SECONDS_BEFORE_START, interval), 0.0

    def is_valid(self, now: float) -> bool:
        """Return whether a process can have written this state since the machine was started, and with it the clock."""
        return (
            all(map(math.isfinite, astuple(self)))
            and 0 <= self.began_at <= now
            and self.began_at <= self.reserved_at <= now + _MAX_SECONDS_AHEAD
            and self.reserved_at <= self.free_at <= self.reserved_at + _MAX_ROOM_SECONDS
            and 0 <= self.paused_until <= now + MAX_PAUSE_SECONDS
        )

    def next_slot(self, now: float) -> float:
        """Return the next slot."""
        return max(now, self.free_at, self.paused_until)

    def reserve(self, slot: float, room: float) -> None:
        """Reserve the next slot."""
        self.reserved_at, self.free_at = slot, slot + room


class Reservation(NamedTuple):
    """A slot in the state that began at `began_at`."""

    slot: float
    began_at: float


class RateLimiter(ABC):
    """Let requests start in slots that are 1/`requests_per_second` seconds apart.

    A slot is reserved under a lock and then slept for without it. In between, the process may be suspended, a 429 may
    begin a pause, or the state may begin again: the request would then start among slots that belong to others.
    `acquire` therefore looks again after the sleep, and reserves another slot if its own has expired, or does not count
    any more. A slot expires when its room ends. From the second time on, the next has twice the room, so that a machine
    that is always late makes progress without a burst.

    A start is thus at most an interval late as a rule, and a sliding second has at most one start more than the rate.
    At a rate of 45, 51 requests start within 1.09 seconds or more: 89 ms remain for their ways to the server to differ.

    Slots are reserved at most two minutes ahead. Whoever finds the queue longer asks again later.
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
        room, was_late = self._interval, False
        while True:
            slot, began_at = self._reserve(room)
            self._sleep(max(0.0, slot - self._clock()))
            with self._locked_state() as state:
                now = self._clock()
                is_current = state.began_at == began_at and state.paused_until <= now
            if now - slot > room:
                room = min(2 * room, _MAX_ROOM_SECONDS) if was_late else room
                was_late = True
            elif is_current:
                return

    def pause(self, seconds: float) -> None:
        """Let no request start for `seconds`, at most a minute."""
        with self._locked_state() as state:
            until = self._clock() + min(seconds, MAX_PAUSE_SECONDS)
            state.paused_until = self._known_pause_until = max(state.paused_until, until)

    def _reserve(self, room: float) -> Reservation:
        while True:
            with self._locked_state() as state:
                now = self._clock()
                slot, began_at = state.next_slot(now), state.began_at
                seconds_too_far = slot - now - _MAX_SECONDS_AHEAD
                if seconds_too_far <= 0:
                    state.reserve(slot, room)
                pause_seconds = state.paused_until - now
                is_set_by_other = pause_seconds > _LOGGED_FROM_SECONDS and state.paused_until > self._known_pause_until
                if is_set_by_other:
                    self._known_pause_until = state.paused_until
            if is_set_by_other:
                _LOGGER.info(
                    "Waiting %.1f s: FieldPulse throttles another process that uses this API key.", pause_seconds
                )
            if seconds_too_far <= 0:
                return Reservation(slot, began_at)
            self._sleep(seconds_too_far)


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
