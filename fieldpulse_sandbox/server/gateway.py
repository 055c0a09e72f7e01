"""ASGI middleware in front of the endpoints: authentication, rate limit, latency, faults, and the request record."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import formatdate
from typing import get_args
from urllib.parse import parse_qsl

import msgspec
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fieldpulse_sandbox.behaviour.switches import Behaviour
from fieldpulse_sandbox.data.store import Clock
from fieldpulse_sandbox.faults.fault import Method
from fieldpulse_sandbox.faults.fault_queue import FaultQueue
from fieldpulse_sandbox.faults.injection import Exchange, inject, send_response
from fieldpulse_sandbox.responses.bodies import HttpResponse, gateway_error, unknown_route_error

from .rate_limit import RequestLimit
from .recorded_request import RecordedRequest

METHODS = frozenset(get_args(Method))
MAX_BODY_BYTES = 10 * 1024 * 1024
"""Largest body that the gateway accepts (inferred)."""
SLOW_PATHS = {"/teams": 0.05}
"""Seconds beside the latency, if there is one: every member of a team is a complete user (verified)."""


@dataclass
class GatewayState:
    """Settings and state of a gateway. `on_request` and `on_response` are called once for each request."""

    api_key: Callable[[], str]
    limit: RequestLimit
    latency_seconds: float
    behaviour: Behaviour
    faults: FaultQueue
    clock: Clock
    on_request: Callable[[RecordedRequest], None]
    on_response: Callable[[RecordedRequest], None]


class Gateway:
    """The middleware."""

    def __init__(self, app: ASGIApp, state: GatewayState) -> None:
        """Pass accepted requests to `app`."""
        self.app = app
        self.state = state
        self._response_count = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Respond to one request, or drop its connection."""
        if scope["type"] != "http":
            return
        body = await _read_body(receive)
        request = _recorded_request(scope, body, self.state.api_key())
        self.state.on_request(request)

        async def send_recorded(message: Message) -> None:
            if message["type"] == "http.response.start":
                request.status = message["status"]
                message["headers"] = [*message["headers"], *self._headers()]
            request.seconds = time.monotonic() - request.arrived_at
            await send(message)

        exchange = Exchange(self.app, scope, _replay(body, receive), send_recorded)
        with contextlib.suppress(asyncio.CancelledError):  # the server stopped while this request waited
            await self._respond(request, body, exchange)
        self.state.on_response(request)

    async def _respond(self, request: RecordedRequest, body: bytes, exchange: Exchange) -> None:
        rejection = self._rejection(request, len(body))
        if rejection:
            return await send_response(exchange.send, rejection)
        if self.state.latency_seconds:
            await asyncio.sleep(self.state.latency_seconds + SLOW_PATHS.get(request.path, 0.0))
        fault = self.state.faults.next_for(request.method, request.path, request.query_string, body)
        if fault is None:
            return await self.app(exchange.scope, exchange.receive, exchange.send)
        request.fault = fault.kind
        return await inject(fault, exchange, self.state.clock())

    def _rejection(self, request: RecordedRequest, body_bytes: int) -> HttpResponse | None:
        if not request.has_valid_key:
            return gateway_error(self.state.behaviour.bad_key_status)
        if request.method not in METHODS:
            return self.state.limit.rejection() or unknown_route_error(self.state.behaviour.unknown_route_status)
        return self.state.limit.rejection() or (gateway_error(413) if body_bytes > MAX_BODY_BYTES else None)

    def _headers(self) -> list[tuple[bytes, bytes]]:
        """Return the headers of every response: the server's clock, and a request id for logs."""
        self._response_count += 1
        request_id = f"00000000-0000-4000-8000-{self._response_count:012d}"
        headers = [(b"x-amzn-requestid", request_id.encode())]
        if not self.state.behaviour.date_header:
            return headers
        date = formatdate(self.state.clock() + self.state.behaviour.date_skew_seconds, usegmt=True)
        return [(b"date", date.encode()), *headers]


def _recorded_request(scope: Scope, raw_body: bytes, api_key: str) -> RecordedRequest:
    keys = [value for name, value in scope["headers"] if name == b"x-api-key"]
    query_string = scope["query_string"].decode("latin-1")
    try:
        body = msgspec.json.decode(raw_body) if raw_body else None
    except msgspec.DecodeError:
        body = None
    return RecordedRequest(
        method=scope["method"],
        path=scope["path"],
        query=dict(parse_qsl(query_string, keep_blank_values=True)),
        query_string=query_string,
        body=body if isinstance(body, dict) else None,
        has_valid_key=keys == [api_key.encode()],
        arrived_at=time.monotonic(),
    )


async def _read_body(receive: Receive) -> bytes:
    parts = []
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(parts)


def _replay(body: bytes, receive: Receive) -> Receive:
    """Return a `receive` that returns the body once more, and then whatever comes after it."""
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive_again() -> Message:
        return waiting.pop() if waiting else await receive()

    return receive_again
