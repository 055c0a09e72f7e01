"""Every body and status that the API answers with, apart from rows. The three error shapes are the contract's 1.2."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import msgspec

GATEWAY_MESSAGES = {
    401: "Unauthorized",
    403: "Forbidden",
    404: "Request URL or object not found",
    413: "Request Too Long",
    429: "Too Many Requests",
    500: "Internal Server Error",
    502: "Internal server error",
    503: "Service Unavailable",
    504: "Endpoint request timed out",
}


NO_KEYS: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True)
class HttpResponse:
    """A complete answer: status, body and the headers that are peculiar to it."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)
    media_type: str = "application/json"


def gateway_error(status: int, message: str | None = None, **headers: str) -> HttpResponse:
    """Return an error of the gateway, which knows only `message`."""
    text = message or GATEWAY_MESSAGES.get(status, "Internal Server Error")
    return HttpResponse(
        status, msgspec.json.encode({"message": text}), {k.replace("_", "-"): v for k, v in headers.items()}
    )


def throttled(now: float, seconds: float) -> HttpResponse:
    """Return a 429 that asks to wait this many seconds, as the epoch in `RateLimit-Reset` (D)."""
    return gateway_error(429, "Too Many Requests", RateLimit_Reset=str(math.ceil(now + seconds)))


def unknown_route_error(status: int = 403) -> HttpResponse:
    """Return what the gateway says of a path or method that it does not have: 403 (V) or 404 (D)."""
    return gateway_error(status, "Missing Authentication Token" if status == 403 else "Request URL not found")  # noqa: PLR2004  the two that there are


def missing_row_error(status: int = 404, words: str = "backend") -> HttpResponse:
    """Return what is said of a row that does not exist or was deleted: by the backend (I) or as documented (D)."""
    if words == "documented" and status == 404:  # noqa: PLR2004  the documented one
        return gateway_error(404)
    return HttpResponse(status, _encode({"error": True, "response": None, "errors": ["Entity not found."]}))


def validation_error(problems: list[tuple[str, str]], shape: str) -> HttpResponse:
    """Return a failed validation of (field, text) pairs in one of the three shapes."""
    texts = [text for _, text in problems]
    if shape == "422":
        fields: dict[str, list[str]] = {}
        for name, text in problems:
            fields.setdefault(name, []).append(text)
        return HttpResponse(422, _encode({"message": texts[0], "errors": fields}))
    if shape == "200":
        return HttpResponse(200, _encode({"error": True, "response": None, "errors": texts}))
    return HttpResponse(400, _encode({"error": True, "errors": texts}))


def row_response(row: Any, status: int = 200, more: Mapping[str, Any] = NO_KEYS) -> HttpResponse:
    """Return one row in the envelope, which may have more keys."""
    return HttpResponse(status, b'{"error":false,"response":' + _encode(row) + _rest(more))


def page_response(rows: list[bytes] | None, more: Mapping[str, Any] = NO_KEYS) -> HttpResponse:
    """Return a page of rows that are encoded already, in the envelope with more keys; None is null."""
    page = b"null" if rows is None else b"[" + b",".join(rows) + b"]"
    return HttpResponse(200, b'{"error":false,"response":' + page + _rest(more))


def _rest(more: Mapping[str, Any]) -> bytes:
    return b"," + _encode(more)[1:] if more else b"}"


def _encode(value: Any) -> bytes:
    return msgspec.json.encode(value)
