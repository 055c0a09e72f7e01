"""Deliveries on their way into the store: what comes while one commit goes on shares the next."""

from __future__ import annotations

import asyncio

from .inbox import Inbox
from .payload import Delivery


class QueueFull(Exception):
    """As many deliveries wait to be stored as may."""


class BatchWriter:
    """Store deliveries for an event loop, in a thread. At most `at_most` wait, those under way included."""

    def __init__(self, inbox: Inbox, *, max_waiting: int) -> None:
        self._inbox, self._at_most = inbox, max_waiting
        self._waiting: list[tuple[Delivery | None, asyncio.Future[None]]] = []
        self._held = 0
        self._checked: asyncio.Future[None] | None = None
        self._work: asyncio.Task[None] | None = None

    async def append(self, delivery: Delivery) -> None:
        """Return when a delivery is durable.

        Raises: Full; what `Inbox.add` raises.
        """
        if self._held >= self._at_most:
            raise QueueFull
        self._held += 1
        try:
            await self._wait(delivery)
        finally:
            self._held -= 1

    async def check_writable(self) -> None:
        """Return when the store has been found writable. All who ask meanwhile share one check, and take no place.

        Raises: what `Inbox.add` raises.
        """
        if self._checked is None or self._checked.done():
            self._checked = self._wait(None)
        await asyncio.shield(self._checked)  # one who gives up does not end it for the others

    def _wait(self, delivery: Delivery | None) -> asyncio.Future[None]:
        stored = asyncio.get_running_loop().create_future()
        self._waiting.append((delivery, stored))
        if self._work is None or self._work.done():
            self._work = asyncio.create_task(self._empty())
        return stored

    async def _empty(self) -> None:
        while self._waiting:
            some, self._waiting = self._waiting, []
            failure: Exception | None = None
            try:
                await asyncio.to_thread(self._inbox.append, [one for one, _ in some if one])
            except Exception as error:  # noqa: BLE001  each of those who wait raises it
                failure = error
            for _, stored in some:
                if stored.done():  # its request was given up
                    continue
                if failure:
                    stored.set_exception(failure)
                else:
                    stored.set_result(None)
