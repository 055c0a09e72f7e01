"""ASGI application that receives webhooks. It knows no Singer, and logs nothing of what it receives."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import datetime, timezone
from typing import TYPE_CHECKING, TypeAlias

import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from fieldpulse_api.values.scalars import iso_timestamp

from .batch_writer import BatchWriter, QueueFull
from .inbox import Inbox
from .payload import InvalidDelivery, read_delivery

if TYPE_CHECKING:
    from .forwarder import Forwarder

MAX_BODY_BYTES = 256 * 1024
"""A delivery of FieldPulse has about 500 bytes."""
MAX_HEAD_BYTES = 16 * 1024
_MAX_WAITING = 500
_STORED, _HEALTHY = "stored", "health checks"

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
    431     head over 16 KiB
    500     a bug
    503     store unavailable, or without an answer for `store_timeout_seconds`;
            `max_waiting` deliveries queued, or `max_connections` open.
            FieldPulse then retries
    ======  ==============================================================================

    Responses have no body, but that of `/health`: how many deliveries were stored and forwarded, and the last times.
    `counts` has the number of responses, and of connections that ended without one, by reason. It is all that `log`
    gets, with the counts of the `forwarder` and the time of the last delivery.
    """

    def __init__(
        self,
        inbox: Inbox,
        *,
        token: str,
        secret: str | None = None,
        log: Callable[[str], None],
        max_connections: int = 1000,
        max_waiting: int = _MAX_WAITING,
        body_timeout_seconds: float = 10,
        store_timeout_seconds: float = 4,
        last_stored_at: str | None = None,
        forwarder: Forwarder | None = None,
    ) -> None:
        self.counts: Counter[str] = Counter()
        self.max_connections = max_connections
        self._path, self._secret = f"/{token}".encode(), secret.encode() if secret else None
        self._log, self._reported_counts = log, Counter[str]()
        self._body_timeout_seconds = body_timeout_seconds
        self._last_stored_at, self._forwarder = last_stored_at, forwarder
        self._writer = BatchWriter(inbox, max_waiting=max_waiting, timeout_seconds=store_timeout_seconds)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Respond to one request."""
        try:
            status, reason = await self._respond(Request(scope, receive))
        except Exception as error:  # noqa: BLE001  a traceback could hold what was sent
            status, reason = 500, f"bug ({type(error).__name__})"
        await self._send(status, reason, scope, receive, send)

    async def refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Respond to a request on a connection above `max_connections`."""
        await self._send(503, "too many connections", scope, receive, send)

    async def report_changes(self) -> None:
        """Log the counts if they have changed since the last report."""
        if self._all_counts() != self._reported_counts:
            self.report()

    def report(self) -> None:
        """Log how many responses there were so far, by reason."""
        self._reported_counts = self._all_counts()
        counts = (f"{count} {reason}" for reason, count in sorted(self._reported_counts.items()))
        last = f"; last delivery at {self._last_stored_at}" if self._last_stored_at else ""
        self._log((", ".join(counts) or "no requests") + last)

    def _all_counts(self) -> Counter[str]:
        return self.counts + (self._forwarder.counts() if self._forwarder else Counter[str]())

    async def _send(self, status: int, reason: str, scope: Scope, receive: Receive, send: Send) -> None:
        self.counts[reason] += 1
        # The rest of an unread body must not be parsed as the next request.
        headers = {} if status < 400 else {"connection": "close"}  # noqa: PLR2004  HTTP's own border
        body = b""
        if reason == _HEALTHY:
            forwarded = self._forwarder.facts() if self._forwarder else {}
            facts = {"stored": self.counts[_STORED], "last_stored_at": self._last_stored_at, **forwarded}
            body, headers = msgspec.json.encode(facts) + b"\n", {"content-type": "application/json"}
        await Response(body, status_code=status, headers=headers)(scope, receive, send)

    async def _respond(self, request: Request) -> StatusAndReason:
        if _head_size(request.scope) > MAX_HEAD_BYTES:
            return 431, "head too large"
        path = request.scope["path"]
        if path == "/health":
            if request.method not in ("GET", "HEAD"):
                return 405, "wrong method"
            return await _written(self._writer.check_writable(), _HEALTHY)
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
        status, reason = await _written(self._writer.append(delivery), _STORED)
        if reason == _STORED:
            self._last_stored_at = iso_timestamp(datetime.now(timezone.utc))
        return status, reason


async def _written(writing: Awaitable[None], reason: str) -> StatusAndReason:
    try:
        await writing
    except QueueFull:
        return 503, "queue full"
    except asyncio.TimeoutError:
        return 503, "store does not answer"
    except Exception as error:  # noqa: BLE001  FieldPulse must retry the delivery, whatever the reason
        return 503, f"store unavailable ({type(error).__name__})"
    return 200, reason


def _head_size(scope: Scope) -> int:
    """Return the bytes of a head; h11 limits only those that do not arrive at once."""
    fields = sum(len(name) + len(value) + len(": \r\n") for name, value in scope["headers"])
    return fields + len(scope.get("raw_path", b"")) + len(scope["query_string"])


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
