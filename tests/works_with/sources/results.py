"""The results file, from which `scripts.docs` makes the table of `docs/operations/works-with.md`."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from .catalogue import SOURCES

RESULTS = Path(__file__).parents[3] / "docs" / "operations" / "works-with-sources.json"


@dataclass(frozen=True)
class Result:
    """The result of one source. `killed_at` is the number of the write at which the target was killed, of `writes`."""

    seen_on: str
    packages: tuple[str, ...]
    records: int
    writes: int
    rows: int
    fields: int
    repeated_writes: int
    killed_at: int | None
    differences: tuple[str, ...]

    @property
    def is_right(self) -> bool:
        """Return whether every row was as meant, in each of the trials."""
        return not self.differences


def read_results(path: Path = RESULTS) -> dict[str, Result]:
    """Return the results by source; none if there is no file."""
    found = json.loads(path.read_text("utf-8")) if path.exists() else {}
    return {
        name: Result(**values | {key: tuple(values[key]) for key in ("packages", "differences")})
        for name, values in found.items()
    }


def write_results(results: dict[str, Result], path: Path = RESULTS) -> None:
    """Write the results file, in the order of the catalogue."""
    ordered = {name: asdict(results[name]) for name in SOURCES if name in results}
    path.write_text(json.dumps(ordered, indent=1, ensure_ascii=False) + "\n", "utf-8")
