"""The receiver of webhooks as an ASGI application. Knows no Singer, and nothing of what it is sent gets into a log."""

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
"""Bytes. A delivery of the vendor's is some 500."""
_MOST_WAITING = 500
_SECONDS_BETWEEN = 60.0

Answer: TypeAlias = tuple[int, str]


class Receiver:
    """Take deliveries at `/<token>`; 200 says that one is durable. `GET /health` says whether the store can be written.

    With `secret`, a delivery must carry the vendor's signature. `counts` are the answers by their reasons.
    They are told to `tell` now and then, and nothing else is.
    Units: a body must have come within `patience_seconds`.
    """

    def __init__(
        self,
        inbox: Inbox,
        *,
        token: str,
        secret: str | None = None,
        tell: Callable[[str], None],
        max_waiting: int = _MOST_WAITING,
        body_timeout_seconds: float = 10,
    ) -> None:
        self.counts: Counter[str] = Counter()
        self._path, self._secret = f"/{token}".encode(), secret.encode() if secret else None
        self._tell, self._told_at = tell, -_SECONDS_BETWEEN
        self._storing, self._patience_seconds = BatchWriter(inbox, max_waiting=max_waiting), body_timeout_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, without a body: there is nothing to say to who should not be here."""
        request = Request(scope, receive)
        status, reason = await self._answer(request)
        self.counts[reason] += 1
        now = asyncio.get_running_loop().time()
        if now - self._told_at >= _SECONDS_BETWEEN:
            self._told_at = now
            self.report()
        # A body that was not read to its end must not be taken for the next request.
        headers = {} if status < 400 else {"connection": "close"}  # noqa: PLR2004  HTTP's own border
        await Response(status_code=status, headers=headers)(scope, receive, send)

    def report(self) -> None:
        """Tell how many of what was answered so far."""
        self._tell(", ".join(f"{number} {reason}" for reason, number in sorted(self.counts.items())) or "nothing came")

    async def _answer(self, request: Request) -> Answer:
        path = request.scope["path"]
        if path == "/health":
            return await self._health(request)
        if not hmac.compare_digest(path.encode("utf-8", "replace"), self._path):
            return 404, "not found"
        if request.method != "POST":
            return 405, "not a POST"
        return await self._take(request)

    async def _health(self, request: Request) -> Answer:
        if request.method not in ("GET", "HEAD"):
            return 405, "not a POST"
        return await _stored(self._storing.check_writable(), "health")

    async def _take(self, request: Request) -> Answer:
        try:
            body = await asyncio.wait_for(_body(request), self._patience_seconds)
        except asyncio.TimeoutError:
            return 408, "too slow"
        except ClientDisconnect:
            return 400, "broken off"
        if body is None:
            return 413, "too large"
        if self._secret and not _is_signed(body, request.headers.get("x-encrypted-data", ""), self._secret):
            return 401, "not signed"
        try:
            delivery = read_delivery(body)
        except InvalidDelivery as error:
            return 400, f"no delivery: {error}"
        return await _stored(self._storing.append(delivery), "taken")


async def _stored(storing: Awaitable[None], reason: str) -> Answer:
    try:
        await storing
    except QueueFull:
        return 503, "too many at once"
    except Exception as error:  # noqa: BLE001  whatever it is, the vendor is to send the delivery again
        return 503, f"not stored: {type(error).__name__}"
    return 200, reason


async def _body(request: Request) -> bytes | None:
    """Return the body, None if it is larger than it may be."""
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > MAX_BODY_BYTES:
            return None
    return bytes(body)


def _is_signed(body: bytes, signature: str, secret: bytes) -> bool:
    """Say whether a signature is the body's: base64 of the raw HMAC-SHA256 (I, contract 5)."""
    right = base64.b64encode(hmac.new(secret, body, hashlib.sha256).digest())
    return hmac.compare_digest(signature.strip().encode("utf-8", "replace"), right)
