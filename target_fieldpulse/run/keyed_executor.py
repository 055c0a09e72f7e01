"""A pool of threads that runs work concurrently, but in order where it touches the same keys."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor, wait

OrderingKey = tuple[Hashable, ...]


class KeyedExecutor:
    """A bounded pool of threads. Work that writes a key runs in the order of submission.

    A thread that waits for earlier work stays occupied. This cannot deadlock: the pool starts work in the order of
    submission, so that what a thread waits for was started before it.
    """

    def __init__(self, workers: int, stopped: threading.Event) -> None:
        """Create the pool. Work that has not started when `stopped` is set is never started."""
        self._stopped = stopped
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="fieldpulse-write")
        self._capacity = threading.BoundedSemaphore(2 * workers)
        self._lock = threading.Lock()
        self._last_by_key: dict[OrderingKey, Future[None]] = {}
        self._running: set[Future[None]] = set()

    def submit(
        self, work: Callable[[], None], *, writes: Iterable[OrderingKey], after: Iterable[OrderingKey] = ()
    ) -> None:
        """Run `work` once all earlier work that writes a key of `writes` or `after` has ended.

        Blocks while twice as much work as there are threads is submitted and not done.
        """
        self._capacity.acquire()
        writes = tuple(writes)
        with self._lock:
            earlier = {self._last_by_key[key] for key in (*writes, *after) if key in self._last_by_key}
            future = self._pool.submit(self._run, work, earlier)
            self._running.add(future)
            self._last_by_key.update(dict.fromkeys(writes, future))
        future.add_done_callback(lambda done: self._remove(done, writes))

    def wait(self, seconds: float | None = None) -> None:
        """Wait until all work has ended, for at most `seconds`."""
        with self._lock:
            running = set(self._running)
        wait(running, timeout=seconds)

    def finish(self, seconds: float | None = None) -> None:
        """Wait until all work has ended, for at most `seconds`, and close the pool."""
        self.wait(seconds)
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _run(self, work: Callable[[], None], earlier: set[Future[None]]) -> None:
        wait(earlier)
        if not self._stopped.is_set():
            work()

    def _remove(self, done: Future[None], writes: tuple[OrderingKey, ...]) -> None:
        with self._lock:
            self._running.discard(done)
            for key in writes:
                if self._last_by_key.get(key) is done:
                    del self._last_by_key[key]
        self._capacity.release()
