"""The rate limiter for all machines that use the same store."""

from __future__ import annotations

import logging
import threading
import weakref
from typing import Any

from typing_extensions import override

from fieldpulse_api.errors import ConnectionFailed
from fieldpulse_api.http.limits.monthly_quota import MonthUse
from fieldpulse_api.http.limits.rate_limiter import Operation, ProcessRateLimiter, RateLimiter, View

from .store import SlotStore, StoreLost

_LOGGER = logging.getLogger(__name__)
_RECONNECT_SECONDS = 15.0
_PAUSE_SECONDS = 0.5
_UNAVAILABLE_SECONDS = 30.0
_TRY_AGAIN_SECONDS = 5.0


class SharedStoreRateLimiter(RateLimiter):
    """A rate limiter for all machines that use the same store. The clock is the store's.

    A connection that breaks is made again, for 15 seconds, as a store may restart. What was sent before may have been
    carried out: then a slot remains unused.

    After that, the run ends. With `without_store`, the process goes on at that rate instead, and soon: it needs no
    store. It tries the store again every few seconds, in one thread, and returns to it. What it sends meanwhile it
    counts itself, from the last count that it saw, and adds it to the store's.

    Raises: ConnectionFailed if the store is lost and `without_store` is None; QuotaExceeded; ConfigError.
    """

    _tolerated_seconds = 0.05  # an answer may take longer than an interval; 51 requests take 1.06 s or more at 45/s

    def __init__(
        self,
        requests_per_second: float,
        store: SlotStore,
        *,
        address: str,
        without_store: float | None = None,
        **options: Any,
    ) -> None:
        super().__init__(requests_per_second, **options)
        self.scope, self.month.place = f"all machines that use {address}", address
        self._store, self._address, self._without_store = store, address, without_store
        self._lock = threading.Lock()
        self._share: ProcessRateLimiter | None = None  # while the store is lost
        self._try_at = 0.0
        self._unavailable_until, self._reason = 0.0, ""
        self._logs_from = 0.0
        self._uncounted = 0  # requests that were sent without the store
        weakref.finalize(self, store.close)

    @override
    def acquire(self) -> None:
        share = self._share
        if share and not self._is_time_to_try():
            self._count_without_store()
            share.acquire()
            return
        try:
            super().acquire()
        except StoreLost as lost:
            share = self._lose(lost)
            self._count_without_store()
            share.acquire()
        else:
            if share:
                self._find_again()

    @override
    def pause(self, seconds: float) -> None:
        share = self._share
        try:
            if share is None:
                super().pause(seconds)
        except StoreLost as lost:
            share = self._lose(lost)
        if share:
            share.pause(seconds)

    @override
    def look_up_month(self) -> MonthUse | None:
        try:
            return super().look_up_month()
        except StoreLost as lost:
            self._lose(lost)
            return None

    @override
    def _apply(self, operation: Operation) -> View:
        began_at, attempts = self._clock(), 0
        if began_at < self._unavailable_until:
            raise StoreLost(self._reason)
        limit_seconds = _RECONNECT_SECONDS if self._without_store is None else 0.0
        while True:
            try:
                return self._store.apply(operation, self._interval)
            except StoreLost as lost:
                attempts += 1
                if attempts > 1 and self._clock() - began_at >= limit_seconds:
                    raise
                self._log_wait(lost)
            self._sleep(_PAUSE_SECONDS)

    def _log_wait(self, lost: StoreLost) -> None:
        """Log that the threads wait: once for all of them."""
        with self._lock:
            now = self._clock()
            if now >= self._logs_from and not self._share:
                self._logs_from = now + _RECONNECT_SECONDS + _UNAVAILABLE_SECONDS
                _LOGGER.warning("Waiting for the rate limit store (%s): connecting again.", lost)

    def _is_time_to_try(self) -> bool:
        """Return whether this thread is to try the lost store; the others do not meanwhile."""
        with self._lock:
            now = self._clock()
            is_time = now >= self._try_at
            if is_time:
                self._try_at = now + _RECONNECT_SECONDS
            return is_time

    def _lose(self, lost: StoreLost) -> ProcessRateLimiter:
        """Return the rate limiter of this process alone. Raises: ConnectionFailed if no setting allows it."""
        with self._lock:
            now = self._clock()
            if self._without_store is None:
                self._unavailable_until, self._reason = now + _UNAVAILABLE_SECONDS, str(lost)
                raise ConnectionFailed(
                    f"The rate limit store is lost ({lost}).",
                    where=f"setting rate_limit_store · {self._address}",
                    hint="start it, or check the network, then run again; to go on without it, set "
                    "requests_per_second_without_store",
                ) from None
            self._try_at = now + _TRY_AGAIN_SECONDS
            if self._share is None:
                self._share = ProcessRateLimiter(self._without_store, clock=self._clock, sleep=self._sleep)
                self._share.restart()
                _LOGGER.warning(
                    "The rate limit store is lost (%s): going on without it, at %g requests per second.",
                    lost,
                    self._without_store,
                )
            return self._share

    def _count_without_store(self) -> None:
        """Count a request in this process. Raises: QuotaExceeded."""
        with self._lock:
            self.month.check(self._uncounted)
            self._uncounted += 1

    def _find_again(self) -> None:
        """Return to the store, and count there what was sent without it."""
        with self._lock:
            if not self._share:
                return
            self._share = None
            uncounted, self._uncounted = self._uncounted, 0
            _LOGGER.warning("The rate limit store answers again: going on with the shared rate limit.")
        try:
            self._apply(Operation(counted=uncounted))
        except StoreLost:
            with self._lock:
                self._uncounted += uncounted
