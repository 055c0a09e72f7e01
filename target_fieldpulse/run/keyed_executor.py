"""A pool of threads that runs work concurrently, but in order where it touches the same keys."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress

OrderingKey = tuple[Hashable, ...]
_MAX_WAITING = 500


class KeyedExecutor:
    """A bounded pool of threads. Work that writes a key runs in the order of submission.

    Work that waits for earlier work occupies no thread, so that a key whose write takes minutes holds up no other key.
    This cannot deadlock, because work waits only for what was submitted before it.
    """

    def __init__(self, workers: int, stopped: threading.Event) -> None:
        """Create the pool. Work that has not started when `stopped` is set is never started."""
        self._stopped = stopped
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="fieldpulse-write")
        self._capacity = threading.BoundedSemaphore(2 * workers)
        self._waiting_capacity = threading.BoundedSemaphore(_MAX_WAITING)
        self._lock = threading.Lock()
        self._last_by_key: dict[OrderingKey, Future[None]] = {}
        self._running: set[Future[None]] = set()

    def submit(
        self, work: Callable[[], None], *, writes: Iterable[OrderingKey], after: Iterable[OrderingKey] = ()
    ) -> None:
        """Run `work` once all earlier work that writes a key of `writes` or `after` has ended. One thread submits.

        Blocks while twice as much work as there are threads is submitted and not done, or too much waits for other.
        """
        writes, done = tuple(writes), Future[None]()
        with self._lock:
            earlier = {self._last_by_key[key] for key in (*writes, *after) if key in self._last_by_key}
        capacity = self._waiting_capacity if earlier else self._capacity
        capacity.acquire()
        with self._lock:
            self._running.add(done)
            self._last_by_key.update(dict.fromkeys(writes, done))
        done.add_done_callback(lambda _: self._remove(done, writes, capacity))
        self._start_after(earlier, lambda: self._run(work, done))

    def is_in_flight(self, key: OrderingKey) -> bool:
        """Return whether work that writes a key has not ended."""
        with self._lock:
            return key in self._last_by_key

    def wait(self, seconds: float | None = None) -> None:
        """Wait until all work has ended, for at most `seconds`."""
        with self._lock:
            running = set(self._running)
        wait(running, timeout=seconds)

    def finish(self, seconds: float | None = None) -> None:
        """Wait until all work has ended, for at most `seconds`, and close the pool."""
        self.wait(seconds)
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _start_after(self, earlier: set[Future[None]], run: Callable[[], None]) -> None:
        """Hand work to the pool once the last of `earlier` has ended."""
        if not earlier:
            self._pool.submit(run)
            return
        unfinished = set(earlier)

        def start_if_last(ended: Future[None]) -> None:
            with self._lock:
                unfinished.discard(ended)
                is_last = not unfinished
            if is_last:
                with suppress(RuntimeError):  # the pool is closed
                    self._pool.submit(run)

        for future in earlier:
            future.add_done_callback(start_if_last)

    def _run(self, work: Callable[[], None], done: Future[None]) -> None:
        try:
            if not self._stopped.is_set():
                work()
        finally:
            done.set_result(None)

    def _remove(
        self, done: Future[None], writes: tuple[OrderingKey, ...], capacity: threading.BoundedSemaphore
    ) -> None:
        with self._lock:
            self._running.discard(done)
            for key in writes:
                if self._last_by_key.get(key) is done:
                    del self._last_by_key[key]
        capacity.release()
