"""Group commit for webhook deliveries: those that arrive during a commit are written by the next one."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

from .inbox import Inbox
from .payload import Delivery


class QueueFull(Exception):
    """The maximum number of deliveries is waiting to be written."""


class BatchWriter:
    """Write deliveries of an event loop in a thread, one batch after the other.

    At most `max_waiting` deliveries wait, those of the current batch included, and each for `timeout_seconds` at most:
    a store that does not answer holds the thread, but no caller. What has timed out is not written any more, unless its
    batch has begun; a delivery that comes again is then a repeated one.
    """

    def __init__(self, inbox: Inbox, *, max_waiting: int, timeout_seconds: float) -> None:
        self._inbox, self._max_waiting, self._timeout_seconds = inbox, max_waiting, timeout_seconds
        self._queue: dict[asyncio.Future[None], Delivery | None] = {}
        self._waiting_count = 0
        self._check: asyncio.Future[None] | None = None
        self._writer: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(1)  # a loop's own threads would keep it from ending

    async def append(self, delivery: Delivery) -> None:
        """Return once a delivery is durable.

        Raises: QueueFull; asyncio.TimeoutError; what `Inbox.append` raises.
        """
        if self._waiting_count >= self._max_waiting:
            raise QueueFull
        self._waiting_count += 1
        try:
            await asyncio.wait_for(self._enqueue(delivery), self._timeout_seconds)
        finally:
            self._waiting_count -= 1

    async def check_writable(self) -> None:
        """Return once the store has proved writable. Concurrent callers share one check, which never waits for room.

        Raises: asyncio.TimeoutError; what `Inbox.append` raises.
        """
        if self._check is None or self._check.done():
            self._check = self._enqueue(None)
            self._check.add_done_callback(lambda check: check.cancelled() or check.exception())  # all may be gone
        # A caller that is cancelled must not cancel it for the others.
        await asyncio.wait_for(asyncio.shield(self._check), self._timeout_seconds)

    def _enqueue(self, delivery: Delivery | None) -> asyncio.Future[None]:
        written = asyncio.get_running_loop().create_future()
        self._queue[written] = delivery
        written.add_done_callback(lambda future: self._queue.pop(future, None))
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write_all())
        return written

    async def _write_all(self) -> None:
        loop = asyncio.get_running_loop()
        while self._queue:
            batch, self._queue = self._queue, {}
            deliveries = [delivery for delivery in batch.values() if delivery]
            error: Exception | None = None
            try:
                await loop.run_in_executor(self._thread, self._inbox.append, deliveries)
            except Exception as caught:  # noqa: BLE001  raised again in every caller of this batch
                error = caught
            for written in batch:
                if written.done():  # its request timed out or was cancelled
                    continue
                if error:
                    written.set_exception(error)
                else:
                    written.set_result(None)
