"""Pushes events to a receiver with HTTP, one after the other, so that the receiver gets them in order.

======================================  ====================================================================
the receiver                            what happens
======================================  ====================================================================
responds with 2xx within the time-out   the event is delivered
is not reached, is silent, responds     it is sent again, with waits of up to a minute, for a quarter of an
with 408, 425, 429 or 5xx               hour at most
responds with 3xx, 401, 403, 404, 405,  the address or the secret is wrong, not the event: UserError
407 or 410
responds with another status            it refuses this event, which is put aside, or else ends the command
======================================  ====================================================================
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Literal

import backoff
import httpx

from fieldpulse_api.errors import FieldPulseError, UserError
from fieldpulse_api.http.retry import RetryPolicy
from fieldpulse_api.http.transport import environment_transport

from .endpoint import Endpoint
from .refused_file import RefusedFile

_TIMEOUT_SECONDS = 10.0
_MAX_RESPONSE_BYTES = 64 * 1024
_MAX_WAIT_SECONDS = 60
_LOGGED_WAIT_SECONDS = 1.0
_POLICY = RetryPolicy(max_attempts=1000, max_seconds=900.0)
_TRY_AGAIN = {408, 425, 429}
_WRONG_ADDRESS = {401, 403, 404, 405, 407, 410}
_OK, _CLIENT_ERROR, _SERVER_ERROR = range(200, 300), range(400, 500), range(500, 600)


Outcome = Literal["delivered", "refused"]


class EventRefused(FieldPulseError):
    """The receiver refuses one event, and would refuse it again."""


class ReceiverUnavailable(FieldPulseError):
    """The receiver did not accept an event, and may accept it later."""


class Sender:
    """Push events to an endpoint. Those that it refuses go to a file, if there is one.

    `log` gets a line for each refused event, and for each wait of more than a second.

    Raises: ConfigError if the proxy or the certificates of the environment are not usable.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        refused_file: RefusedFile | None,
        log: Callable[[str], None],
        policy: RetryPolicy = _POLICY,
        timeout_seconds: float = _TIMEOUT_SECONDS,
    ) -> None:
        self._endpoint, self._refused_file, self._log = endpoint, refused_file, log
        self._policy, self._timeout_seconds = policy, timeout_seconds
        self._http = httpx.Client(
            transport=environment_transport(httpx.URL(endpoint.url)),
            timeout=timeout_seconds,
            headers={"user-agent": "singer-fieldpulse", "content-type": "application/json"},
        )

    def send(self, event_id: str, body: bytes) -> Outcome:
        """Return once the receiver has acknowledged an event, or the event is in the file of refused ones.

        Raises: EventRefused without such a file; UserError for a wrong address or secret; ReceiverUnavailable after all
        attempts.
        """
        status = self._send_until_answered(event_id, body)
        if status in _OK:
            return "delivered"
        refusal = EventRefused(
            f"The receiver refuses an event (HTTP {status}).",
            where=f"{self._endpoint.host} · event {event_id}",
            hint="correct the receiver, or put refused events aside with --refused",
        )
        if self._refused_file is None:
            raise refusal
        self._refused_file.append(body, status)
        self._log(f"{refusal.what[:-1]}, which is now in the file of refused ones: event {event_id}")
        return "refused"

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _send_until_answered(self, event_id: str, body: bytes) -> int:
        """Return the response to an event: that it is accepted, or that it is refused."""
        status = 0
        for attempt in backoff.retry_context(
            ReceiverUnavailable,
            backoff.expo,
            max_tries=self._policy.max_attempts,
            max_time=self._policy.max_seconds,
            on_backoff=lambda details: self._log_wait(details["wait"], details["exception"]),
            logger=None,
            factor=self._policy.first_wait_seconds,
            max_value=_MAX_WAIT_SECONDS,
        ):
            with attempt:
                status = self._attempt(event_id, body)
                self._check(status)
        return status

    def _attempt(self, event_id: str, body: bytes) -> int:
        """Send an event once and return the status. The body of the response is read, so that the connection lasts."""
        headers = self._endpoint.headers(event_id, body, int(time.time()))
        deadline, received_bytes = time.monotonic() + self._timeout_seconds, 0
        try:
            with self._http.stream("POST", self._endpoint.url, content=body, headers=headers) as response:
                with suppress(httpx.HTTPError):  # its status has come
                    for chunk in response.iter_raw():
                        received_bytes += len(chunk)
                        if received_bytes > _MAX_RESPONSE_BYTES or time.monotonic() > deadline:
                            break
                return response.status_code
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise self._unavailable(type(error).__name__) from None

    def _check(self, status: int) -> None:
        """Raise for a response that is not about the event."""
        if status in _TRY_AGAIN or status in _SERVER_ERROR:
            raise self._unavailable(f"HTTP {status}")
        if status not in _OK and (status in _WRONG_ADDRESS or status not in _CLIENT_ERROR):
            raise UserError(
                f"The receiver does not take events at this address (HTTP {status}).",
                where=self._endpoint.host,
                hint="check the URL, which may not redirect, and that the receiver has the same push_secret",
            )

    def _unavailable(self, reason: str) -> ReceiverUnavailable:
        return ReceiverUnavailable(
            f"The receiver does not accept events ({reason}).",
            where=self._endpoint.host,
            hint="start it again; events that were not delivered wait for the next run",
        )

    def _log_wait(self, seconds: float, error: FieldPulseError) -> None:
        if seconds >= _LOGGED_WAIT_SECONDS:
            self._log(f"{error.what} Sending the event again in {seconds:.0f} s.")
