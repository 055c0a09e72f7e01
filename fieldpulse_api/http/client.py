"""The client of one FieldPulse account: one call in, one envelope or one error out, retries included."""

from __future__ import annotations

import logging
import math
import threading
import time
import weakref
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, cast

import backoff
import httpx

from fieldpulse_api.errors import ConnectionFailed, RateLimited, RecordInvalid, ResponseLost, ServerError, ServiceError
from fieldpulse_api.values.strict_json import encode

from .auth import ThrottledAuthenticator
from .error_rules import DOCUMENTED_REFUSALS, RUN_AGAIN
from .limits.rate_limiter import MAX_PAUSE_SECONDS
from .page_size import PageSize
from .responses import ApiResponse, parse_response, uncertain_create
from .retry import IF_SMALLER_IS_POSSIBLE, RetryPolicy, may_be_too_large, seconds_until_reset
from .settings import ClientSettings
from .traffic import TrafficFacts
from .transport import open_transport

_LOGGER = logging.getLogger(__name__)
_MAX_BODY_BYTES = 10 << 20  # of the gateway (API facts 1.2, inferred)
_MAX_RETRY_WAIT_SECONDS = 20
_MAX_THROTTLED_SECONDS = 2 * MAX_PAUSE_SECONDS
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError, httpx.UnsupportedProtocol)


