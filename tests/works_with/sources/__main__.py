"""Send real sources into the target and compare every row: `python -m tests.works_with.sources [SOURCE …]`.

Each tap is installed from PyPI into an environment of its own, once. The stream maps are those of
docs/target/sources.md. The results are written to docs/operations/works-with-sources.json; `make fix` makes the table
from them. Exit status 1: something is not as it should be.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from datetime import datetime, timezone
from pathlib import Path

from tests.works_with.environments import DEFAULT_FOLDER, Environment, prepare_environment
from tests.works_with.stores import Postgres, run_postgres

from .catalogue import SOURCES
from .results import Result, read_results, write_results
from .source import Office, Source
from .trial import run_target_process, send_interrupted, send_twice

RECORDED = Path(__file__).parents[2] / "target" / "sources" / "messages"


def main() -> int:
    """Try the chosen sources. Return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.works_with.sources", description=__doc__)
    parser.add_argument("sources", nargs="*", default="all", choices=["all", *SOURCES], metavar="SOURCE")
    parser.add_argument("--envs", type=Path, default=DEFAULT_FOLDER, help="environments (default: %(default)s)")
    parser.add_argument("--dry-run", action="store_true", help="do not write the results file")
    parser.add_argument("--record", action="store_true", help="keep the messages for the tests, and do nothing else")
    arguments = parser.parse_args()
    chosen = list(SOURCES.values()) if "all" in arguments.sources else [SOURCES[name] for name in arguments.sources]
    results = read_results()
    with tempfile.TemporaryDirectory(prefix="fieldpulse-sources-") as temporary, run_postgres() as postgres:
        for source in chosen:
            messages = _emitted(source, arguments.envs, Path(temporary) / source.name, postgres)
            if arguments.record and source.rows:
                (RECORDED / f"{source.name}.singer").write_text(messages, "utf-8")
                continue
            result = results[source.name] = _try(source, messages, Path(temporary) / source.name)
            head = f"{source.name}: {result.records} records, {result.rows} rows, {result.fields} fields"
            print("\n    ".join([head, *result.differences]), flush=True)
    if not arguments.dry_run and not arguments.record:
        write_results(results)
    return 0 if all(results[source.name].is_right for source in chosen if source.name in results) else 1


def _emitted(source: Source, environments: Path, folder: Path, postgres: Postgres) -> str:
    folder.mkdir(parents=True)
    name = "-".join(package.partition("==")[0] for package in source.packages)
    environment = prepare_environment(name, source.packages, environments) if name else Environment(environments)
    return source.emit(Office(folder, environment, postgres))


def _try(source: Source, messages: str, folder: Path) -> Result:
    trial = send_twice(source, messages, folder / "twice", run_target_process)
    differences = list(trial.comparison.differences)
    if trial.writes:
        interrupted = send_interrupted(source, messages, folder / "interrupted", trial.writes)
        differences += [f"after a kill: {each}" for each in interrupted.differences]
    return Result(
        seen_on=datetime.now(timezone.utc).date().isoformat(),
        packages=source.packages,
        records=messages.count('"RECORD"'),
        writes=trial.writes,
        rows=trial.comparison.rows,
        fields=trial.comparison.fields,
        repeated_writes=trial.repeated_writes,
        killed_at=max(1, trial.writes // 2) if trial.writes else None,
        differences=tuple(differences),
    )


if __name__ == "__main__":
    sys.exit(main())
