"""Calls that run ahead of their consumer and come back in order, so that a reader does not wait for each response."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

A = TypeVar("A")
R = TypeVar("R")


def map_in_order(
    work: Callable[[A], R],
    arguments: Iterable[A],
    *,
    max_in_flight: int,
    in_flight_after: Callable[[int], int] | None = None,
) -> Iterator[R]:
    """Yield `work(argument)` for each argument, in order, with several calls in flight.

    `in_flight_after(n)` limits the calls in flight once n results were yielded. `max_in_flight` limits them always, and
    so the results in memory. If the consumer stops, calls that wait are cancelled and running ones are abandoned.

    Raises: whatever `work` raises, at its place in the order.
    """
    in_flight: deque[Future[R]] = deque()
    remaining = iter(arguments)
    yielded = 0
    pool = ThreadPoolExecutor(max_workers=max_in_flight, thread_name_prefix="fieldpulse_reader")
    try:
        while True:
            allowed = min(max_in_flight, in_flight_after(yielded)) if in_flight_after else max_in_flight
            more = islice(remaining, max(0, allowed - len(in_flight)))
            in_flight.extend(pool.submit(work, argument) for argument in more)
            if not in_flight:
                return
            yield in_flight.popleft().result()
            yielded += 1
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
