"""Random faults: by rate and seed, the same for the same requests in any order."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Annotated

from msgspec import Meta

from .fault import DAY_SECONDS, Fault, Kind, Method, can_hit

RECOVERABLE: tuple[Kind, ...] = (
    "throttle",
    "throttle_without_reset",
    "throttle_past_reset",
    "throttle_relative_reset",
    "error_status",
    "dropped_connection",
    "slow_response",
    "slow_body",
    "truncated_connection",
    "truncated_json",
    "not_json",
    "html_502",
    "empty_body",
    "error_in_200",
    "bad_gzip",
    "previous_page",
    "concurrent_edit",
    "repeating_last_page",
)
"""Kinds that a client can survive by retrying; none of them takes minutes."""
REFUSALS: tuple[Kind, ...] = (
    "throttle",
    "throttle_without_reset",
    "throttle_past_reset",
    "throttle_one_hour",
    "throttle_relative_reset",
    "quota_exceeded",
)
"""Kinds in which the gateway rejects a request, which is therefore never carried out."""
STATUSES = (500, 502, 503, 504)
HASH_RANGE = 2**64


@dataclass
class RandomFaults:
    """A share of all requests gets a fault.

    Seed, request, and the number of times the request was sent decide whether it gets a fault, and which. A seed
    therefore gives the same faults again, no matter how many requests run in parallel, as long as the client sends
    the same requests. One instance belongs to one sandbox.
    """

    rate: Annotated[float, Meta(ge=0, le=1, description="share of requests that get a fault, 0 to 1")] = 0.03
    seed: Annotated[int, Meta(description="decides which requests get which fault")] = 0
    kinds: Annotated[tuple[Kind, ...], Meta(description="kinds of faults that occur")] = RECOVERABLE
    methods: Annotated[
        tuple[Method, ...] | None, Meta(description="methods of requests that get faults; `none`: all")
    ] = None
    seconds: Annotated[
        float, Meta(ge=0, le=DAY_SECONDS, description="duration of slow responses and throttles, in seconds")
    ] = 0.05
    _request_counts: Counter[bytes] = field(default_factory=Counter, init=False, repr=False)

    def draw(self, method: str, path: str, query: str, body: bytes) -> Fault | None:
        """Return the fault of this request, or None."""
        if self.methods is not None and method not in self.methods:
            return None
        request = sha256(
            b"\0".join((str(self.seed).encode(), method.encode(), f"{path}?{query}".encode(), body))
        ).digest()
        self._request_counts[request] += 1
        random = sha256(request + str(self._request_counts[request]).encode()).digest()
        kinds = [kind for kind in self.kinds if can_hit(kind, method, path)]
        if not kinds or int.from_bytes(random[:8], "big") >= self.rate * HASH_RANGE:
            return None
        kind = kinds[int.from_bytes(random[8:12], "big") % len(kinds)]
        return Fault(
            kind,
            after_commit=random[12] % 2 == 1 and kind not in REFUSALS,
            status=STATUSES[random[13] % len(STATUSES)],
            seconds=self.seconds,
            seed=int.from_bytes(random[14:18], "big"),
        )
