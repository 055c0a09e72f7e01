"""Responses of the API: the envelope, the server's count and clock, or the error that the response means.

A 2xx status alone proves nothing: the API also reports errors in the body of an HTTP 200 (API facts 1.2).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import msgspec

from fieldpulse_api.errors import (
    AuthenticationError,
    FieldPulseError,
    Forbidden,
    RecordInvalid,
    RowNotFound,
    ServerError,
    UncertainWrite,
    UnexpectedResponse,
)
from fieldpulse_api.values.strict_json import decode

from .error_rules import DOCUMENTED_REFUSALS, ERROR_RULES, FORBIDDEN
from .server_words import for_log

_MIN_KEY_LENGTH = 8  # a shorter key, as of a sandbox, may be part of any word
_MAX_MESSAGE_LENGTH = 5000
COUNT_NAMES = ("total_count", "total_results")  # API facts 2.1


@dataclass(frozen=True)
class ApiResponse:
    """The envelope of one successful response.

    `envelope_extras` are the keys beside the rows; empty if the body is not an envelope.
    `date` is the server's clock, or this machine's without `has_server_date`.
    `was_retried`: an earlier attempt failed, and may have been carried out all the same.
    `vendor_headers` are those whose names begin with `FieldPulse-`.
    `body_bytes` is the size of the body, `seconds` the time from the request to the end of the response.
    """

    data: Any
    server_count: int | None
    date: datetime
    envelope_extras: Mapping[str, Any]
    status: int
    has_server_date: bool = True
    was_retried: bool = False
    vendor_headers: Mapping[str, str] = field(default_factory=dict)
    body_bytes: int = 0
    seconds: float = 0.0


def parse_response(
    response: httpx.Response, *, method: str, where: str, api_key: str = "", has_accepted_key: bool = False
) -> ApiResponse:
    """Return the envelope of a response. No error has the `api_key`, even if the server repeats it.

    `has_accepted_key` says that FieldPulse has accepted the key for another request.

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
    if len(api_key) >= _MIN_KEY_LENGTH:
        message = message.replace(api_key, "[…]")
    # A 429 may come from a proxy in another form: a used-up quota must not look like a short throttle.
    searched = (message or (response.text if status == httpx.codes.TOO_MANY_REQUESTS else "")).lower()
    rule = next(rule for rule in ERROR_RULES if status in rule.statuses and rule.phrase in searched)
    what, hint, error_class = rule.what, rule.hint, rule.error
    if has_accepted_key and error_class is AuthenticationError and status == httpx.codes.FORBIDDEN:
        error_class, what, hint = Forbidden, *FORBIDDEN
    if rule.error is RecordInvalid and method == "GET":
        what, hint = "FieldPulse rejected the request", "run again; if it fails again, report the server's message"
    words = for_log(message)
    what += f" (HTTP {response.status_code})" + (f": {words}" if message else "")
    full = "" if words == message else message[:_MAX_MESSAGE_LENGTH]
    proves_nothing = rule.is_retryable or not httpx.codes.is_client_error(status)
    if method == "POST" and proves_nothing:
        raise uncertain_create(what, where, http_status=response.status_code, server_message=full)
    # A write that is refused without a documented reason may be the fault of its record: the run goes on.
    is_refused_write = rule.error is UnexpectedResponse and method != "GET" and status not in DOCUMENTED_REFUSALS
    raise (ServerError if is_refused_write and not proves_nothing else error_class)(
        what,
        where=where,
        hint=hint,
        is_retryable=rule.is_retryable,
        http_status=response.status_code,
        server_message=full,
    )


def uncertain_create(
    what: str, where: str, *, http_status: int | None = None, server_message: str = ""
) -> UncertainWrite:
    """Return the error for a POST whose response is lost or says nothing."""
    return UncertainWrite(
        f"{what}. It is unknown whether the row was created.",
        where=where,
        hint="nothing to do: the target looks for the row before it sends the create again",
        http_status=http_status,
        server_message=server_message,
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
        vendor_headers={
            name: value for name, value in response.headers.items() if name.lower().startswith("fieldpulse-")
        },
        body_bytes=len(response.content),
        seconds=response.extensions["seconds"],
    )


def _messages(body: Any) -> list[str]:
    """Return the server's messages from any of the three shapes of an error (API facts 1.2)."""
    if not isinstance(body, dict):
        return []
    errors = body.get("errors") or body.get("message") or []
    if isinstance(errors, dict):
        errors = [text for texts in errors.values() for text in (texts if isinstance(texts, list) else [texts])]
    return [str(text) for text in (errors if isinstance(errors, list) else [errors])]
