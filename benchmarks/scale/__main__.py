"""Memory and time of tap and target from 100,000 to 1,000,000 rows: `python -m benchmarks.scale`.

Each run is a process of its own; CPU and peak memory are the operating system's. A run that writes other records than
it should ends the benchmark. So does, once all have ended, a run whose time or memory grows faster than its rows.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.processes import server
from benchmarks.results import write_section
from scripts.docs.tables import table
from tests.harness.postgres_server import postgres_server

from .job_server import BLOCK
from .measured import Run
from .tap_runs import full_read, runs_with_snapshot
from .target_runs import known_records

_MOST_TIME = 1.05
"""How many times the share of rows the share of CPU time may be: ten times the rows within 10.5 times the time."""
_MOST_MEMORY_MB = 6  # more than the smallest run has
Part = Callable[[list[int]], Iterator[Run]]


def main() -> None:
    """Measure, print the table and write the results."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[100_000, 1_000_000], help=f"multiples of {BLOCK:,}")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--write", action="store_true", help="write the result to RESULTS.md")
    options = parser.parse_args()
    if any(rows < BLOCK or rows % BLOCK for rows in options.rows):
        parser.error(f"--rows must be multiples of {BLOCK}")
    sizes = sorted(options.rows)
    runs = []
    for part in options.parts:
        for run in PARTS[part](sizes):
            print(f"{run.what}, {run.rows:,} rows: {run.cost}", flush=True)
            runs.append(run)
    text = _table(runs)
    print(text)
    if options.write:
        parts = "" if set(options.parts) == set(PARTS) else f" --parts {' '.join(options.parts)}"
        command = f"python -m benchmarks.scale --rows {' '.join(map(str, sizes))}{parts} --write"
        write_section("Long lists", command, f"Start-up is included.\n\n{text}")
    _raise_if_growing(runs)


def _of_tap(sizes: list[int], runs_of: Callable[[Path, str, int], Iterator[Run]]) -> Iterator[Run]:
    with server("benchmarks.scale.job_server") as address:
        for rows in sizes:
            with tempfile.TemporaryDirectory(prefix="fieldpulse-scale-") as folder:
                yield from runs_of(Path(folder), address, rows)


def _of_target(sizes: list[int]) -> Iterator[Run]:
    for rows in sizes:
        with tempfile.TemporaryDirectory(prefix="fieldpulse-scale-") as folder:
            url = f"sqlite:///{folder}/ledger.db"
            yield known_records(Path(folder), rows, url, "target: all records are unchanged")


def _of_target_on_postgresql(sizes: list[int]) -> Iterator[Run]:
    for rows in sizes:
        with tempfile.TemporaryDirectory(prefix="fieldpulse-scale-") as folder, postgres_server() as url:
            yield known_records(Path(folder), rows, url, "target, ledger in PostgreSQL: all records are unchanged")


PARTS: dict[str, Part] = {
    "read": lambda sizes: _of_tap(sizes, full_read),
    "snapshot": lambda sizes: _of_tap(sizes, runs_with_snapshot),
    "ledger": _of_target,
    "postgresql": _of_target_on_postgresql,
}


def _table(runs: list[Run]) -> str:
    rows = []
    for run in runs:
        smallest = _smallest(run, runs)
        is_smallest = run is smallest
        rows.append(
            (
                run.what,
                f"{run.rows:,}",
                f"{run.cost.wall_seconds:.0f}",
                f"{run.cost.cpu_seconds:.1f}",
                "" if is_smallest else f"{run.cost.wall_seconds / smallest.cost.wall_seconds:.1f}",
                "" if is_smallest else f"{run.cost.cpu_seconds / smallest.cost.cpu_seconds:.1f}",
                f"{run.cost.memory_mb:.0f}",
            )
        )
    return table(("run", "rows", "seconds", "CPU seconds", "times the seconds", "times the CPU", "peak MB"), rows)


def _raise_if_growing(runs: list[Run]) -> None:
    """Raise SystemExit if CPU time grows faster than the rows, or memory grows."""
    growing = []
    for run in runs:
        smallest = _smallest(run, runs)
        if run.cost.cpu_seconds / smallest.cost.cpu_seconds > _MOST_TIME * run.rows / smallest.rows:
            growing.append(f"{run.what}: CPU time grows faster than the rows")
        if run.cost.memory_mb - smallest.cost.memory_mb > _MOST_MEMORY_MB:
            growing.append(f"{run.what}: memory grows with the rows")
    if growing:
        raise SystemExit("\n".join(growing))


def _smallest(run: Run, runs: list[Run]) -> Run:
    return next(each for each in runs if each.what == run.what)


if __name__ == "__main__":
    main()
