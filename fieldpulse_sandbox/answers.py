"""Every body and status that the API answers with, apart from rows. The three error shapes are the contract's 1.2."""

from __future__ import annotations

from dataclasses import dataclass, field
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


@dataclass(frozen=True)
class Answer:
    """A complete answer: status, body and the headers that are peculiar to it."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)
    media_type: str = "application/json"


def gateway(status: int, message: str | None = None, **headers: str) -> Answer:
    """Return an error of the gateway, which knows only `message`."""
    text = message or GATEWAY_MESSAGES.get(status, "Internal Server Error")
    return Answer(status, msgspec.json.encode({"message": text}), {k.replace("_", "-"): v for k, v in headers.items()})


def unknown_route() -> Answer:
    """Return what the gateway says of a path or method that it does not have (V)."""
    return gateway(403, "Missing Authentication Token")


def missing() -> Answer:
    """Return what the backend says of a row that does not exist or was deleted."""
    return Answer(404, _encode({"error": True, "response": None, "errors": ["Entity not found."]}))


def invalid(problems: list[tuple[str, str]], shape: str) -> Answer:
    """Return a failed validation of (field, text) pairs in one of the three shapes."""
    texts = [text for _, text in problems]
    if shape == "422":
        fields: dict[str, list[str]] = {}
        for name, text in problems:
            fields.setdefault(name, []).append(text)
        return Answer(422, _encode({"message": texts[0], "errors": fields}))
    if shape == "200":
        return Answer(200, _encode({"error": True, "response": None, "errors": texts}))
    return Answer(400, _encode({"error": True, "errors": texts}))


def single(row: dict[str, Any], status: int = 200) -> Answer:
    """Return one row in the envelope."""
    return Answer(status, b'{"error":false,"response":' + _encode(row) + b"}")


def listing(rows: list[bytes], count_key: str | None, count: int | None) -> Answer:
    """Return a page of rows that are encoded already; a count that was not asked for is null (V)."""
    counted = b"" if count_key is None else b',"%s":%s' % (count_key.encode(), _encode(count))
    return Answer(200, b'{"error":false,"response":[' + b",".join(rows) + b"]" + counted + b"}")


def _encode(value: Any) -> bytes:
    return msgspec.json.encode(value)
