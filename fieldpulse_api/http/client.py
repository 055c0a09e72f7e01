"""One request in, one envelope out: retries where they are safe, and every status as an error of ours."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from decimal import Decimal
from typing import Any

import backoff
import httpx
import msgspec

from fieldpulse_api.errors import (
    AuthenticationError,
    ConnectionFailed,
    FieldPulseError,
    RecordInvalid,
    RequestLimitReached,
    RowNotFound,
    ServerError,
    ServiceError,
    UncertainWrite,
    UnexpectedResponse,
    without_personal_data,
)

from .auth import server_date
from .settings import ClientSettings
from .transport import make_http_client

_NEVER_LEFT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError, httpx.UnsupportedProtocol)
_LARGEST_BODY = 10 << 20  # bytes (contract 1.2, I)
_AGAIN = "run again; what was done is kept"
_DECODER = msgspec.json.Decoder(float_hook=Decimal)
COUNT_NAMES = ("total_count", "total_results")
_ENCODER = msgspec.json.Encoder(decimal_format="number")

# The status table. 200 with `error: true` is read as 400; 403 depends on its message.
_BY_STATUS: dict[int, tuple[type[FieldPulseError], str, str]] = {
    302: (UnexpectedResponse, "FieldPulse sent the request elsewhere, where the key is not sent", "check api_url"),
    400: (RecordInvalid, "FieldPulse refused the record", "correct the record; the server's words are above"),
    401: (
        AuthenticationError,
        "FieldPulse refused the API key",
        "set api_key or api_key_file; `fieldpulse doctor` checks it",
    ),
    403: (
        AuthenticationError,
        "FieldPulse refused the API key",
        "set api_key or api_key_file; `fieldpulse doctor` checks it",
    ),
    404: (RowNotFound, "FieldPulse has no such row (any more)", "check the id: it may have been deleted in FieldPulse"),
    413: (
        RecordInvalid,
        "FieldPulse refused the record as too large",
        "make the record smaller: the gateway takes 10 MB",
    ),
    422: (RecordInvalid, "FieldPulse refused the record", "correct the record; the server's words are above"),
    500: (ServerError, "FieldPulse failed", _AGAIN),
}
_NO_ROUTE = (
    UnexpectedResponse,
    "FieldPulse knows no such path or method",
    "deselect the stream if your plan does not have it, else report it: the API has changed",
)


@dataclass(frozen=True)
class RetryPolicy:
    """How long to go on with a request that is safe to repeat. Both limits hold; units are seconds."""

    max_attempts: int = 6
    max_seconds: float = 120.0
    first_wait_seconds: float = 0.5


@dataclass(frozen=True)
class ApiResponse:
    """One envelope. `count` is the server's count of the list where it sent one, `date` its clock.

    Where it is not `is_dated`, the clock is ours. `status` is HTTP's. `beside` is what the envelope holds besides the
    response; empty where there was no envelope.
    `was_repeated` says that the same request was sent before, and what became of that is not known.
    """

    data: Any
    server_count: int | None
    date: datetime
    envelope_extras: Mapping[str, Any]
    status: int
    has_server_date: bool = True
    was_retried: bool = False


class Client:
    """Talk to one account of the API. May be used by many threads.

    `requests` counts what was sent, repeated ones included; more than `at_most` are not sent.

    Raises: the errors of `errors`, and nothing of httpx's; RequestLimitReached once `at_most` were sent.
    """

    def __init__(
        self, settings: ClientSettings, *, retry_policy: RetryPolicy | None = None, max_requests: int | None = None
    ) -> None:
        self.settings = settings
        retry_policy = retry_policy or RetryPolicy()
        self._http = make_http_client(settings, self._sending)
        self.request_count, self._at_most = 0, max_requests
        self._sent, self._counting = threading.local(), threading.Lock()
        weakref.finalize(self, self._http.close)  # for those who forget to
        self._send_safely: Callable[..., ApiResponse] = backoff.on_exception(
            backoff.expo,
            ServiceError,
            max_tries=retry_policy.max_attempts,
            max_time=retry_policy.max_seconds,
            giveup=lambda error: not error.is_retryable,
            factor=retry_policy.first_wait_seconds,
            max_value=20,
            logger=None,
        )(self._send)

    def get(self, path: str, params: Mapping[str, str] | None = None) -> ApiResponse:
        """Read. Repeated when it fails."""
        return self._send_safely("GET", path, params=params)

    def put(self, path: str, body: Mapping[str, Any]) -> ApiResponse:
        """Change the given fields of a row. Repeated when it fails: the same twice is the same."""
        self._sent.tries = 0
        reply = self._send_safely("PUT", path, body=body)
        return replace(reply, was_retried=self._sent.tries > 1)

    def post(self, path: str, body: Mapping[str, Any]) -> ApiResponse:
        """Create. Repeated only when the request never left.

        Raises: OutcomeUnknown when the row may have been created.
        """
        return self._send_safely("POST", path, body=body)

    def delete(self, path: str) -> ApiResponse:
        """Delete a row. Repeated when it fails; a row that is gone already is NotFound."""
        return self._send_safely("DELETE", path)

    @property
    def requests_of_this_thread(self) -> int:
        """Return how many requests this thread has sent, repeated ones included."""
        number: int = getattr(self._sent, "number", 0)
        return number

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _sending(self) -> None:
        """Count a request that is about to be sent."""
        with self._counting:
            if self.request_count == self._at_most:
                what = f"Request limit of {self._at_most} reached."
                raise RequestLimitReached(what, where="API client", hint="raise max_requests")
            self.request_count += 1
        self._sent.number = self.requests_of_this_thread + 1

    def _send(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> ApiResponse:
        where = f"{method} {path}" + (f" page {params['page']}" if params and "page" in params else "")
        content = None if body is None else _ENCODER.encode(body)
        if content and len(content) > _LARGEST_BODY:
            what = f"The body has {len(content) / 2**20:.1f} MB; the gateway takes {_LARGEST_BODY >> 20}"
            raise RecordInvalid(f"{what}.", where=where, hint="make the record smaller")
        headers = None if body is None else {"content-type": "application/json"}
        url = self.settings.api_url + path
        self._sent.tries = getattr(self._sent, "tries", 0) + 1
        try:
            answer = self._http.request(method, url, params=params, content=content, headers=headers)
        except _NEVER_LEFT as error:
            hint = f"check the network and api_url; {_AGAIN}"
            raise _repeatable(ConnectionFailed(_broken(error), where=where, hint=hint)) from None
        except httpx.HTTPError as error:
            if method == "POST":
                raise _unknown(_broken(error), where) from None
            raise _repeatable(ConnectionFailed(_broken(error), where=where, hint=_AGAIN)) from None
        try:
            return _read(answer, method, where)
        except FieldPulseError as error:
            error.http_status = answer.status_code
            raise


def _read(answer: httpx.Response, method: str, where: str) -> ApiResponse:
    """Turn an answer into an envelope or an error; whether to repeat goes with the error."""
    try:
        body = _DECODER.decode(answer.content)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        body = None
    status = answer.status_code
    if answer.is_redirect and method != "POST":
        raise _failure(302, f" (HTTP {status})", where)
    if status >= httpx.codes.INTERNAL_SERVER_ERROR:
        error: FieldPulseError = _failure(500, f" (HTTP {status})", where)
        raise _unknown(error.what, where) if method == "POST" else _repeatable(error)
    if status >= httpx.codes.BAD_REQUEST:
        raise _refusal(status, body, where)
    if not answer.is_success or not isinstance(body, dict):
        unexpected = f"FieldPulse answered HTTP {status} with something that is not its envelope."
        if method == "POST":
            raise _unknown(unexpected, where)
        raise _repeatable(UnexpectedResponse(unexpected, where=where, hint=_AGAIN))
    if body.get("error"):
        raise _refusal(httpx.codes.BAD_REQUEST, body, where)
    date = server_date(answer)
    response = body.pop("response") if "response" in body else body
    beside = {} if response is body else body
    return ApiResponse(
        data=response,
        server_count=server_count_of(beside),
        date=date or datetime.now(timezone.utc),
        envelope_extras=beside,
        status=answer.status_code,
        has_server_date=date is not None,
    )


def _refusal(status: int, body: Any, where: str) -> FieldPulseError:
    texts = _texts(body)
    said = f": {without_personal_data('; '.join(texts))}" if texts else ""
    if status == httpx.codes.FORBIDDEN and "Missing Authentication Token" in texts:
        kind, what, hint = _NO_ROUTE
        return kind(f"{what} (HTTP 403){said}", where=where, hint=hint)
    if status == httpx.codes.BAD_REQUEST and any("not found" in text.lower() for text in texts):
        status = httpx.codes.NOT_FOUND
    return _failure(status, f" (HTTP {status}){said}", where)


def is_unknown_path(error: FieldPulseError | None) -> bool:
    """Say whether FieldPulse answered that there is no such path, for this key or at all."""
    is_forbidden = isinstance(error, _NO_ROUTE[0]) and error.http_status == httpx.codes.FORBIDDEN
    return is_forbidden or (isinstance(error, RowNotFound) and error.http_status == httpx.codes.NOT_FOUND)


def _failure(status: int, detail: str, where: str) -> FieldPulseError:
    kind, what, hint = _BY_STATUS.get(
        status, (UnexpectedResponse, "FieldPulse answered what it is not known to", _AGAIN)
    )
    if kind is RecordInvalid and where.startswith("GET "):
        what, hint = "FieldPulse refused to be asked", "run again; if it stays, report it with the server's words"
    return kind(f"{what}{detail}", where=where, hint=hint)


def _texts(body: Any) -> list[str]:
    """Return the server's words from any of the three error shapes (contract 1.2)."""
    if not isinstance(body, dict):
        return []
    errors = body.get("errors") or body.get("message") or []
    if isinstance(errors, dict):
        errors = [text for texts in errors.values() for text in (texts if isinstance(texts, list) else [texts])]
    return [str(text) for text in (errors if isinstance(errors, list) else [errors])]


def server_count_of(body: Mapping[str, Any]) -> int | None:
    """Return the server's count under either of its names (contract 2.1)."""
    for name in COUNT_NAMES:
        value = body.get(name)
        if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
            return value
        if isinstance(value, str) and value.isascii() and value.isdigit():
            return int(value)
    return None


def _repeatable(error: FieldPulseError) -> FieldPulseError:
    error.is_retryable = True
    return error


def _broken(error: httpx.HTTPError) -> str:
    return f"The connection to FieldPulse failed ({type(error).__name__})."


def _unknown(what: str, where: str) -> UncertainWrite:
    return UncertainWrite(
        f"{what} Whether the row was created is unknown.",
        where=where,
        hint="nothing: the ledger looks for it before anything is sent again",
    )
