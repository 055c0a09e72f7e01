"""What stands before the backend: the key, the limit, latency and faults, and the record of what was asked."""

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
LARGEST_BODY = 10 * 1024 * 1024
"""Bytes of a body that the gateway takes (I)."""
SLOW_PATHS = {"/teams": 0.05}
"""Seconds on top of the latency, if there is any: every member of a team is a full user object (V)."""


@dataclass
class GatewayState:
    """The settings and the memory of a gateway."""

    api_key: Callable[[], str]
    limiter: RequestLimit
    latency_seconds: float
    behaviour: Behaviour
    faults: FaultQueue
    clock: Clock
    on_request: Callable[[RecordedRequest], None]
    on_response: Callable[[RecordedRequest], None]


class Gateway:
    """An ASGI wrapper around the backend."""

    def __init__(self, app: ASGIApp, gate: GatewayState) -> None:
        """Stand before `app`."""
        self.app = app
        self.gate = gate
        self._count = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or drop it."""
        if scope["type"] != "http":
            return
        raw = await _body(receive)
        request = _request(scope, raw, self.gate.api_key())
        self.gate.on_request(request)

        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                request.status = message["status"]
                message["headers"] = [*message["headers"], *self._headers()]
            request.seconds = time.monotonic() - request.arrived_at
            await send(message)

        with contextlib.suppress(asyncio.CancelledError):  # the server was stopped while this one waited
            await self._answer(request, raw, (scope, receive, counted))
        self.gate.on_response(request)

    async def _answer(self, request: RecordedRequest, raw: bytes, call: tuple[Scope, Receive, Send]) -> None:
        scope, receive, send = call
        refusal = self._refusal(request, len(raw))
        if refusal:
            return await send_response(send, refusal)
        if self.gate.latency_seconds:
            await asyncio.sleep(self.gate.latency_seconds + SLOW_PATHS.get(request.path, 0.0))
        fault = self.gate.faults.next_for(request.method, request.path, request.query_string, raw)
        replay = _replay(raw, receive)
        if fault is None:
            return await self.app(scope, replay, send)
        request.fault = fault.kind
        return await inject(fault, Exchange(self.app, scope, replay, send), self.gate.clock())

    def _refusal(self, request: RecordedRequest, size: int) -> HttpResponse | None:
        if not request.has_valid_key:
            return gateway_error(self.gate.behaviour.bad_key_status)
        if request.method not in METHODS:
            return self.gate.limiter.refusal() or unknown_route_error(self.gate.behaviour.unknown_route_status)
        return self.gate.limiter.refusal() or (gateway_error(413) if size > LARGEST_BODY else None)

    def _headers(self) -> list[tuple[bytes, bytes]]:
        """Return the headers of every answer: the server's clock, and an id that a log can quote."""
        self._count += 1
        number = f"00000000-0000-4000-8000-{self._count:012d}"
        named = [(b"x-amzn-requestid", number.encode())]
        if not self.gate.behaviour.date_header:
            return named
        date = formatdate(self.gate.clock() + self.gate.behaviour.date_skew_seconds, usegmt=True)
        return [(b"date", date.encode()), *named]


def _request(scope: Scope, raw: bytes, api_key: str) -> RecordedRequest:
    keys = [value for name, value in scope["headers"] if name == b"x-api-key"]
    query_string = scope["query_string"].decode("latin-1")
    try:
        body = msgspec.json.decode(raw) if raw else None
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


async def _body(receive: Receive) -> bytes:
    parts = []
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(parts)


def _replay(raw: bytes, receive: Receive) -> Receive:
    """Return a `receive` that hands the body out once more."""
    waiting: list[Message] = [{"type": "http.request", "body": raw, "more_body": False}]

    async def again() -> Message:
        return waiting.pop() if waiting else await receive()

    return again
