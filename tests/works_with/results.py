"""The results file, from which `scripts.docs` makes the tables of `docs/operations/works-with.md`."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from .comparison import Difference
from .loaders import LOADERS
from .loading import Load
from .scenarios import SCENARIOS

RESULTS = Path(__file__).parent.parent.parent / "docs" / "operations" / "works-with.json"
_EXAMPLES = 3


@dataclass(frozen=True)
class Result:
    """The result of one scenario in one loader, as the results file has it.

    `kinds` counts the differences by kind; `examples` are a few of them.
    """

    seen_on: str
    packages: tuple[str, ...]
    statuses: tuple[int, ...]
    error: str
    has_last_state: bool
    rows: int
    cells: int
    kinds: dict[str, int]
    examples: tuple[str, ...]

    @classmethod
    def of(cls, load: Load, packages: tuple[str, ...], seen_on: str) -> Result:
        """Return the result of a load."""
        differences = load.comparison.differences
        kinds: dict[str, int] = {}
        first: dict[str, Difference] = {}
        for difference in differences:
            kinds[difference.what] = kinds.get(difference.what, 0) + 1
            first.setdefault(f"{difference.what} {difference.stream}", difference)
        return cls(
            seen_on=seen_on,
            packages=packages,
            statuses=tuple(load.statuses),
            error=load.error,
            has_last_state=load.has_last_state,
            rows=load.comparison.rows,
            cells=load.comparison.cells,
            kinds=kinds,
            examples=tuple(str(difference) for difference in list(first.values())[:_EXAMPLES]),
        )

    @property
    def summary(self) -> str:
        """Return the result in a few words."""
        if any(self.statuses):
            return f"**exit {max(self.statuses)}**"
        problems = [f"{kind} ({count:,})" for kind, count in self.kinds.items()]
        problems += [] if self.has_last_state else ["not the last STATE"]
        return f"**{'; '.join(problems)}**" if problems else f"{self.cells:,}"


Results = dict[str, dict[str, Result]]
"""By loader, then by scenario."""


def read_results(path: Path = RESULTS) -> Results:
    """Return the results of a file; none if there is no file."""
    found: dict[str, dict[str, dict[str, Any]]] = json.loads(path.read_text("utf-8")) if path.exists() else {}
    return {
        loader: {
            name: Result(**result | {key: tuple(result[key]) for key in ("packages", "statuses", "examples")})
            for name, result in scenarios.items()
        }
        for loader, scenarios in found.items()
    }


def write_results(results: Results, path: Path = RESULTS) -> None:
    """Write the results file, in the order of the tables."""
    ordered = {
        loader: {name: asdict(results[loader][name]) for name in SCENARIOS if name in results[loader]}
        for loader in LOADERS
        if loader in results
    }
    path.write_text(json.dumps(ordered, indent=1, ensure_ascii=False) + "\n", "utf-8")
