"""How a fault befalls a request: instead of the backend, on the way back from it, or inside it."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from dataclasses import dataclass

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fieldpulse_sandbox.responses.bodies import HttpResponse, gateway_error, throttled

from .fault import LIST_FAULTS, Fault

TRANSPORT = "fieldpulse_sandbox.transport"
"""Key of the scope under which the server leaves the connection, so that a fault can drop it."""
FAULT = "fieldpulse_sandbox.fault"
"""Key of the scope under which a list finds the fault that befalls it."""
HOUR = 3600
HUGE = 200_000
"""Bytes of a header that is too large."""
PIECES = 8
ENDLESS_PIECE = b" " * 65_536
HTML = b"<html><body>Service maintenance</body></html>"


@dataclass(frozen=True)
class Exchange:
    """A request on its way to the backend. `receive` hands its body out again, once."""

    app: ASGIApp
    scope: Scope
    receive: Receive
    send: Send


async def inject(fault: Fault, call: Exchange, now: float) -> None:
    """Answer a request as the fault has it. `now` is in UNIX seconds."""
    if fault.kind in LIST_FAULTS:
        call.scope[FAULT] = fault
        return await call.app(call.scope, call.receive, call.send)
    if fault.kind == "slow_response":
        return await _slow(fault, call)
    if fault.kind in RESHAPED:
        return await RESHAPED[fault.kind](fault, call, await _carried_out(call))
    if fault.after_commit:
        await _carried_out(call)
    if fault.kind == "dropped_connection":
        return await _drop(call)
    return await send_response(call.send, _instead(fault, now))


async def send_response(send: Send, answer: HttpResponse) -> None:
    """Send an answer whole."""
    headers = {"content-type": answer.media_type, "content-length": str(len(answer.body))} | answer.headers
    encoded = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": answer.status, "headers": encoded})
    await send({"type": "http.response.body", "body": answer.body})


def _instead(fault: Fault, now: float) -> HttpResponse:
    """Return the answer that a fault gives in the backend's place."""
    resets = {
        "throttle_past_reset": now - fault.seconds,
        "throttle_one_hour": now + HOUR,
        "throttle_relative_reset": fault.seconds,
    }
    if fault.kind in resets:
        return gateway_error(429, RateLimit_Reset=str(math.ceil(resets[fault.kind])))
    answers: dict[str, Callable[[], HttpResponse]] = {
        "throttle": lambda: throttled(now, fault.seconds),
        "throttle_without_reset": lambda: gateway_error(429),
        "quota_exceeded": lambda: gateway_error(429, "Limit Exceeded"),
        "error_status": lambda: gateway_error(fault.status),
        "not_json": lambda: HttpResponse(200, HTML, media_type="text/html"),
        "html_502": lambda: HttpResponse(502, HTML, media_type="text/html"),
        "empty_body": lambda: HttpResponse(200, b""),
        "error_in_200": lambda: HttpResponse(200, b'{"error":true,"response":null,"errors":["Something went wrong."]}'),
        "redirect": lambda: HttpResponse(302, b"", {"location": fault.location}),
    }
    return answers[fault.kind]()


async def _slow(fault: Fault, call: Exchange) -> None:
    """Carry a request out, and wait before or after that."""

    async def late(message: Message) -> None:
        if message["type"] == "http.response.start" and fault.after_commit:
            await asyncio.sleep(fault.seconds)
        await call.send(message)

    if not fault.after_commit:
        await asyncio.sleep(fault.seconds)
    await call.app(call.scope, call.receive, late)


async def _carried_out(call: Exchange) -> HttpResponse:
    """Let the backend answer, and keep what it says."""
    said: list[Message] = []

    async def keep(message: Message) -> None:
        said.append(message)

    await call.app(call.scope, call.receive, keep)
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in said[0]["headers"]}
    body = b"".join(message.get("body", b"") for message in said[1:])
    return HttpResponse(said[0]["status"], body, headers, headers["content-type"])


async def _truncated(_: Fault, call: Exchange, answer: HttpResponse) -> None:
    await _reshaped(call, answer, answer.body[: len(answer.body) // 2])


async def _text_type(_: Fault, call: Exchange, answer: HttpResponse) -> None:
    await _reshaped(call, answer, answer.body, **{"content-type": "text/html; charset=UTF-8"})


async def _bad_gzip(_: Fault, call: Exchange, answer: HttpResponse) -> None:
    await _reshaped(call, answer, b"\x1f\x8b" + answer.body, **{"content-encoding": "gzip"})


async def _huge_header(_: Fault, call: Exchange, answer: HttpResponse) -> None:
    await _reshaped(call, answer, answer.body, **{"x-filler": "x" * HUGE})


async def _reshaped(call: Exchange, answer: HttpResponse, body: bytes, **headers: str) -> None:
    changed = answer.headers | {"content-length": str(len(body))} | headers
    await send_response(call.send, HttpResponse(answer.status, body, changed))


async def _drip(fault: Fault, call: Exchange, answer: HttpResponse) -> None:
    size = max(1, math.ceil(len(answer.body) / PIECES))
    await _begin(call, answer)
    for start in range(0, len(answer.body), size):
        await asyncio.sleep(fault.seconds / PIECES)
        await _go_on(call, answer.body[start : start + size])
    await call.send({"type": "http.response.body", "body": b""})


async def _cut(_: Fault, call: Exchange, answer: HttpResponse) -> None:
    await _begin(call, answer)
    await _go_on(call, answer.body[: len(answer.body) // 2])
    await _drop(call)


async def _endless(_: Fault, call: Exchange, answer: HttpResponse) -> None:
    endless = {name: value for name, value in answer.headers.items() if name != "content-length"}
    await _begin(call, HttpResponse(answer.status, b"", endless))
    await _go_on(call, b'{"error":false,"response":[')
    ended = asyncio.ensure_future(_disconnected(call.receive))
    try:
        while not ended.done():
            await _go_on(call, ENDLESS_PIECE)
            await asyncio.sleep(0)
    finally:
        ended.cancel()


async def _begin(call: Exchange, answer: HttpResponse) -> None:
    headers = [(name.encode(), value.encode()) for name, value in answer.headers.items()]
    await call.send({"type": "http.response.start", "status": answer.status, "headers": headers})


async def _go_on(call: Exchange, piece: bytes) -> None:
    await call.send({"type": "http.response.body", "body": piece, "more_body": True})


async def _drop(call: Exchange) -> None:
    """Close the connection here; returning earlier would make the server answer 500."""
    call.scope[TRANSPORT].abort()
    await _disconnected(call.receive)


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


RESHAPED = {
    "slow_body": _drip,
    "truncated_connection": _cut,
    "endless_body": _endless,
    "truncated_json": _truncated,
    "wrong_content_type": _text_type,
    "bad_gzip": _bad_gzip,
    "huge_header": _huge_header,
}
"""What an answer becomes on its way back from the backend."""
