"""What a point of the matrix is, which there are, and which of them every test run takes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from tests.fault_matrix.operations.tap import READINGS
from tests.fault_matrix.operations.target import WORKS

from .accounts import PROFILES, switches
from .fault_scenarios import TROUBLES, Trouble

_SEEDS = 2
_DEATHS = 4
_SWITCH_TROUBLES = 4  # of those that each switch meets in each operation
_SLICE = 230
_LEAST = 3

OPERATIONS = (*READINGS, *WORKS)


@dataclass(frozen=True)
class Point:
    """One point: everything at it follows from these."""

    profile: str
    trouble: str
    operation: str
    seed: int

    def __str__(self) -> str:
        return f"{self.profile}/{self.trouble}/{self.operation}/{self.seed}"

    @classmethod
    def read(cls, text: str) -> Point:
        """Return the point of a text. Raises: ValueError."""
        profile, trouble, operation, seed = text.rsplit("/", 3)  # a profile may hold one: a time zone does
        known = {"profile": [*PROFILES, *switches()], "fault": [*TROUBLES], "operation": [*OPERATIONS]}
        for (kind, names), given in zip(known.items(), (profile, trouble, operation), strict=True):
            if given not in names:
                msg = f"there is no {kind} {given!r}; there are {', '.join(names)}"
                raise ValueError(msg)
        return cls(profile, trouble, operation, int(seed))

    @property
    def command(self) -> str:
        """Return the command that replays this point."""
        return f"python -m tests.fault_matrix --point '{self}'"


def whole(seed: int = 0) -> list[Point]:
    """Return all points: each profile with every fault, each switch with some; `seed` makes others of them."""
    return [*_of_profiles(seed), *_of_switches(seed)]


def slice_of(points: list[Point]) -> list[Point]:
    """Return a small share of the points, always the same, with some of each fault."""
    chance = Random(0)
    found: list[Point] = []
    for name in TROUBLES:
        some = [one for one in points if one.trouble == name]
        found += chance.sample(some, max(_LEAST, len(some) * _SLICE // len(points)))
    return found


def _of_profiles(seed: int) -> Iterator[Point]:
    for profile in PROFILES:
        for name, trouble in TROUBLES.items():
            for operation in OPERATIONS:
                for number in range(_seeds(trouble, operation)):
                    yield Point(profile, name, operation, seed * _DEATHS + number)


def _seeds(trouble: Trouble, operation: str) -> int:
    """Return how many seeds a fault has in an operation: none where it would change what the operation counts on."""
    if trouble.of_reading and (operation not in READINGS or READINGS[operation].is_stamped):
        return 0
    return _DEATHS if trouble.signal else _SEEDS


def _of_switches(seed: int) -> Iterator[Point]:
    for profile in switches():
        for operation in OPERATIONS:
            chance = Random(f"{profile} {operation} {seed}")
            kinds = [name for name, one in TROUBLES.items() if not one.signal and _seeds(one, operation)]
            for name in ("none", *chance.sample(kinds[1:], _SWITCH_TROUBLES - 1)):
                yield Point(profile, name, operation, seed)
