"""The throttled authenticator, used by tap and target alike: a slot of the budget, the key, the two kinds of 429."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime

import httpx

from fieldpulse_api.errors import QuotaExceeded, RateLimited

from .api_key import ApiKey
from .rate_limiter import MAX_PAUSE_SECONDS, RateLimiter

_SHORTEST_WAIT_SECONDS = 0.25
_LONGEST_WAIT_SECONDS = 30.0
_EPOCH_FROM = 1_000_000_000
_BAD_KEY = (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN)


class ThrottledAuthenticator(httpx.Auth):
    """Start every request in a slot of the budget, with the key, and wait out what was throttled.

    Raises: Throttled after 60 s of refusals; QuotaSpent at once.
    Source: vendor's getting-started page, 50 requests/s and `RateLimit-Reset` (D); bodies (I).
    """

    requires_response_body = True

    def __init__(self, api_key: ApiKey, budget: Callable[[], RateLimiter]) -> None:
        """`budget` returns that of the key as it is now."""
        self._api_key, self._budget_now = api_key, budget
        self._budget = budget()

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Send; again after a 429, and with a key that was replaced meanwhile: what was refused was not carried out."""
        waited, refusals = 0.0, 0
        while True:
            key = self._api_key.value
            request.headers["x-api-key"] = key
            self._budget.acquire()
            response = yield request
            if response.status_code in _BAD_KEY and self._api_key.renew(refused=key):
                self._budget = self._budget_now()
                continue
            if response.status_code != httpx.codes.TOO_MANY_REQUESTS:
                return
            where = f"{request.method} {request.url.path}"
            if b"limit exceeded" in response.content.lower():
                raise QuotaExceeded(
                    "FieldPulse answers that this month's requests are used up (HTTP 429, quota).",
                    where=where,
                    hint="run again when the quota starts anew, or ask FieldPulse to raise it; state is kept",
                )
            refusals += 1
            wait = seconds_until_reset(response, refusals)
            waited += wait
            if waited > MAX_PAUSE_SECONDS:
                raise RateLimited(
                    f"FieldPulse refused {refusals} times in a row with HTTP 429.",
                    where=where,
                    hint="lower requests_per_second: something else is using this key's 50 requests a second",
                )
            self._budget.pause(wait)


def seconds_until_reset(response: httpx.Response, refusals: int) -> float:
    """Return how long a throttled request should wait.

    `RateLimit-Reset` is an epoch and is compared with the server's own clock; small numbers are
    taken as seconds, the meaning that the header has elsewhere. Without it: 1 s, 2 s, 4 s ….
    """
    try:
        reset = float(response.headers["RateLimit-Reset"])
    except (KeyError, ValueError):
        reset = math.nan
    if not math.isfinite(reset):
        reset = float(2 ** min(refusals - 1, 5))
    if reset > _EPOCH_FROM:
        reset -= (server_date(response) or datetime.now(timezone.utc)).timestamp()
    return min(max(reset, _SHORTEST_WAIT_SECONDS), _LONGEST_WAIT_SECONDS)


def server_date(response: httpx.Response) -> datetime | None:
    """Return the server's clock, None where it sends no valid `Date`."""
    try:
        return parsedate_to_datetime(response.headers["Date"]).astimezone(timezone.utc)
    except (KeyError, TypeError, ValueError, OverflowError):
        return None
