"""What the requests of a client were: how many, how fast, how they were spread over time."""

from __future__ import annotations

import math
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

_LATENCY_STEP = 1.05
"""Latencies are counted in classes, each 5 % longer than the one before: a percentile is exact to that."""
_MAX_INTERVALS = 240


@dataclass(frozen=True)
class TrafficFacts:
    """What a client's requests were so far.

    `retries` are requests that were sent again after a failure, `throttled` those that were answered with 429.
    `over_time` counts requests, and those of them that were throttled, in intervals from the first request on.

    Units: `bytes` of decompressed bodies received; latencies in seconds, None without a response.
    """

    requests: int = 0
    retries: int = 0
    throttled: int = 0
    failed: int = 0
    bytes: int = 0
    latency_p50: float | None = None
    latency_p95: float | None = None
    latency_p99: float | None = None
    latency_max: float | None = None
    interval_seconds: int = 1
    over_time: list[tuple[int, int]] = field(default_factory=list)


class Traffic:
    """Count the requests of a client. May be used by many threads.

    The memory that this takes is bounded: an interval becomes twice as long when there are more than 240.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._lock, self._clock = threading.Lock(), clock
        self._began_at: float | None = None
        self._counts: Counter[str] = Counter()
        self._latencies: Counter[int] = Counter()
        self._longest = 0.0
        self._interval_seconds, self._over_time = 1, list[list[int]]()

    def add(self, *, status: int | None, seconds: float, received_bytes: int, is_repeated: bool) -> None:
        """Count a request that has ended; `status` is None without a complete response."""
        is_throttled = status == 429  # noqa: PLR2004  Too Many Requests
        with self._lock:
            now = self._clock()
            if self._began_at is None:
                self._began_at = now - seconds
            self._counts["requests"] += 1
            self._counts["retries"] += is_repeated
            self._counts["throttled"] += is_throttled
            self._counts["failed"] += status is None or status >= 500  # noqa: PLR2004  the server's errors
            self._counts["bytes"] += received_bytes
            if status is not None:
                self._latencies[math.ceil(math.log(max(seconds, 1e-6), _LATENCY_STEP))] += 1
                self._longest = max(self._longest, seconds)
            interval = self._interval_at(now - seconds - self._began_at)
            interval[0] += 1
            interval[1] += is_throttled

    def facts(self) -> TrafficFacts:
        """Return what the requests were so far."""
        with self._lock:
            return TrafficFacts(
                **self._counts,
                latency_p50=self._percentile(0.50),
                latency_p95=self._percentile(0.95),
                latency_p99=self._percentile(0.99),
                latency_max=self._longest or None,
                interval_seconds=self._interval_seconds,
                over_time=[(requests, throttled) for requests, throttled in self._over_time],
            )

    def _interval_at(self, seconds: float) -> list[int]:
        """Return the counts of the interval of a request that began `seconds` after the first."""
        number = max(0, int(seconds / self._interval_seconds))
        while number >= _MAX_INTERVALS:
            pairs = zip(self._over_time[::2], [*self._over_time[1::2], [0, 0]], strict=False)
            self._over_time = [[sum(column) for column in zip(*pair, strict=True)] for pair in pairs]
            self._interval_seconds *= 2
            number = int(seconds / self._interval_seconds)
        self._over_time += [[0, 0] for _ in range(number + 1 - len(self._over_time))]
        return self._over_time[number]

    def _percentile(self, share: float) -> float | None:
        """Return the latency that this share of the responses does not exceed."""
        left = math.ceil(self._latencies.total() * share)
        for latency_class, count in sorted(self._latencies.items()):
            left -= count
            if left <= 0:
                return min(_LATENCY_STEP**latency_class, self._longest)
        return None
