"""Responses of the API: the envelope, the server's count and clock, and which error a status means.

A 2xx status alone proves nothing: the API also reports errors in the body of an HTTP 200 (API facts 1.2).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import msgspec

from fieldpulse_api.errors import (
    AuthenticationError,
    FieldPulseError,
    QuotaExceeded,
    RateLimited,
    RecordInvalid,
    RowNotFound,
    ServerError,
    UncertainWrite,
    UnexpectedResponse,
    without_personal_data,
)
from fieldpulse_api.values.strict_json import decode

COUNT_NAMES = ("total_count", "total_results")  # API facts 2.1
RUN_AGAIN = "run again; completed work is kept"

_MIN_WAIT_SECONDS = 0.25
_MAX_WAIT_SECONDS = 30.0
_MIN_EPOCH_SECONDS = 1_000_000_000


@dataclass(frozen=True)
class ApiResponse:
    """The envelope of one successful response.

    `envelope_extras` are the keys beside the rows; empty if the body is not an envelope.
    `date` is the server's clock, or this machine's without `has_server_date`.
    `was_retried`: an earlier attempt failed, and may have been carried out all the same.
    """

    data: Any
    server_count: int | None
    date: datetime
    envelope_extras: Mapping[str, Any]
    status: int
    has_server_date: bool = True
    was_retried: bool = False


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


_REJECTED_KEY = "FieldPulse rejected the API key", "set api_key or api_key_file; `fieldpulse doctor` checks it"
_REJECTED_RECORD = "FieldPulse rejected the record", "correct the record as the server's message says"
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
    ErrorRule(range(500, 1000), ServerError, "FieldPulse had an internal error", RUN_AGAIN, is_retryable=True),
    ErrorRule(range(200, 300), UnexpectedResponse, "FieldPulse sent no valid envelope", RUN_AGAIN, is_retryable=True),
    ErrorRule(range(1000), UnexpectedResponse, "FieldPulse sent an unexpected status", RUN_AGAIN),
)


def parse_response(response: httpx.Response, *, method: str, where: str) -> ApiResponse:
    """Return the envelope of a response.

    Raises: the error of the first of `ERROR_RULES` that fits; UncertainWrite if a create may have been carried out.
    """
    try:
        body = decode(response.content)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        body = None
    is_envelope = response.is_success and isinstance(body, dict)
    if is_envelope and not body.get("error"):
        return _envelope(response, body)
    status = httpx.codes.BAD_REQUEST if is_envelope else response.status_code
    message = "; ".join(_messages(body))
    # A 429 may come from a proxy in another form: a used-up quota must not look like a short throttle.
    searched = (message or (response.text if status == httpx.codes.TOO_MANY_REQUESTS else "")).lower()
    rule = next(rule for rule in ERROR_RULES if status in rule.statuses and rule.phrase in searched)
    what, hint = rule.what, rule.hint
    if rule.error is RecordInvalid and method == "GET":
        what, hint = "FieldPulse rejected the request", "run again; if it fails again, report the server's message"
    what += f" (HTTP {response.status_code})" + (f": {without_personal_data(message)}" if message else "")
    if method == "POST" and not httpx.codes.is_client_error(status):
        raise uncertain_create(what, where, http_status=response.status_code)
    raise rule.error(what, where=where, hint=hint, is_retryable=rule.is_retryable, http_status=response.status_code)


def uncertain_create(what: str, where: str, *, http_status: int | None = None) -> UncertainWrite:
    """Return the error for a POST whose response is lost or says nothing."""
    return UncertainWrite(
        f"{what}. It is unknown whether the row was created.",
        where=where,
        hint="nothing to do: the target looks for the row before it sends the create again",
        http_status=http_status,
    )


def is_unknown_path(error: FieldPulseError | None) -> bool:
    """Return whether an error means that the API has no such path, for this key or at all."""
    is_no_route = isinstance(error, UnexpectedResponse) and error.http_status == httpx.codes.FORBIDDEN
    return is_no_route or (isinstance(error, RowNotFound) and error.http_status == httpx.codes.NOT_FOUND)


def server_count_of(body: Mapping[str, Any]) -> int | None:
    """Return the server's count of a list, under either of its names; None if it sent none."""
    for name in COUNT_NAMES:
        value = body.get(name)
        if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
            return value
        if isinstance(value, str) and value.isascii() and value.isdigit():
            return int(value)
    return None


def seconds_until_reset(response: httpx.Response, refusals: int) -> float:
    """Return how long to wait after a 429; `refusals` counts those of this request, from 1.

    `RateLimit-Reset` is documented as an epoch, and is compared with the server's own clock. A small number is taken as
    seconds, which the header means elsewhere. Without a valid header the waits are 1, 2, 4 … seconds.
    """
    try:
        reset = float(response.headers["RateLimit-Reset"])
    except (KeyError, ValueError):
        reset = math.nan
    if not math.isfinite(reset):
        reset = float(2 ** min(refusals - 1, 5))
    if reset > _MIN_EPOCH_SECONDS:
        reset -= (server_date(response) or datetime.now(timezone.utc)).timestamp()
    return min(max(reset, _MIN_WAIT_SECONDS), _MAX_WAIT_SECONDS)


def server_date(response: httpx.Response) -> datetime | None:
    """Return the server's clock, None without a valid `Date` header."""
    try:
        return parsedate_to_datetime(response.headers["Date"]).astimezone(timezone.utc)
    except (KeyError, TypeError, ValueError, OverflowError):
        return None


def _envelope(response: httpx.Response, body: dict[str, Any]) -> ApiResponse:
    """Split the rows from what stands beside them. `/version` may come without an envelope: it is data as a whole."""
    data, extras = (body.pop("response"), body) if "response" in body else (body, {})
    date = server_date(response)
    return ApiResponse(
        data=data,
        server_count=server_count_of(extras),
        date=date or datetime.now(timezone.utc),
        envelope_extras=extras,
        status=response.status_code,
        has_server_date=date is not None,
    )


def _messages(body: Any) -> list[str]:
    """Return the server's messages from any of the three shapes of an error (API facts 1.2)."""
    if not isinstance(body, dict):
        return []
    errors = body.get("errors") or body.get("message") or []
    if isinstance(errors, dict):
        errors = [text for texts in errors.values() for text in (texts if isinstance(texts, list) else [texts])]
    return [str(text) for text in (errors if isinstance(errors, list) else [errors])]
