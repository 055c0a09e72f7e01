"""Processes that send until a quota ends. They import little, so that they start soon."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from functools import partial
from typing import Any

from fieldpulse_api.errors import QuotaExceeded
from fieldpulse_api.http.limits.rate_limiter import RateLimiter


def spend_in_three_processes(open_limiter: Callable[[], RateLimiter]) -> list[int]:
    """Return how many requests each of three processes could send. They begin together."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(3, _set_barrier, [context.Barrier(3)]) as pool:
        return pool.map(partial(_spend, open_limiter), range(3), chunksize=1)


class _Start:
    """Where the processes wait for each other. A barrier can be passed only when a process starts."""

    barrier: Any = None


def _set_barrier(barrier: Any) -> None:
    _Start.barrier = barrier


def _spend(open_limiter: Callable[[], RateLimiter], _: int) -> int:
    limiter, sent = open_limiter(), 0
    _Start.barrier.wait(60)
    try:
        while True:
            limiter.acquire()
            sent += 1
    except QuotaExceeded:
        return sent
