"""Work that is begun ahead and handed on in order."""

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
    at_most: int,
    room: Callable[[int], int] | None = None,
) -> Iterator[R]:
    """Yield `work(a)` for each argument, in order, with several under way.

    Units:  `room(n)` says how many may be under way once n results were handed on, `at_most` bounds
            it, and so the memory. What is under way when the reader stops is cancelled or forgotten.
    Raises: whatever `work` raised, at its place in the order.
    """
    waiting: deque[Future[R]] = deque()
    rest = iter(arguments)
    handed_on = 0
    pool = ThreadPoolExecutor(max_workers=at_most, thread_name_prefix="fieldpulse_reader")
    try:
        while True:
            allowed = min(at_most, room(handed_on)) if room else at_most
            waiting.extend(pool.submit(work, one) for one in islice(rest, max(0, allowed - len(waiting))))
            if not waiting:
                return
            yield waiting.popleft().result()
            handed_on += 1
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
