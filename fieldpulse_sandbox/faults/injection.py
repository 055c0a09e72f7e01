"""Injection of a fault into one exchange: instead of the backend, on the way back from it, or inside it."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from dataclasses import dataclass

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fieldpulse_sandbox.responses.bodies import HttpResponse, gateway_error, throttled

from .fault import LIST_FAULTS, Fault

TRANSPORT = "fieldpulse_sandbox.transport"
"""Scope key under which the server puts the transport of the connection, so that a fault can abort it."""
FAULT = "fieldpulse_sandbox.fault"
"""Scope key under which the list endpoint finds its fault."""
HOUR_SECONDS = 3600
HUGE_HEADER_BYTES = 200_000
PIECES = 8
ENDLESS_PIECE = b" " * 65_536
HTML = b"<html><body>Service maintenance</body></html>"


@dataclass(frozen=True)
class Exchange:
    """One request and the way of its response. `receive` returns the body once more."""

    app: ASGIApp
    scope: Scope
    receive: Receive
    send: Send


async def inject(fault: Fault, exchange: Exchange, now: float) -> None:
    """Respond to a request with a fault. `now` is in UNIX seconds."""
    if fault.kind in LIST_FAULTS:
        exchange.scope[FAULT] = fault
        return await exchange.app(exchange.scope, exchange.receive, exchange.send)
    if fault.kind == "slow_response":
        return await _slow_response(fault, exchange)
    if fault.kind in MODIFIED:
        return await MODIFIED[fault.kind](fault, exchange, await _run_backend(exchange))
    if fault.after_commit:
        await _run_backend(exchange)
    if fault.kind == "dropped_connection":
        return await _drop(exchange)
    return await send_response(exchange.send, _replacement_response(fault, now))


async def send_response(send: Send, response: HttpResponse) -> None:
    """Send a complete response."""
    headers = {"content-type": response.media_type, "content-length": str(len(response.body))} | response.headers
    encoded = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": response.status, "headers": encoded})
    await send({"type": "http.response.body", "body": response.body})


def _replacement_response(fault: Fault, now: float) -> HttpResponse:
    """Return the response of a fault that replaces that of the backend."""
    resets = {
        "throttle_past_reset": now - fault.seconds,
        "throttle_one_hour": now + HOUR_SECONDS,
        "throttle_relative_reset": fault.seconds,
    }
    if fault.kind in resets:
        return gateway_error(429, RateLimit_Reset=str(math.ceil(resets[fault.kind])))
    responses: dict[str, Callable[[], HttpResponse]] = {
        "throttle": lambda: throttled(now, fault.seconds),
        "throttle_without_reset": lambda: gateway_error(429),
        "quota_exceeded": lambda: gateway_error(429, "Limit Exceeded"),
        "error_status": lambda: gateway_error(fault.status, fault.message),
        "not_json": lambda: HttpResponse(200, HTML, media_type="text/html"),
        "html_502": lambda: HttpResponse(502, HTML, media_type="text/html"),
        "empty_body": lambda: HttpResponse(200, b""),
        "error_in_200": lambda: HttpResponse(200, b'{"error":true,"response":null,"errors":["Something went wrong."]}'),
        "redirect": lambda: HttpResponse(302, b"", {"location": fault.location}),
    }
    return responses[fault.kind]()


async def _slow_response(fault: Fault, exchange: Exchange) -> None:
    """Carry out a request, and wait before or after that."""

    async def send_late(message: Message) -> None:
        if message["type"] == "http.response.start" and fault.after_commit:
            await asyncio.sleep(fault.seconds)
        await exchange.send(message)

    if not fault.after_commit:
        await asyncio.sleep(fault.seconds)
    await exchange.app(exchange.scope, exchange.receive, send_late)


async def _run_backend(exchange: Exchange) -> HttpResponse:
    """Carry out a request and return the response of the backend without sending it."""
    messages: list[Message] = []

    async def collect(message: Message) -> None:
        messages.append(message)

    await exchange.app(exchange.scope, exchange.receive, collect)
    start, *rest = messages
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in start["headers"]}
    body = b"".join(message.get("body", b"") for message in rest)
    return HttpResponse(start["status"], body, headers, headers["content-type"])


async def _truncated_json(_: Fault, exchange: Exchange, response: HttpResponse) -> None:
    await _send_modified(exchange, response, response.body[: len(response.body) // 2])


async def _wrong_content_type(_: Fault, exchange: Exchange, response: HttpResponse) -> None:
    await _send_modified(exchange, response, response.body, **{"content-type": "text/html; charset=UTF-8"})


async def _bad_gzip(_: Fault, exchange: Exchange, response: HttpResponse) -> None:
    await _send_modified(exchange, response, b"\x1f\x8b" + response.body, **{"content-encoding": "gzip"})


async def _huge_header(_: Fault, exchange: Exchange, response: HttpResponse) -> None:
    await _send_modified(exchange, response, response.body, **{"x-filler": "x" * HUGE_HEADER_BYTES})


async def _send_modified(exchange: Exchange, response: HttpResponse, body: bytes, **headers: str) -> None:
    changed = response.headers | {"content-length": str(len(body))} | headers
    await send_response(exchange.send, HttpResponse(response.status, body, changed))


async def _slow_body(fault: Fault, exchange: Exchange, response: HttpResponse) -> None:
    size = max(1, math.ceil(len(response.body) / PIECES))
    await _send_headers(exchange, response)
    for start in range(0, len(response.body), size):
        await asyncio.sleep(fault.seconds / PIECES)
        await _send_piece(exchange, response.body[start : start + size])
    await exchange.send({"type": "http.response.body", "body": b""})


async def _truncated_connection(_: Fault, exchange: Exchange, response: HttpResponse) -> None:
    await _send_headers(exchange, response)
    await _send_piece(exchange, response.body[: len(response.body) // 2])
    await _drop(exchange)


async def _endless_body(_: Fault, exchange: Exchange, response: HttpResponse) -> None:
    headers = {name: value for name, value in response.headers.items() if name != "content-length"}
    await _send_headers(exchange, HttpResponse(response.status, b"", headers))
    await _send_piece(exchange, b'{"error":false,"response":[')
    disconnected = asyncio.ensure_future(_wait_for_disconnect(exchange.receive))
    try:
        while not disconnected.done():
            await _send_piece(exchange, ENDLESS_PIECE)
            await asyncio.sleep(0)
    finally:
        disconnected.cancel()


async def _send_headers(exchange: Exchange, response: HttpResponse) -> None:
    headers = [(name.encode(), value.encode()) for name, value in response.headers.items()]
    await exchange.send({"type": "http.response.start", "status": response.status, "headers": headers})


async def _send_piece(exchange: Exchange, piece: bytes) -> None:
    await exchange.send({"type": "http.response.body", "body": piece, "more_body": True})


async def _drop(exchange: Exchange) -> None:
    """Abort the connection. The application must not return before the disconnect, or the server responds with 500."""
    exchange.scope[TRANSPORT].abort()
    await _wait_for_disconnect(exchange.receive)


async def _wait_for_disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


MODIFIED = {
    "slow_body": _slow_body,
    "truncated_connection": _truncated_connection,
    "endless_body": _endless_body,
    "truncated_json": _truncated_json,
    "wrong_content_type": _wrong_content_type,
    "bad_gzip": _bad_gzip,
    "huge_header": _huge_header,
}
"""Faults that modify the response of the backend."""
