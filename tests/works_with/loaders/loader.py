"""What describes a loader: its packages and settings, how its tables are read, and what it needs to be right."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.works_with.comparison import Representation, Table
from tests.works_with.environments import Environment
from tests.works_with.stores import Database

STAND_INS = Path(__file__).parent.parent / "stand_ins"
BATCH_ROWS = 1_000_000
"""More rows than the largest stream has."""


@dataclass(frozen=True)
class Destination:
    """Where one load goes: a folder, and a database of its own. `run` counts the runs of the scenario, from 1."""

    folder: Path
    database: Database
    run: int = 1


@dataclass(frozen=True)
class Requirement:
    """A setting or a package that a loader needs to be right, the reason, and what happens without it."""

    setting: str
    reason: str
    without: str


@dataclass(frozen=True)
class Loader:
    """A loader of the table. `packages` are pinned, `command` starts it, `variables` are its environment."""

    name: str
    packages: tuple[str, ...]
    command: tuple[str, ...]
    settings: Callable[[Destination], dict[str, Any]]
    read: Callable[[Destination, Environment], dict[str, Table]]
    representation: Representation
    requirements: tuple[Requirement, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)
