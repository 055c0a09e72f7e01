"""Status and body of every response, apart from the form of rows. The error bodies are those of API facts 1.2."""

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
    """A complete response: status, body, and headers beside those that every response has."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)
    media_type: str = "application/json"


def gateway_error(status: int, message: str | None = None, **headers: str) -> HttpResponse:
    """Return an error of the gateway; its body has the key `message` only. An underscore in a header name is a dash."""
    text = message or GATEWAY_MESSAGES.get(status, "Internal Server Error")
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return HttpResponse(status, _encode({"message": text}), named)


def throttled(now: float, seconds: float) -> HttpResponse:
    """Return a 429 with the end of a wait of `seconds` as UNIX time in `RateLimit-Reset` (documented)."""
    return gateway_error(429, "Too Many Requests", RateLimit_Reset=str(math.ceil(now + seconds)))


def unknown_route_error(status: int = 403) -> HttpResponse:
    """Return the gateway's error for an unknown path or method: 403 (verified) or 404 (documented)."""
    text = "Missing Authentication Token" if status == 403 else "Request URL not found"  # noqa: PLR2004  one of the two
    return gateway_error(status, text)


def missing_row_error(status: int = 404, wording: str = "backend") -> HttpResponse:
    """Return the error for a row that does not exist or was deleted: the backend's (inferred) or the documented one."""
    if wording == "documented" and status == 404:  # noqa: PLR2004  the documented status
        return gateway_error(404)
    return HttpResponse(status, _encode({"error": True, "response": None, "errors": ["Entity not found."]}))


def validation_error(problems: list[tuple[str, str]], status: str) -> HttpResponse:
    """Return a validation error of (field, text) pairs; each status has its own body."""
    texts = [text for _, text in problems]
    if status == "422":
        fields: dict[str, list[str]] = {}
        for name, text in problems:
            fields.setdefault(name, []).append(text)
        return HttpResponse(422, _encode({"message": texts[0], "errors": fields}))
    if status == "200":
        return HttpResponse(200, _encode({"error": True, "response": None, "errors": texts}))
    return HttpResponse(400, _encode({"error": True, "errors": texts}))


def row_response(row: Any, status: int = 200, extra: Mapping[str, Any] = NO_KEYS) -> HttpResponse:
    """Return one row in the envelope, with extra keys behind it."""
    return HttpResponse(status, b'{"error":false,"response":' + _encode(row) + _end(extra))


def page_response(rows: list[bytes] | None, extra: Mapping[str, Any] = NO_KEYS) -> HttpResponse:
    """Return a page of encoded rows in the envelope, with extra keys behind them; None is null."""
    page = b"null" if rows is None else b"[" + b",".join(rows) + b"]"
    return HttpResponse(200, b'{"error":false,"response":' + page + _end(extra))


def _end(extra: Mapping[str, Any]) -> bytes:
    return b"," + _encode(extra)[1:] if extra else b"}"


def _encode(value: Any) -> bytes:
    return msgspec.json.encode(value)