class Client:
    """A thread-safe client of one account. It sends at most `max_requests` requests, retries included.

    What may be repeated follows from what may have happened at the server:

    | outcome | GET, PUT, DELETE | POST |
    |---|---|---|
    | not sent (no connection) | retry | retry |
    | throttled (429) or key replaced: not carried out | send again | send again |
    | rejected (other 4xx) | error | error |
    | no response, 5xx, no envelope: may have been carried out | retry | UncertainWrite |

    `page_sizes` are the page sizes of this account's lists, by list and largest size, as this client found them out.
    `has_accepted_key` says that FieldPulse has: from then on a 403 is about what was asked for.

    Raises: errors of `fieldpulse_api.errors` only; RequestLimitReached after `max_requests`.
    """

    def __init__(
        self, settings: ClientSettings, *, retry_policy: RetryPolicy | None = None, max_requests: int | None = None
    ) -> None:
        self.settings = settings
        self.page_sizes: dict[tuple[str, int], PageSize] = {}
        self._retry_policy = retry_policy or RetryPolicy()
        self._authenticator = ThrottledAuthenticator(settings.api_key, settings.rate_limiter)
        self._transport = open_transport(settings, max_requests)
        self._http = httpx.Client(
            transport=self._transport,
            auth=self._authenticator,
            timeout=settings.timeout_seconds,
            follow_redirects=False,  # the key is sent to `api_url` only
            headers={"accept": "application/json", "accept-encoding": "gzip"},
        )
        self._this_thread = threading.local()
        weakref.finalize(self, self._http.close)
        self._check_before_write: Callable[[], None] | None = None
        self.has_accepted_key = False

    @property
    def request_count(self) -> int:
        """Return how many requests were sent, retries included."""
        return self._transport.request_count

    @property
    def requests_of_this_thread(self) -> int:
        """Return how many requests the calling thread has sent, retries included."""
        return self._transport.requests_of_this_thread

    def traffic_facts(self) -> TrafficFacts:
        """Return what the requests were so far: counts, latencies, their spread over time."""
        return self._transport.traffic.facts()

    def quota_text(self) -> str:
        """Return the use of the monthly quota at the last request, and its forecast; empty without a quota."""
        quota, use = self.settings.monthly_quota, self._authenticator.month_use()
        return use.text(quota) if quota and use else ""

    def guard_writes(self, check: Callable[[], None]) -> None:
        """Call `check` before each POST, PUT and DELETE leaves, retries included. What it raises is raised here.

        It is called last of all, after the wait for a slot and for the connection, and again between the headers and
        the body: a request without its body is not carried out.
        """
        self._check_before_write = check

    @property
    def writes_of_this_thread(self) -> int:
        """Return how many writes of the calling thread FieldPulse has carried out, or may have carried out."""
        return cast("int", getattr(self._this_thread, "write_count", 0))

    def get(
        self, path: str, params: Mapping[str, str] | None = None, *, smaller_is_possible: bool = False
    ) -> ApiResponse:
        """Read a list or a row.

        With `smaller_is_possible`, a failure that the size of the response may explain is retried once only, as the
        caller will request less.
        """
        return self._request("GET", path, params=params, smaller_is_possible=smaller_is_possible)

    def put(self, path: str, body: Mapping[str, Any]) -> ApiResponse:
        """Change the fields of a row that `body` names."""
        return self._request("PUT", path, body=body)

    def post(self, path: str, body: Mapping[str, Any]) -> ApiResponse:
        """Create a row, or run an action.

        Raises: UncertainWrite if it may have been carried out.
        """
        return self._request("POST", path, body=body)

    def delete(self, path: str) -> ApiResponse:
        """Delete a row.

        Raises: RowNotFound if there is no such row, also because an earlier attempt has deleted it.
        """
        return self._request("DELETE", path)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        smaller_is_possible: bool = False,
    ) -> ApiResponse:
        where = f"{method} {path}" + (f" page {params['page']}" if params and "page" in params else "")
        content = None if body is None else encode(body)
        if content and len(content) > _MAX_BODY_BYTES:
            what = f"The request body has {len(content) / 2**20:.1f} MB; FieldPulse's gateway accepts 10 MB."
            raise RecordInvalid(what, where=where, hint="make the record smaller")
        query = f"?{httpx.QueryParams(params)}" if params else ""  # as `params=`, httpx would parse the URL twice
        request = self._http.build_request(
            method,
            f"{self.settings.api_url}{path}{query}",
            content=content,
            headers=None if body is None else {"content-type": "application/json"},
            extensions={} if method == "GET" else _trace_extension(self._check_before_write),
        )
        policy, attempts, started_at, failing_since = self._retry_policy, 0, time.monotonic(), math.inf

        def gives_up(error: BaseException) -> bool:
            nonlocal failing_since
            failing_since = min(failing_since, time.monotonic())
            if isinstance(error, ServerError):
                error.failing_since = failing_since
            if not isinstance(error, ServiceError) or not error.is_retryable:
                return True
            seconds = time.monotonic() - started_at
            is_spent = attempts >= IF_SMALLER_IS_POSSIBLE.max_attempts or seconds > IF_SMALLER_IS_POSSIBLE.max_seconds
            return smaller_is_possible and may_be_too_large(error) and is_spent

        for attempt in backoff.retry_context(
            ServiceError,
            backoff.expo,
            max_tries=policy.max_attempts,
            max_time=policy.max_seconds,
            giveup=gives_up,
            on_backoff=lambda details: _log_retry(request, where, details["wait"], details["exception"]),
            logger=None,
            factor=policy.first_wait_seconds,
            max_value=_MAX_RETRY_WAIT_SECONDS,
        ):
            attempts += 1
            with attempt:
                response = self._send_unthrottled(request, where)
        return replace(response, was_retried=attempts > 1)

    def _send_unthrottled(self, request: httpx.Request, where: str) -> ApiResponse:
        """Send a request, and again after each 429, which says that it was not carried out.

        The pause is the rate limiter's: it holds for every thread and process that uses the key.

        Raises: RateLimited once the pauses would take more than a minute, or after two minutes, whoever set the pauses.
        """
        throttled_count, paused_seconds, began_at = 0, 0.0, time.monotonic()
        while True:
            response = self._send(request, where)
            try:
                parsed = parse_response(
                    response,
                    method=request.method,
                    where=where,
                    api_key=self.settings.api_key.value,
                    has_accepted_key=self.has_accepted_key,
                )
            except RateLimited as error:
                throttled_count += 1
                seconds = seconds_until_reset(response, throttled_count)
                paused_seconds += seconds
                if paused_seconds > MAX_PAUSE_SECONDS or time.monotonic() - began_at > _MAX_THROTTLED_SECONDS:
                    raise
                _log_retry(request, where, seconds, error)
                self._authenticator.pause(seconds)
            else:
                self.has_accepted_key = True
                return parsed

    def _send(self, request: httpx.Request, where: str) -> httpx.Response:
        try:
            response = self._http.send(request)
            # It was read whole. httpx 0.28 ties it and its stream to each other, so pages would stay in memory until
            # garbage is collected, which Python 3.14.2 does late (httpx pull request 3733).
            response.stream = httpx.ByteStream(b"")
        except httpx.HTTPError as error:
            if not isinstance(error, _NOT_SENT):
                self._count_write(request)
            what = f"The connection to FieldPulse failed ({type(error).__name__})"
            if isinstance(error, _NOT_SENT):
                hint = f"check the network and api_url; {RUN_AGAIN}"
                raise ConnectionFailed(f"{what}.", where=where, hint=hint, is_retryable=True) from None
            if request.method == "POST":
                raise uncertain_create(what, where) from None
            raise ResponseLost(f"{what}.", where=where, hint=RUN_AGAIN, is_retryable=True) from None
        if response.status_code not in DOCUMENTED_REFUSALS:
            self._count_write(request)
        return response

    def _count_write(self, request: httpx.Request) -> None:
        if request.method != "GET":
            self._this_thread.write_count = self.writes_of_this_thread + 1


def _trace_extension(check: Callable[[], None] | None) -> dict[str, Any]:
    """Return the extension of httpcore that calls `check` right before headers or a body are sent."""

    def trace(event: str, _: object) -> None:
        if check and event.endswith(("send_request_headers.started", "send_request_body.started")):
            check()

    return {"trace": trace} if check else {}


def _log_retry(request: httpx.Request, where: str, seconds: float, error: BaseException) -> None:
    attempt = request.extensions["attempt"] + 1
    _LOGGER.info("Sending %s again in %.1f s (attempt %d): %s", where, seconds, attempt, error.args[0])
