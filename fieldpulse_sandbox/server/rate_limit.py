"""The rate limit of the gateway. It shares no code with the rate limiter of the client."""

from __future__ import annotations

import time
from collections import deque

from fieldpulse_sandbox.data.store import Clock
from fieldpulse_sandbox.responses.bodies import HttpResponse, throttled


class RequestLimit:
    """At most `limit` accepted requests in any window of one second; throttled requests do not count."""

    def __init__(self, limit: int | None, clock: Clock) -> None:
        """Accept every request if `limit` is None or 0."""
        self.limit = limit or 0
        self._clock = clock
        self._accepted: deque[float] = deque()

    def rejection(self) -> HttpResponse | None:
        """Return the 429 for a request that arrives now, or None if it is accepted."""
        if not self.limit:
            return None
        now = time.monotonic()
        while self._accepted and now - self._accepted[0] >= 1.0:
            self._accepted.popleft()
        if len(self._accepted) < self.limit:
            self._accepted.append(now)
            return None
        return throttled(self._clock(), 1.0 - (now - self._accepted[0]))
