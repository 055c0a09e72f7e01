"""The authenticator of tap and target: the API key on every request, in a slot of the key's rate limiter."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator

import httpx
from typing_extensions import override

from .api_key import ApiKey
from .limits.monthly_quota import MonthUse
from .limits.rate_limiter import RateLimiter

_KEY_REJECTED = (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN)


class ThrottledAuthenticator(httpx.Auth):
    """Send each request with the current API key, in a slot of that key's rate limiter.

    The key may be replaced while requests are in flight. One that FieldPulse rejects (401 or 403) is sent again as soon
    as the key's file holds another key. This is safe for a create too: a rejected request was not carried out.
    """

    def __init__(self, api_key: ApiKey, make_rate_limiter: Callable[[], RateLimiter]) -> None:
        """`make_rate_limiter` returns the limiter of the current key."""
        self._api_key, self._make_rate_limiter = api_key, make_rate_limiter
        self._lock = threading.Lock()
        self._limited_key, self._rate_limiter = api_key.value, make_rate_limiter()

    @override
    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Wait for a slot and send; send again if the key was rejected and has been replaced."""
        while True:
            key = self._api_key.value
            request.headers["x-api-key"] = key
            self._limiter_of(key).acquire()
            response = yield request
            if response.status_code not in _KEY_REJECTED or not self._api_key.renew(rejected=key):
                return

    def pause(self, seconds: float) -> None:
        """Start no request with the current key for `seconds`, in any process that shares its rate limiter."""
        self._limiter_of(self._api_key.value).pause(seconds)

    def month_use(self) -> MonthUse | None:
        """Return the requests of the current key in the month, as this process saw them last."""
        return self._limiter_of(self._api_key.value).month.use()

    def _limiter_of(self, key: str) -> RateLimiter:
        with self._lock:
            if key != self._limited_key:
                self._limited_key, self._rate_limiter = key, self._make_rate_limiter()
            return self._rate_limiter
