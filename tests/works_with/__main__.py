"""Load the tap's real output into Singer loaders and compare every cell: `python -m tests.works_with [LOADER …|all]`.

Each loader is installed from PyPI into an environment of its own, once. The results are written to
docs/operations/works-with.json; `make fix` makes the page from them. Exit status 1: something is not as it should be.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from pathlib import Path

from .environments import DEFAULT_FOLDER, prepare_environment
from .loaders import LOADERS, Loader
from .loading import Load, load
from .results import Result, read_results, write_results
from .scenarios import SCENARIOS, Scenario
from .stores import run_postgres

_SHOWN = 8


def main() -> int:
    """Run the chosen scenarios in the chosen loaders. Return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.works_with", description=__doc__)
    parser.add_argument("loaders", nargs="*", default="all", choices=["all", *LOADERS], metavar="LOADER")
    parser.add_argument("--scenario", action="append", choices=list(SCENARIOS), help="only this one; repeatable")
    parser.add_argument("--envs", type=Path, default=DEFAULT_FOLDER, help="environments (default: %(default)s)")
    parser.add_argument("--keep", type=Path, help="keep message files and tables in this new folder")
    parser.add_argument("--dry-run", action="store_true", help="do not write the results file")
    parser.add_argument("--customers", type=int, default=120, help="size of the account (default: %(default)s)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="loads at a time")
    arguments = parser.parse_args()
    chosen = list(LOADERS.values()) if "all" in arguments.loaders else [LOADERS[name] for name in arguments.loaders]
    environments = {loader.name: prepare_environment(loader.name, loader.packages, arguments.envs) for loader in chosen}
    scenarios = [SCENARIOS[name] for name in arguments.scenario or SCENARIOS]
    logging.disable()  # the tap reports each misfit, and there are many
    with tempfile.TemporaryDirectory(prefix="fieldpulse-works-with-") as temporary, run_postgres() as postgres:
        folder = arguments.keep or Path(temporary)
        files = {each.name: each.produce(folder / "messages" / each.name, arguments.customers) for each in scenarios}

        def run(loader: Loader, scenario: Scenario) -> Load:
            place = folder / loader.name / scenario.name
            environment, zone = environments[loader.name], scenario.zone
            result = load(loader, environment, files[scenario.name], place, zone=zone, postgres=postgres)
            print(f"{loader.name} {scenario.name}: {_verdict(result)}", flush=True)
            return result

        with ThreadPoolExecutor(arguments.jobs) as pool:
            pairs = {(loader.name, scenario.name): (loader, scenario) for scenario in scenarios for loader in chosen}
            futures = {names: pool.submit(run, *pair) for names, pair in pairs.items()}
            runs = {names: future.result() for names, future in futures.items()}
    if not arguments.dry_run:
        _store(runs)
    wrong = sum(not result.is_right for result in runs.values())
    print(f"{len(runs)} loads, {wrong} with differences")
    return 1 if wrong else 0


def _verdict(result: Load) -> str:
    comparison = result.comparison
    problems = [f"exit {max(result.statuses)}: {result.error}"] if any(result.statuses) else []
    problems += [] if result.has_last_state else ["the last STATE was not acknowledged"]
    problems += [str(difference) for difference in comparison.differences[:_SHOWN]]
    head = f"{comparison.rows:,} rows, {comparison.cells:,} cells, {len(comparison.differences):,} differences"
    return "\n    ".join([f"{head}, {result.seconds:.0f} s", *problems])


def _store(runs: dict[tuple[str, str], Load]) -> None:
    results, today = read_results(), datetime.now(timezone.utc).date().isoformat()
    for (loader, scenario), result in runs.items():
        results.setdefault(loader, {})[scenario] = Result.of(result, LOADERS[loader].packages, today)
    write_results(results)


if __name__ == "__main__":
    sys.exit(main())
