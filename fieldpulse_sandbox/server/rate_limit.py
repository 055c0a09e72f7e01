"""The limit of requests per second that the gateway enforces. Not the client's budget, and no code of it."""

from __future__ import annotations

import time
from collections import deque

from fieldpulse_sandbox.data.store import Clock
from fieldpulse_sandbox.responses.bodies import HttpResponse, throttled


class RequestLimit:
    """At most `limit` accepted requests in any one second; refused ones do not count."""

    def __init__(self, limit: int | None, clock: Clock) -> None:
        """Accept everything if `limit` is None or 0."""
        self.limit = limit or 0
        self._clock = clock
        self._accepted: deque[float] = deque()

    def refusal(self) -> HttpResponse | None:
        """Return the 429 for the request that arrives now, or None if it may pass."""
        if not self.limit:
            return None
        now = time.monotonic()
        while self._accepted and now - self._accepted[0] >= 1.0:
            self._accepted.popleft()
        if len(self._accepted) < self.limit:
            self._accepted.append(now)
            return None
        return throttled(self._clock(), 1.0 - (now - self._accepted[0]))
