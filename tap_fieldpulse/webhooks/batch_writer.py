"""Group commit for webhook deliveries: those that arrive during a commit are written by the next one."""

from __future__ import annotations

import asyncio

from .inbox import Inbox
from .payload import Delivery


class QueueFull(Exception):
    """The maximum number of deliveries is waiting to be written."""


class BatchWriter:
    """Write deliveries of an event loop in a thread, one batch after the other.

    At most `max_waiting` deliveries wait, those of the current batch included.
    """

    def __init__(self, inbox: Inbox, *, max_waiting: int) -> None:
        self._inbox, self._max_waiting = inbox, max_waiting
        self._queue: list[tuple[Delivery | None, asyncio.Future[None]]] = []
        self._waiting_count = 0
        self._check: asyncio.Future[None] | None = None
        self._writer: asyncio.Task[None] | None = None

    async def append(self, delivery: Delivery) -> None:
        """Return once a delivery is durable.

        Raises: QueueFull; what `Inbox.append` raises.
        """
        if self._waiting_count >= self._max_waiting:
            raise QueueFull
        self._waiting_count += 1
        try:
            await self._enqueue(delivery)
        finally:
            self._waiting_count -= 1

    async def check_writable(self) -> None:
        """Return once the store has proved writable. Concurrent callers share one check, which never waits for room.

        Raises: what `Inbox.append` raises.
        """
        if self._check is None or self._check.done():
            self._check = self._enqueue(None)
        await asyncio.shield(self._check)  # a caller that is cancelled must not cancel it for the others

    def _enqueue(self, delivery: Delivery | None) -> asyncio.Future[None]:
        written = asyncio.get_running_loop().create_future()
        self._queue.append((delivery, written))
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write_all())
        return written

    async def _write_all(self) -> None:
        while self._queue:
            batch, self._queue = self._queue, []
            error: Exception | None = None
            try:
                await asyncio.to_thread(self._inbox.append, [delivery for delivery, _ in batch if delivery])
            except Exception as caught:  # noqa: BLE001  raised again in every caller of this batch
                error = caught
            for _, written in batch:
                if written.done():  # its request was cancelled
                    continue
                if error:
                    written.set_exception(error)
                else:
                    written.set_result(None)
