"""A connection to the receiver, as uvicorn has them; closed if no request comes."""

from __future__ import annotations

import asyncio

from typing_extensions import override
from uvicorn.protocols.http.h11_impl import H11Protocol

_HEAD_TIMEOUT_SECONDS = 10


class TimedConnection(H11Protocol):
    """A connection on which the head of a request must be whole in time; uvicorn waits for one, and for ever.

    The time begins with the connection, and again with each answer; nothing that is sent meanwhile prolongs it.
    """

    _deadline: asyncio.TimerHandle

    @override
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Wait for the first head."""
        super().connection_made(transport)
        self._deadline = self.loop.call_later(_HEAD_TIMEOUT_SECONDS, transport.abort)

    @override
    def on_response_complete(self) -> None:
        """Wait for the next head; it may be there already."""
        self._deadline = self.loop.call_later(_HEAD_TIMEOUT_SECONDS, self.transport.abort)
        super().on_response_complete()

    @override
    def handle_events(self) -> None:
        """Wait no more where a request has begun."""
        super().handle_events()
        if self.cycle and not self.cycle.response_complete:
            self._deadline.cancel()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._deadline.cancel()
        super().connection_lost(exc)
