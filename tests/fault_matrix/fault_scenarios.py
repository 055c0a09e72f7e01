"""What goes wrong at a point: faults of one kind at seeded places, faults by rate, or the end of the process."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import Any

from fieldpulse_sandbox.faults.fault import Fault, Kind
from fieldpulse_sandbox.faults.random_faults import PASSING, Chaos

TIMEOUT_SECONDS = 0.1


@dataclass(frozen=True)
class Trouble:
    """One kind of fault.

    `given` goes to the sandbox, for `times` requests at most; `rate` is that of chaos; `signal` ends the process.
    `is_slow` needs a short timeout; `of_reading` befalls only the tap: it changes the account, or is a refusal
    that was carried out all the same, and what FieldPulse refuses is believed.
    """

    given: dict[str, Any] = field(default_factory=dict)
    rate: float = 0.0
    signal: str = ""
    is_slow: bool = False
    of_reading: bool = False
    times: int = 12

    def faults(self, chance: Random, methods: tuple[str | None, ...]) -> list[Fault]:
        """Return some faults at seeded places: one answer, a few in a row, or more than anybody waits for."""
        return [
            Fault(
                **self.given,
                method=chance.choice(methods),
                skip=chance.choice((0, 1, 2, 3, 5, 8, 13, chance.randrange(30))),
                times=min(self.times, chance.choice((1, 1, 2, 4, 12))),
                seed=chance.randrange(1000),
            )
            for _ in range(chance.randrange(1, 4) if self.given else 0)
        ]

    def chaos(self, chance: Random, *, without: frozenset[Kind]) -> Chaos | None:
        """Return faults of all kinds but these at this rate; slow ones would take all the time there is."""
        kinds = tuple(kind for kind in PASSING if kind not in without | {"slow", "drip"})
        return Chaos(self.rate, chance.randrange(2**32), kinds) if self.rate else None


def _both(name: str, **given: Any) -> dict[str, Trouble]:
    """Return a fault before a request is carried out, and after it."""
    return {name: Trouble(given), f"{name}-after": Trouble(given | {"after_commit": True})}


TROUBLES: dict[str, Trouble] = {
    "none": Trouble(),
    **{
        f"throttle{kind}".replace("_", "-"): Trouble({"kind": f"throttle{kind}"})
        for kind in ("", "_bare", "_past", "_hour", "_delta")
    },
    "quota": Trouble({"kind": "quota"}),
    **{
        name: one
        for status in (500, 502, 503, 504)
        for name, one in _both(f"status-{status}", kind="status", status=status).items()
    },
    **_both("drop", kind="drop"),
    **_both("not-json", kind="not_json"),
    **_both("html-502", kind="html_502"),
    **_both("empty", kind="empty"),
    "error200": Trouble({"kind": "error200"}),
    "error200-after": Trouble({"kind": "error200", "after_commit": True}, of_reading=True),
    **_both("redirect", kind="redirect"),
    "cut": Trouble({"kind": "cut"}),
    "truncated": Trouble({"kind": "truncated"}),
    "text-type": Trouble({"kind": "text_type"}),
    "bad-gzip": Trouble({"kind": "bad_gzip"}),
    "huge-header": Trouble({"kind": "huge_header"}),
    "slow": Trouble({"kind": "slow", "seconds": 0.3}, is_slow=True, times=1),
    "slow-after": Trouble({"kind": "slow", "seconds": 0.3, "after_commit": True}, is_slow=True, times=1),
    "drip": Trouble({"kind": "drip", "seconds": 0.3}, is_slow=True, times=1),
    "endless": Trouble({"kind": "endless"}, is_slow=True, times=1),
    "repeat": Trouble({"kind": "repeat"}),
    "endless-list": Trouble({"kind": "endless_list"}),
    **{
        f"slide-{what}": Trouble({"kind": "slide", "slide": what}, of_reading=True)
        for what in ("touch", "insert", "delete", "any")
    },
    "chaos-3": Trouble(rate=0.03),
    "chaos-10": Trouble(rate=0.1),
    "chaos-30": Trouble(rate=0.3),
    "kill": Trouble(signal="SIGKILL"),
    "term": Trouble(signal="SIGTERM"),
}
