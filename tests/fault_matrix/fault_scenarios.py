"""Fault scenarios: faults of the server of one kind at seeded places, random ones at a rate, or one of the machine."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import Any

from fieldpulse_sandbox.faults.fault import KINDS, Fault, Kind
from fieldpulse_sandbox.faults.random_faults import RECOVERABLE, RandomFaults

from .machine_faults import MACHINE_FAULTS

TIMEOUT_SECONDS = 0.1


@dataclass(frozen=True)
class FaultScenario:
    """One fault scenario.

    `fault_arguments` make faults in the sandbox, each for `max_times` requests at most. `random_rate` is the share of
    requests with a random fault. `machine_fault` hits a run as a process. `clock_hours` is a step of the wall
    clock in the middle of a run. `is_slow` needs a short timeout. `reading_only` is for the tap: the fault changes the
    account, or refuses a write that was carried out, and the target believes a refusal.
    """

    fault_arguments: dict[str, Any] = field(default_factory=dict)
    random_rate: float = 0.0
    machine_fault: str = ""
    clock_hours: float = 0.0
    is_slow: bool = False
    reading_only: bool = False
    max_times: int = 12

    @property
    def about(self) -> str:
        """Return what goes wrong, in words."""
        if self.machine_fault:
            return MACHINE_FAULTS[self.machine_fault].about
        if self.clock_hours:
            return f"the wall clock is stepped by {self.clock_hours:+g} hours during the run"
        if self.random_rate:
            return f"random faults, at {self.random_rate:.0%} of the requests"
        if not self.fault_arguments:
            return "nothing"
        fault = Fault(**self.fault_arguments)
        text = KINDS[fault.kind].replace("`seconds`", f"{fault.seconds:g} s").replace("`status`", str(fault.status))
        if fault.kind == "concurrent_edit":
            text = f"{text.partition(':')[0]} (`{fault.edit}`)"
        return f"the request is carried out, then {text}" if fault.after_commit else text

    def sample_faults(self, random: Random, methods: tuple[str | None, ...]) -> list[Fault]:
        """Return 1 to 3 faults at seeded places: on one response, a few in a row, or more than there are attempts."""
        return [
            Fault(
                **self.fault_arguments,
                method=random.choice(methods),
                skip=random.choice((0, 1, 2, 3, 5, 8, 13, random.randrange(30))),
                times=min(self.max_times, random.choice((1, 1, 2, 4, 12))),
                seed=random.randrange(1000),
            )
            for _ in range(random.randrange(1, 4) if self.fault_arguments else 0)
        ]

    def random_faults(self, random: Random, *, without: frozenset[Kind]) -> RandomFaults | None:
        """Return random faults of all kinds but these. Slow kinds are left out: they would take too long."""
        kinds = tuple(kind for kind in RECOVERABLE if kind not in without | {"slow_response", "slow_body"})
        return RandomFaults(self.random_rate, random.randrange(2**32), kinds) if self.random_rate else None


def _before_and_after(name: str, **arguments: Any) -> dict[str, FaultScenario]:
    """Return two scenarios: the fault before a request is carried out, and after it."""
    return {name: FaultScenario(arguments), f"{name}-after": FaultScenario(arguments | {"after_commit": True})}


SCENARIOS: dict[str, FaultScenario] = {
    "none": FaultScenario(),
    **{
        f"throttle{kind}".replace("_", "-"): FaultScenario({"kind": f"throttle{kind}"})
        for kind in ("", "_without_reset", "_past_reset", "_one_hour", "_relative_reset")
    },
    "quota-exceeded": FaultScenario({"kind": "quota_exceeded"}),
    **{
        name: scenario
        for status in (500, 502, 503, 504)
        for name, scenario in _before_and_after(f"error-status-{status}", kind="error_status", status=status).items()
    },
    **_before_and_after("dropped-connection", kind="dropped_connection"),
    **_before_and_after("not-json", kind="not_json"),
    **_before_and_after("html-502", kind="html_502"),
    **_before_and_after("empty-body", kind="empty_body"),
    "error-in-200": FaultScenario({"kind": "error_in_200"}),
    "error-in-200-after": FaultScenario({"kind": "error_in_200", "after_commit": True}, reading_only=True),
    **_before_and_after("redirect", kind="redirect"),
    "truncated-connection": FaultScenario({"kind": "truncated_connection"}),
    "truncated-json": FaultScenario({"kind": "truncated_json"}),
    "wrong-content-type": FaultScenario({"kind": "wrong_content_type"}),
    "bad-gzip": FaultScenario({"kind": "bad_gzip"}),
    "huge-header": FaultScenario({"kind": "huge_header"}),
    "slow-response": FaultScenario({"kind": "slow_response", "seconds": 0.3}, is_slow=True, max_times=1),
    "slow-response-after": FaultScenario(
        {"kind": "slow_response", "seconds": 0.3, "after_commit": True}, is_slow=True, max_times=1
    ),
    "slow-body": FaultScenario({"kind": "slow_body", "seconds": 0.3}, is_slow=True, max_times=1),
    "endless-body": FaultScenario({"kind": "endless_body"}, is_slow=True, max_times=1),
    "previous-page": FaultScenario({"kind": "previous_page"}),
    "repeating-last-page": FaultScenario({"kind": "repeating_last_page"}),
    **{
        f"concurrent-edit-{what}": FaultScenario({"kind": "concurrent_edit", "edit": what}, reading_only=True)
        for what in ("touch", "insert", "delete", "any")
    },
    "random-3": FaultScenario(random_rate=0.03),
    "random-10": FaultScenario(random_rate=0.1),
    "random-30": FaultScenario(random_rate=0.3),
    "clock-forward": FaultScenario(clock_hours=30),
    "clock-back": FaultScenario(clock_hours=-1),
    **{name: FaultScenario(machine_fault=name) for name in MACHINE_FAULTS},
}
