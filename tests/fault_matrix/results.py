"""The result of the last run of the whole matrix, from which `scripts.docs` makes a table of the documentation."""

from __future__ import annotations

import json
import os
import subprocess
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path

from .points import Point

_ROOT = Path(__file__).parent.parent.parent
RESULT = _ROOT / "docs" / "operations" / "fault-matrix.json"


@dataclass(frozen=True)
class MatrixResult:
    """What a run of the whole matrix found.

    `points` counts the points by scenario; `failed_points` are the names of those at which an invariant did not hold.
    `commit` is the short hash of the code that was checked, with `+` behind it if files differed from it.

    Units: `seconds` for all points, on `processors`.
    """

    date: str
    commit: str
    seed: int
    processors: int
    seconds: int
    points: dict[str, int]
    failed_points: list[str]

    @classmethod
    def of(cls, points: Iterable[Point], failed: Iterable[Point], *, seed: int, seconds: float) -> MatrixResult:
        """Return the result of a run that ends now."""
        return cls(
            date=datetime.now(timezone.utc).date().isoformat(),
            commit=_git("describe", "--always", "--exclude=*", "--dirty=+"),
            seed=seed,
            processors=os.cpu_count() or 1,
            seconds=round(seconds),
            points=dict(Counter(point.scenario for point in points)),
            failed_points=sorted(map(str, failed)),
        )

    def write(self) -> None:
        """Replace the result in the repository."""
        RESULT.write_text(json.dumps(asdict(self), indent=2) + "\n", "utf-8")


def read_result() -> MatrixResult:
    """Return the result in the repository."""
    return MatrixResult(**json.loads(RESULT.read_text("utf-8")))


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=_ROOT, capture_output=True, text=True, check=True).stdout.strip()
