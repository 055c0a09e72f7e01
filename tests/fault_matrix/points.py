"""The points of the matrix, and the sample of them that every test run checks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from tests.fault_matrix.operations.tap import READ_OPERATIONS
from tests.fault_matrix.operations.target import WRITE_OPERATIONS

from .accounts import PROFILES, switch_profiles
from .fault_scenarios import SCENARIOS, FaultScenario
from .machine_faults import SIGNALS

_SEEDS_PER_SCENARIO = 2
_SEEDS_OF_SIGNALS = 4
_SCENARIOS_PER_SWITCH = 4  # random ones, for each switch and operation
_SAMPLE_SIZE = 100
_MIN_PER_SCENARIO = 3

OPERATIONS = (*READ_OPERATIONS, *WRITE_OPERATIONS)


@dataclass(frozen=True)
class Point:
    """One point: an account profile, a fault scenario, an operation, and the seed of everything random."""

    profile: str
    scenario: str
    operation: str
    seed: int

    def __str__(self) -> str:
        return f"{self.profile}/{self.scenario}/{self.operation}/{self.seed}"

    @classmethod
    def parse(cls, text: str) -> Point:
        """Return the point with this name. Raises: ValueError."""
        profile, scenario, operation, seed = text.rsplit("/", 3)  # a profile may contain a slash, as in a time zone
        allowed = {"profile": [*PROFILES, *switch_profiles()], "fault": [*SCENARIOS], "operation": [*OPERATIONS]}
        for (kind, names), name in zip(allowed.items(), (profile, scenario, operation), strict=True):
            if name not in names:
                msg = f"unknown {kind} {name!r}; allowed: {', '.join(names)}"
                raise ValueError(msg)
        return cls(profile, scenario, operation, int(seed))

    @property
    def command(self) -> str:
        """Return the command that replays this point."""
        return f"python -m tests.fault_matrix --point '{self}'"


def all_points(seed: int = 0) -> list[Point]:
    """Return all points: each profile with every scenario, each switch with some. Another seed gives other points."""
    return [*_points_of_profiles(seed), *_points_of_switches(seed)]


def sample_points(points: list[Point]) -> list[Point]:
    """Return a small sample of the points, always the same, with some of each scenario."""
    random = Random(0)
    sample: list[Point] = []
    for name in SCENARIOS:
        candidates = [point for point in points if point.scenario == name]
        sample += random.sample(candidates, max(_MIN_PER_SCENARIO, len(candidates) * _SAMPLE_SIZE // len(points)))
    return sample


def _points_of_profiles(seed: int) -> Iterator[Point]:
    for profile in PROFILES:
        for name, trouble in SCENARIOS.items():
            for operation in OPERATIONS:
                for number in range(_seed_count(trouble, operation)):
                    yield Point(profile, name, operation, seed * _SEEDS_OF_SIGNALS + number)


def _seed_count(trouble: FaultScenario, operation: str) -> int:
    """Return the number of seeds of a scenario in an operation: 0 if it breaks an assumption of the operation."""
    if trouble.reading_only and (operation not in READ_OPERATIONS or READ_OPERATIONS[operation].needs_update_times):
        return 0
    return _SEEDS_OF_SIGNALS if trouble.machine_fault in SIGNALS else _SEEDS_PER_SCENARIO


def _points_of_switches(seed: int) -> Iterator[Point]:
    for profile in switch_profiles():
        for operation in OPERATIONS:
            random = Random(f"{profile} {operation} {seed}")
            names = [
                name
                for name, scenario in SCENARIOS.items()
                if not scenario.machine_fault and _seed_count(scenario, operation)
            ]
            for name in ("none", *random.sample(names[1:], _SCENARIOS_PER_SWITCH - 1)):
                yield Point(profile, name, operation, seed)
