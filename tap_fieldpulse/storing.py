"""Deliveries on their way into the store: what comes while one commit goes on shares the next."""

from __future__ import annotations

import asyncio

from .delivery import Delivery
from .inbox import Inbox


class Full(Exception):
    """As many deliveries wait to be stored as may."""


class Storing:
    """Store deliveries for an event loop, in a thread. At most `at_most` wait, those under way included."""

    def __init__(self, inbox: Inbox, *, at_most: int) -> None:
        self._inbox, self._at_most = inbox, at_most
        self._waiting: list[tuple[Delivery | None, asyncio.Future[None]]] = []
        self._held = 0
        self._work: asyncio.Task[None] | None = None

    async def store(self, delivery: Delivery | None) -> None:
        """Return when a delivery is durable; without one, when the store has been found writable.

        Raises: Full; what `Inbox.add` raises.
        """
        if self._held >= self._at_most:
            raise Full
        self._held += 1
        try:
            stored = asyncio.get_running_loop().create_future()
            self._waiting.append((delivery, stored))
            if self._work is None or self._work.done():
                self._work = asyncio.create_task(self._empty())
            await stored
        finally:
            self._held -= 1

    async def _empty(self) -> None:
        while self._waiting:
            some, self._waiting = self._waiting, []
            failure: Exception | None = None
            try:
                await asyncio.to_thread(self._inbox.add, [one for one, _ in some if one])
            except Exception as error:  # noqa: BLE001  each of those who wait raises it
                failure = error
            for _, stored in some:
                if stored.done():  # its request was given up
                    continue
                if failure:
                    stored.set_exception(failure)
                else:
                    stored.set_result(None)
