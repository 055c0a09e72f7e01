"""The table of HTTP statuses and the errors that they mean, in one place because several statuses have two meanings."""

from __future__ import annotations

from dataclasses import dataclass

from fieldpulse_api.errors import (
    AuthenticationError,
    FieldPulseError,
    QuotaExceeded,
    RateLimited,
    RecordInvalid,
    RowNotFound,
    ServerError,
    UnexpectedResponse,
)

RUN_AGAIN = "run again; completed work is kept"


@dataclass(frozen=True)
class ErrorRule:
    """The error that a status means, if `phrase` is part of the server's message."""

    statuses: range
    error: type[FieldPulseError]
    what: str
    hint: str
    phrase: str = ""
    is_retryable: bool = False


def _only(status: int) -> range:
    return range(status, status + 1)


DOCUMENTED_REFUSALS = frozenset({400, 401, 403, 404, 413, 422, 429})
"""Statuses with which FieldPulse says that it did not carry a request out."""
_REJECTED_KEY = "FieldPulse rejected the API key", "set api_key or api_key_file; `fieldpulse doctor` checks it"
FORBIDDEN = (
    "FieldPulse accepts the API key, but not for this",
    "ask FieldPulse whether your plan includes it, or leave the stream out",
)
"""For the 403 of a key that FieldPulse has accepted before."""
_REJECTED_RECORD = "FieldPulse rejected the record", "correct the record as the server's message says"
_NO_PROOF = 408, 425, 499
"""Statuses that proxies send when they gave up: the request may have been carried out, as after a 5xx."""
_NO_ROW = "FieldPulse has no such row", "check the id: the row may be deleted"

# The first rule that fits a response counts. An HTTP 200 with `"error": true` is treated as 400.
ERROR_RULES = (
    ErrorRule(range(300, 400), UnexpectedResponse, "FieldPulse redirected the request", "correct `api_url`"),
    ErrorRule(_only(400), RowNotFound, *_NO_ROW, phrase="not found"),
    ErrorRule(_only(400), RecordInvalid, *_REJECTED_RECORD),
    ErrorRule(_only(401), AuthenticationError, *_REJECTED_KEY),
    ErrorRule(
        _only(403),
        UnexpectedResponse,
        "FieldPulse has no such path or method",
        "deselect the stream if your plan does not include it; otherwise the API has changed: report it",
        phrase="missing authentication token",
    ),
    ErrorRule(_only(403), AuthenticationError, *_REJECTED_KEY),
    ErrorRule(_only(404), RowNotFound, *_NO_ROW),
    ErrorRule(_only(413), RecordInvalid, "FieldPulse rejected the record as too large", "make it smaller than 10 MB"),
    ErrorRule(_only(422), RecordInvalid, *_REJECTED_RECORD),
    ErrorRule(
        _only(429),
        QuotaExceeded,
        "This month's requests to FieldPulse are used up",
        "run again when the quota is renewed, or ask FieldPulse to raise it; state is kept",
        phrase="limit exceeded",
    ),
    ErrorRule(
        _only(429),
        RateLimited,
        "FieldPulse throttles this API key",
        "lower requests_per_second: something else uses the key's 50 requests per second",
    ),
    *(
        ErrorRule(_only(status), ServerError, "FieldPulse's gateway gave up", RUN_AGAIN, is_retryable=True)
        for status in _NO_PROOF
    ),
    ErrorRule(range(500, 1000), ServerError, "FieldPulse had an internal error", RUN_AGAIN, is_retryable=True),
    ErrorRule(range(200, 300), UnexpectedResponse, "FieldPulse sent no valid envelope", RUN_AGAIN, is_retryable=True),
    ErrorRule(range(1000), UnexpectedResponse, "FieldPulse sent an unexpected status", RUN_AGAIN),
)
