"""A connection to the webhook receiver: every wait for its client has an end, and malformed requests have a status."""

from __future__ import annotations

import asyncio
import sys
from http import HTTPStatus
from typing import TYPE_CHECKING

import h11
from typing_extensions import override
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

if TYPE_CHECKING:
    from .server import Receiver

_HEAD_TIMEOUT_SECONDS = 10
_REQUEST_TIMEOUT_SECONDS = 20
"""More than the receiver's own limits for a body and for the store: what is left is a client that reads no response."""


class TimedConnection(H11Protocol):
    """A connection with a limit on the time until the head of a request is complete, and then on the request.

    uvicorn has neither: a client that sends its head byte by byte, or reads no responses, would keep a connection for
    ever. The time for a head starts with the connection and after each response. Data does not extend it.
    """

    _deadline: asyncio.TimerHandle
    _timed_cycle: RequestResponseCycle | None = None
    _is_closing = False

    @property
    def _receiver(self) -> Receiver:
        receiver: Receiver = self.config.loaded_app
        return receiver

    @override
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Start the time for the first head."""
        super().connection_made(transport)
        if len(self.connections) > self._receiver.max_connections:
            self.app = self._receiver.refuse
        self._deadline = self._abort_after(_HEAD_TIMEOUT_SECONDS, "head timed out")

    @override
    def on_response_complete(self) -> None:
        """Start the time for the next head. It comes first, since the head may already be there."""
        self._deadline.cancel()
        self._deadline = self._abort_after(_HEAD_TIMEOUT_SECONDS, "head timed out")
        super().on_response_complete()

    @override
    def data_received(self, data: bytes) -> None:
        """Parse data, unless the connection only waits for its client to close it."""
        if not self._is_closing:
            super().data_received(data)

    @override
    def handle_events(self) -> None:
        """Start the time for a request once it has begun."""
        super().handle_events()
        if self.cycle is not self._timed_cycle:
            self._timed_cycle = self.cycle
            self._deadline.cancel()
            self._deadline = self._abort_after(_REQUEST_TIMEOUT_SECONDS, "response not read")

    @override
    def send_400_response(self, msg: str) -> None:
        """Respond to what is not HTTP, and close once the client has: to close before would take the response back."""
        if self.cycle and not self.cycle.response_complete:  # a malformed body; its request counts as disconnected
            self.transport.abort()
            return
        error = sys.exc_info()[1]  # uvicorn calls this where it has caught it
        is_too_large = getattr(error, "error_status_hint", None) == HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
        self._receiver.counts["head too large" if is_too_large else "malformed (http)"] += 1
        status = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE if is_too_large else HTTPStatus.BAD_REQUEST
        headers = [(b"content-length", b"0"), (b"connection", b"close")]
        response = h11.Response(status_code=status, headers=headers, reason=status.phrase.encode())
        self.transport.write(self.conn.send(response) + self.conn.send(h11.EndOfMessage()))
        self.transport.write_eof()
        self._is_closing = True

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the time."""
        self._deadline.cancel()
        super().connection_lost(exc)

    def _abort_after(self, seconds: float, reason: str) -> asyncio.TimerHandle:
        return self.loop.call_later(seconds, self._abort, reason)

    def _abort(self, reason: str) -> None:
        if not self._is_closing:
            self._receiver.counts[reason] += 1
        self.transport.abort()
