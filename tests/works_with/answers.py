"""The views of `fieldpulse answers`, over tables that real loaders made, against what was counted by hand.

The database is in New York, and the account in Chicago. `make answers` runs it.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg

from fieldpulse_cli.answers import ANSWERS, Warehouse
from tests.cli.answers.account import NOW, ZONE, as_text, counted_by_hand, emit

from .environments import DEFAULT_FOLDER, Environment, prepare_environment
from .loaders import Destination, Loader
from .loaders.duckdb import TARGET_DUCKDB
from .loaders.postgres import PIPELINEWISE, TARGET_POSTGRES
from .stores import SCHEMA, Postgres, run_postgres

_ZONE = "America/New_York"
_WAREHOUSE = Warehouse(SCHEMA, ZONE, now=NOW)
_IN_DUCKDB = """
import duckdb, json, sys
connection = duckdb.connect(sys.argv[1])
connection.execute(f"set timezone to '{sys.argv[2]}'")
answers = {}
for name, query in json.load(sys.stdin).items():
    result = connection.execute(query)
    columns, rows = [column[0] for column in result.description], result.fetchall()
    assert not any(isinstance(cell, float) for row in rows for cell in row)
    cells = [["" if cell is None else str(cell).lower() if isinstance(cell, bool) else str(cell) for cell in row]
        for row in rows]
    answers[name] = [columns, cells]
json.dump(answers, sys.stdout)
"""

Rows = tuple[list[str], list[list[str]]]
"""The names of columns, and rows of text."""


def main() -> int:
    """Ask every question of every loader's tables. Return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.works_with.answers", description=__doc__)
    parser.add_argument("--envs", type=Path, default=DEFAULT_FOLDER, help="environments (default: %(default)s)")
    arguments = parser.parse_args()
    wrong = 0
    with tempfile.TemporaryDirectory(prefix="fieldpulse-answers-") as temporary, run_postgres() as postgres:
        files = list(_message_files(Path(temporary)))
        for loader in (TARGET_POSTGRES, PIPELINEWISE, TARGET_DUCKDB):
            environment = prepare_environment(loader.name, loader.packages, arguments.envs)
            found = _answers(loader, environment, files, postgres, Path(temporary))
            different = [name for name in ANSWERS if found[name] != counted_by_hand(name)]
            print(f"{loader.name}: {len(found)} answers, different: {', '.join(different) or 'none'}", flush=True)
            wrong += len(different)
    return 1 if wrong else 0


def _message_files(folder: Path) -> Iterator[Path]:
    for number, output in enumerate(emit(folder), start=1):
        path = folder / f"{number}.singer"
        path.write_text(output, encoding="utf-8")
        yield path


def _answers(
    loader: Loader, environment: Environment, files: list[Path], postgres: Postgres, temporary: Path
) -> dict[str, Rows]:
    """Load the files, and return the loader's answers by name."""
    folder = temporary / loader.name
    folder.mkdir()
    destination = Destination(folder, postgres.create_database(loader.name, _ZONE))
    config = folder / "config.json"
    config.write_text(json.dumps(loader.settings(destination)))
    variables = {"TZ": _ZONE, **loader.variables}
    for path in files:
        ended = environment.run((*loader.command, "--config", str(config)), stdin=path, variables=variables)
        if ended.returncode:
            raise SystemExit(f"{loader.name} failed: {ended.stderr}")
    if loader is TARGET_DUCKDB:
        return _in_duckdb(environment, folder)
    with psycopg.connect(
        host=destination.database.host, dbname=destination.database.name, user=destination.database.user
    ) as connection:
        return {name: _in_postgres(connection, query) for name, query in _queries().items()}


def _queries() -> dict[str, str]:
    return {name: answer.query(_WAREHOUSE) for name, answer in ANSWERS.items()}


def _in_postgres(connection: psycopg.Connection[tuple[object, ...]], query: str) -> Rows:
    cursor = connection.execute(query)
    columns = [column.name for column in cursor.description or ()]
    return columns, [[as_text(cell) for cell in row] for row in cursor.fetchall()]


def _in_duckdb(environment: Environment, folder: Path) -> dict[str, Rows]:
    """Return the answers of the loader's own DuckDB, which is older than ours."""
    queries = folder / "queries.json"
    queries.write_text(json.dumps(_queries()))
    ended = environment.run(("python", "-c", _IN_DUCKDB, str(folder / "x.duckdb"), _ZONE), stdin=queries)
    if ended.returncode:
        raise SystemExit(f"{TARGET_DUCKDB.name}: {ended.stderr}")
    return {name: (columns, rows) for name, (columns, rows) in json.loads(ended.stdout).items()}


if __name__ == "__main__":
    sys.exit(main())
