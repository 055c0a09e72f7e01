"""ASGI application that receives webhooks. It knows no Singer, and logs nothing of what it receives."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from .batch_writer import BatchWriter, QueueFull
from .inbox import Inbox
from .payload import InvalidDelivery, read_delivery

MAX_BODY_BYTES = 256 * 1024
"""A delivery of FieldPulse has about 500 bytes."""
_MAX_WAITING = 500
_SECONDS_BETWEEN_REPORTS = 60.0

StatusAndReason: TypeAlias = tuple[int, str]


class Receiver:
    """Accept deliveries at `/<token>`.

    ======  ==============================================================================
    status  meaning
    ======  ==============================================================================
    200     the delivery is durable; `GET /health`: the store is writable
    400     malformed delivery, or the client disconnected
    401     missing or wrong signature, if there is a `secret`
    404     wrong path
    405     wrong method
    408     the body did not arrive within `body_timeout_seconds`
    413     body over 256 KiB
    503     store unavailable, or `max_waiting` deliveries queued; FieldPulse then retries
    ======  ==============================================================================

    Responses have no body: a caller without the token learns nothing. `counts` has the number of responses by reason,
    which `log` gets about once a minute.
    """

    def __init__(
        self,
        inbox: Inbox,
        *,
        token: str,
        secret: str | None = None,
        log: Callable[[str], None],
        max_waiting: int = _MAX_WAITING,
        body_timeout_seconds: float = 10,
    ) -> None:
        self.counts: Counter[str] = Counter()
        self._path, self._secret = f"/{token}".encode(), secret.encode() if secret else None
        self._log, self._reported_at = log, -_SECONDS_BETWEEN_REPORTS
        self._writer, self._body_timeout_seconds = BatchWriter(inbox, max_waiting=max_waiting), body_timeout_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Respond to one request."""
        request = Request(scope, receive)
        status, reason = await self._respond(request)
        self.counts[reason] += 1
        now = asyncio.get_running_loop().time()
        if now - self._reported_at >= _SECONDS_BETWEEN_REPORTS:
            self._reported_at = now
            self.report()
        # The rest of an unread body must not be parsed as the next request.
        headers = {} if status < 400 else {"connection": "close"}  # noqa: PLR2004  HTTP's own border
        await Response(status_code=status, headers=headers)(scope, receive, send)

    def report(self) -> None:
        """Log how many responses there were so far, by reason."""
        self._log(", ".join(f"{count} {reason}" for reason, count in sorted(self.counts.items())) or "no requests")

    async def _respond(self, request: Request) -> StatusAndReason:
        path = request.scope["path"]
        if path == "/health":
            if request.method not in ("GET", "HEAD"):
                return 405, "wrong method"
            return await _written(self._writer.check_writable(), "health checks")
        if not hmac.compare_digest(path.encode("utf-8", "replace"), self._path):
            return 404, "wrong path"
        if request.method != "POST":
            return 405, "wrong method"
        return await self._accept(request)

    async def _accept(self, request: Request) -> StatusAndReason:
        try:
            body = await asyncio.wait_for(_read_body(request), self._body_timeout_seconds)
        except asyncio.TimeoutError:
            return 408, "body timed out"
        except ClientDisconnect:
            return 400, "disconnected"
        if body is None:
            return 413, "body too large"
        if self._secret and not _is_signed(body, request.headers.get("x-encrypted-data", ""), self._secret):
            return 401, "wrong signature"
        try:
            delivery = read_delivery(body)
        except InvalidDelivery as error:
            return 400, f"malformed ({error})"
        return await _written(self._writer.append(delivery), "stored")


async def _written(writing: Awaitable[None], reason: str) -> StatusAndReason:
    try:
        await writing
    except QueueFull:
        return 503, "queue full"
    except Exception as error:  # noqa: BLE001  FieldPulse must retry the delivery, whatever the reason
        return 503, f"store unavailable ({type(error).__name__})"
    return 200, reason


async def _read_body(request: Request) -> bytes | None:
    """Return the body; None if it is too large."""
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > MAX_BODY_BYTES:
            return None
    return bytes(body)


def _is_signed(body: bytes, signature: str, secret: bytes) -> bool:
    """Return whether a signature is the body's: base64 of the raw HMAC-SHA256 (API facts 5, inferred)."""
    expected = base64.b64encode(hmac.new(secret, body, hashlib.sha256).digest())
    return hmac.compare_digest(signature.strip().encode("utf-8", "replace"), expected)
