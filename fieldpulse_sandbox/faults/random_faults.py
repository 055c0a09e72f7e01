"""Faults by rate and seed, the same ones for the same requests, in whatever order those arrive."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from hashlib import sha256

from fieldpulse_sandbox.behaviour.switches import switch

from .fault import Fault, Kind, Method, can_hit

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
"""What a patient client may outlast: asked again, the server answers; and no fault takes minutes."""
REFUSALS: tuple[Kind, ...] = (
    "throttle",
    "throttle_without_reset",
    "throttle_past_reset",
    "throttle_one_hour",
    "throttle_relative_reset",
    "quota_exceeded",
)
"""What stands before the backend refuses: it was not carried out."""
STATUSES = (500, 502, 503, 504)
WHOLE = 2**64


@dataclass
class RandomFaults:
    """Whether a request is hit, and by what, follows from the seed, the request, and how often it came before.

    So a seed gives the same faults again, however many requests are under way at once, as long as the client asks
    the same. One chaos belongs to one sandbox.
    """

    rate: float = switch(0.03, "the share of requests that are hit, 0 to 1", least=0, most=1)
    seed: int = switch(0, "which requests are hit, and by what")
    kinds: tuple[Kind, ...] = switch(RECOVERABLE, "the kinds that happen")
    methods: tuple[Method, ...] | None = switch(None, "the methods that are hit; none: all")
    seconds: float = switch(0.05, "how long slow answers and throttles take, in seconds", least=0)
    _seen: Counter[bytes] = field(default_factory=Counter, init=False, repr=False)

    def draw(self, method: str, path: str, query: str, body: bytes) -> Fault | None:
        """Return the fault that befalls this request, if one does."""
        if self.methods is not None and method not in self.methods:
            return None
        asked = sha256(
            b"\0".join((str(self.seed).encode(), method.encode(), f"{path}?{query}".encode(), body))
        ).digest()
        self._seen[asked] += 1
        lot = sha256(asked + str(self._seen[asked]).encode()).digest()
        kinds = [kind for kind in self.kinds if can_hit(kind, method, path)]
        if not kinds or int.from_bytes(lot[:8], "big") >= self.rate * WHOLE:
            return None
        kind = kinds[int.from_bytes(lot[8:12], "big") % len(kinds)]
        return Fault(
            kind,
            after_commit=lot[12] % 2 == 1 and kind not in REFUSALS,
            status=STATUSES[lot[13] % len(STATUSES)],
            seconds=self.seconds,
            seed=int.from_bytes(lot[14:18], "big"),
        )
