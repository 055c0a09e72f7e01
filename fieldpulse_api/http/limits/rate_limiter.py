"""The rate limiter: one request per slot, shared by all threads, processes or machines that use an API key.

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
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from typing_extensions import override

from .monthly_quota import UNLIMITED, MonthCount, MonthlyQuota, MonthUse, QuotaWatch

_LOGGER = logging.getLogger(__name__)
MAX_PACE = 45
"""Requests per second of which FieldPulse rejects none: 51 start within 1.09 s or more, see `RateLimiter`."""
MAX_PAUSE_SECONDS = 60.0
MAX_SECONDS_AHEAD = 120.0
MAX_ROOM_SECONDS = 3600.0
SECONDS_BEFORE_START = 1.0
_LOGGED_FROM_SECONDS = 1.0


class Operation(NamedTuple):
    """What is done to the state at once: reserve the next slot with its room, begin a pause, or (both 0) look at it.

    `counted` requests are added to the month's, if the slot is reserved or none is asked for; None does not look at
    the month. No slot is reserved for a request above the `limit` of the month.

    Units: seconds.
    """

    room: float = 0.0
    pause: float = 0.0
    counted: int | None = None
    limit: int = UNLIMITED


class View(NamedTuple):
    """The state after an operation, and the time of the clock by which it was carried out.

    `slot` is the reserved slot, or the one that would be reserved if it were not too far ahead. `requests` are those of
    the slot's month with those of the operation: above its limit, they were not counted, and no slot was reserved. Both
    that and when counting began are 0 if the operation has not looked at the month.
    """

    now: float
    slot: float
    began_at: float
    paused_until: float
    counted_since: float
    requests: int


@dataclass
class SlotState:
    """The next free slot, the end of a pause, the last reserved slot, when this state began, and the month's count.

    All times are in seconds of one clock for all who share the state: that of the machine, or of the store. The count
    has the clock of the epoch, and goes on where the rest begins again.

    Invariant: a reserved slot is followed by its room, at least one interval (1/rate seconds), without another slot,
    and none lies in the past or in a pause. No sliding second therefore holds more slots than the rate, whoever
    reserves them and in whatever order; where processes have different rates, the highest. An idle limiter saves
    nothing up: the next slot is never earlier than now.
    """

    free_at: float = 0.0
    paused_until: float = 0.0
    reserved_at: float = 0.0
    began_at: float = 0.0
    month: MonthCount = field(default_factory=MonthCount)

    @property
    def numbers(self) -> tuple[float, float, float, float]:
        """Return the times in their order. `astuple` copies each, which a request would pay twice."""
        return self.free_at, self.paused_until, self.reserved_at, self.began_at

    def restart(self, now: float, interval: float) -> None:
        """Replace a state that is missing or damaged. The first slot waits for requests that it did not count."""
        self.began_at = self.reserved_at = now
        self.free_at, self.paused_until = now + max(SECONDS_BEFORE_START, interval), 0.0

    def is_valid(self, now: float) -> bool:
        """Return whether a process can have written this state since the machine was started, and with it the clock."""
        return (
            all(map(math.isfinite, self.numbers))
            and 0 <= self.began_at <= now
            and self.began_at <= self.reserved_at <= now + MAX_SECONDS_AHEAD
            and self.reserved_at <= self.free_at <= self.reserved_at + MAX_ROOM_SECONDS
            and 0 <= self.paused_until <= now + MAX_PAUSE_SECONDS
        )

    def apply(self, operation: Operation, now: float, seconds_to_epoch: float = 0.0) -> View:
        """Carry an operation out. No slot more than two minutes ahead is reserved; a pause takes at most a minute.

        `seconds_to_epoch` are added to a time of the clock to get that of the epoch.
        """
        slot = max(now, self.free_at, self.paused_until)
        since, requests, is_reserved = 0.0, 0, operation.room > 0 and not is_too_far(slot, now)
        if operation.counted is not None:
            month = self.month
            month.turn_to(slot + seconds_to_epoch)
            since, requests = month.since, month.requests + operation.counted
            is_reserved &= requests <= operation.limit
            if is_reserved or not operation.room:
                month.requests = requests
        if is_reserved:
            self.reserve(slot, operation.room)
        if operation.pause:
            self.paused_until = max(self.paused_until, now + min(operation.pause, MAX_PAUSE_SECONDS))
        return View(now, slot, self.began_at, self.paused_until, since, requests)

    def reserve(self, slot: float, room: float) -> None:
        """Reserve the next slot."""
        self.reserved_at, self.free_at = slot, slot + room


def is_too_far(slot: float, now: float) -> bool:
    """Return whether a slot is too far ahead to be reserved now."""
    return slot - now > MAX_SECONDS_AHEAD


class Reservation(NamedTuple):
    """A slot in the state that began at `began_at`, and how long to wait for it."""

    slot: float
    began_at: float
    seconds: float


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

    The state may have another clock than the process. The wait for a slot is then measured from the store's answer: the
    start is late by the way of that answer, never early.

    A request is counted with the first slot that it gets, and again if the state has begun again since. One that is not
    sent in the end was counted too many; none is sent that was not counted.

    Raises: QuotaExceeded for a request that the `quota` does not allow any more.
    """

    scope = "each process"
    """Who shares the limit."""
    _tolerated_seconds = 0.0
    """A slot that is late by this has not expired, even if its room has ended."""

    def __init__(
        self,
        requests_per_second: float,
        *,
        quota: MonthlyQuota | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        epoch_clock: Callable[[], float] = time.time,
    ) -> None:
        self._interval = 1 / requests_per_second
        self.month = QuotaWatch(quota, epoch_clock)
        self._clock, self._sleep, self._epoch_clock = clock, sleep, epoch_clock
        self._known_pause_until = 0.0  # set by this process, or logged by it

    @abstractmethod
    def _apply(self, operation: Operation) -> View:
        """Carry an operation out on the state, at once and alone."""

    def acquire(self) -> None:
        """Wait until a request may start."""
        room, was_late = self._interval, False
        counted: int | None = 1
        while True:
            slot, began_at, seconds = self._reserve(room, counted)
            due_at = self._clock() + seconds
            self._sleep(seconds)
            view = self._apply(Operation())
            counted = 1 if view.began_at != began_at else None  # the count may have been lost with the state
            late_seconds = max(view.now - slot, self._clock() - due_at)
            if late_seconds > max(room, self._tolerated_seconds):
                room = min(2 * room, MAX_ROOM_SECONDS) if was_late else room
                was_late = True
            elif view.began_at == began_at and view.paused_until <= view.now:
                return

    def pause(self, seconds: float) -> None:
        """Let no request start for `seconds`, at most a minute."""
        self._known_pause_until = self._apply(Operation(pause=seconds)).paused_until

    def look_up_month(self) -> MonthUse | None:
        """Return the requests of this month, None where they are not counted."""
        view = self._apply(Operation(counted=0))
        self.month.observe(view.counted_since, view.requests)
        return self.month.use()

    def _reserve(self, room: float, counted: int | None = 1) -> Reservation:
        operation = Operation(room=room, counted=counted, limit=self.month.limit)
        while True:
            view = self._apply(operation)
            if counted:
                self.month.observe(view.counted_since, view.requests, counted=counted)
            pause_seconds = view.paused_until - view.now
            if pause_seconds > _LOGGED_FROM_SECONDS and view.paused_until > self._known_pause_until:
                self._known_pause_until = view.paused_until
                _LOGGER.info(
                    "Waiting %.1f s: FieldPulse throttles another process that uses this API key.", pause_seconds
                )
            seconds = view.slot - view.now
            if not is_too_far(view.slot, view.now):
                return Reservation(view.slot, view.began_at, seconds)
            self._sleep(seconds - MAX_SECONDS_AHEAD)


class LocalRateLimiter(RateLimiter):
    """A rate limiter whose state has the clock of this process."""

    @abstractmethod
    def _locked_state(self, *, with_month: bool = False) -> AbstractContextManager[SlotState]:
        """Yield the state under a lock, and store what the caller changes in it; the month's count if it is needed."""

    @override
    def _apply(self, operation: Operation) -> View:
        with self._locked_state(with_month=operation.counted is not None) as state:
            now = self._clock()
            return state.apply(operation, now, self._epoch_clock() - now)


class ProcessRateLimiter(LocalRateLimiter):
    """A rate limiter for the threads of this process."""

    def __init__(self, requests_per_second: float, **options: Any) -> None:
        super().__init__(requests_per_second, **options)
        self._lock, self._state = threading.Lock(), SlotState()

    def restart(self) -> None:
        """Begin after requests that this limiter did not count."""
        with self._lock:
            self._state.restart(self._clock(), self._interval)

    @contextmanager
    @override
    def _locked_state(self, *, with_month: bool = False) -> Iterator[SlotState]:
        with self._lock:
            yield self._state
