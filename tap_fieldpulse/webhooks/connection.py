"""A connection to the webhook receiver that is closed if a request takes too long to begin."""

from __future__ import annotations

import asyncio

from typing_extensions import override
from uvicorn.protocols.http.h11_impl import H11Protocol

_HEAD_TIMEOUT_SECONDS = 10


class TimedConnection(H11Protocol):
    """A connection with a limit on the time until the head of a request is complete; uvicorn has none.

    Without it, a client that sends its head byte by byte keeps a connection forever. The time starts with the
    connection and after each response. Data that arrives in between does not extend it.
    """

    _deadline: asyncio.TimerHandle

    @override
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Start the time for the first head."""
        super().connection_made(transport)
        self._deadline = self.loop.call_later(_HEAD_TIMEOUT_SECONDS, transport.abort)

    @override
    def on_response_complete(self) -> None:
        """Start the time for the next head. It comes first, since the head may already be there."""
        self._deadline = self.loop.call_later(_HEAD_TIMEOUT_SECONDS, self.transport.abort)
        super().on_response_complete()

    @override
    def handle_events(self) -> None:
        """Stop the time once a request has begun."""
        super().handle_events()
        if self.cycle and not self.cycle.response_complete:
            self._deadline.cancel()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the time."""
        self._deadline.cancel()
        super().connection_lost(exc)
