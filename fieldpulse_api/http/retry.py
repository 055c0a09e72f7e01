"""When a request is sent again: after a failure by the retry policy, after a 429 as long as FieldPulse asks.

`Client` decides which requests may be sent again, since a create must not be.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timezone

import httpx

from fieldpulse_api.errors import FieldPulseError, ResponseLost, ServerError, UnexpectedResponse

from .responses import server_date

_MIN_WAIT_SECONDS = 0.25
_MAX_WAIT_SECONDS = 30.0
MIN_EPOCH_SECONDS = 1_000_000_000
"""A smaller value of `RateLimit-Reset` is a number of seconds."""
_SIZE_ERRORS = (ServerError, ResponseLost, UnexpectedResponse)


@dataclass(frozen=True)
class RetryPolicy:
    """How often and how long to send a request that is safe to repeat. Whichever limit is reached first ends it."""

    max_attempts: int = 6
    max_seconds: float = 120.0
    first_wait_seconds: float = 0.5


IF_SMALLER_IS_POSSIBLE = RetryPolicy(max_attempts=2, max_seconds=10.0)
"""The policy for a failure that the size of the response may explain, if the caller can request less."""


def may_be_too_large(error: FieldPulseError) -> bool:
    """Return whether the size of a response may be the reason that it failed. How an oversize fails is not known."""
    return isinstance(error, _SIZE_ERRORS) and error.is_retryable


def seconds_until_reset(response: httpx.Response, throttled_count: int) -> float:
    """Return how long to wait after a 429; `throttled_count` counts those of this request, from 1.

    `RateLimit-Reset` is documented as an epoch, and is compared with the server's own clock. A small number is taken as
    seconds, which the header means elsewhere. Without a valid header the waits are 1, 2, 4 … seconds.
    """
    try:
        reset = float(response.headers["RateLimit-Reset"])
    except (KeyError, ValueError):
        reset = math.nan
    if not math.isfinite(reset):
        reset = float(2 ** min(throttled_count - 1, 5))
    if reset > MIN_EPOCH_SECONDS:
        reset -= (server_date(response) or datetime.now(timezone.utc)).timestamp()
    return min(max(reset, _MIN_WAIT_SECONDS), _MAX_WAIT_SECONDS)
