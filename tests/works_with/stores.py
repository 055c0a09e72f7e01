"""Reading what a loader has loaded: PostgreSQL, a DuckDB file, CSV files, JSON lines, the file of a dump script."""

from __future__ import annotations

import ast
import csv
import gzip
import json
import pickle
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import psycopg
from psycopg import sql
from psycopg.types.json import set_json_loads

from tests.harness.postgres_server import postgres_server

from .comparison import Table
from .environments import Environment

SCHEMA = "fp"
_LARGEST_CELL = 10_000_000  # characters
_DUMP_DUCKDB = f"""
import duckdb, json, sys
connection = duckdb.connect(sys.argv[1], read_only=True)
result = connection.execute("select table_name from information_schema.tables where table_schema = '{SCHEMA}'")
names = result.fetchall()
tables = {{}}
for name, in names:
    result = connection.execute(f'select * from {SCHEMA}."{{name}}"')
    rows = [[cell if cell is None or isinstance(cell, bool) else str(cell) for cell in row]
        for row in result.fetchall()]
    tables[name] = [[column[0] for column in result.description], rows]
json.dump(tables, sys.stdout)
"""


@dataclass(frozen=True)
class Database:
    """An empty database of a running PostgreSQL, which a loader reaches through a Unix socket."""

    host: str
    name: str
    user: str = "postgres"

    @property
    def settings(self) -> dict[str, Any]:
        """Return the connection as separate settings."""
        return {"host": self.host, "port": 5432, "user": self.user, "password": "none", "dbname": self.name}

    @property
    def sqlalchemy_url(self) -> str:
        """Return the connection as a URL of SQLAlchemy."""
        return f"postgresql+psycopg://{self.user}@/{self.name}?{urlencode({'host': self.host})}"


class Postgres:
    """A PostgreSQL server that makes a database for each load."""

    def __init__(self, url: str) -> None:
        """Use the server at a URL."""
        self._url = url
        with psycopg.connect(url) as connection:
            self.host = connection.info.host

    def create_database(self, name: str, zone: str) -> Database:
        """Create a database whose sessions have this time zone."""
        with psycopg.connect(self._url, autocommit=True) as connection:
            connection.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
            connection.execute(sql.SQL("alter database {} set timezone to {}").format(sql.Identifier(name), zone))
        return Database(self.host, name)


@contextmanager
def run_postgres() -> Iterator[Postgres]:
    """Run a PostgreSQL server."""
    with postgres_server() as url:
        yield Postgres(url)


def read_postgres(database: Database) -> dict[str, Table]:
    """Return the tables of the schema, as psycopg returns their cells."""
    with psycopg.connect(host=database.host, dbname=database.name, user=database.user) as connection:
        set_json_loads(lambda text: json.loads(text, parse_float=Decimal), connection)
        names = connection.execute("select tablename from pg_tables where schemaname = %s", (SCHEMA,)).fetchall()
        return {name: _read_table(connection, name) for (name,) in names}


def _read_table(connection: psycopg.Connection[Any], name: str) -> Table:
    cursor = connection.execute(sql.SQL("select * from {}").format(sql.Identifier(SCHEMA, name)))
    columns = [column.name for column in cursor.description or ()]
    return Table(columns, [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()])


def read_duckdb(path: Path, environment: Environment) -> dict[str, Table]:
    """Return the tables of the schema, read with the loader's own DuckDB; numbers and times are text."""
    dumped = environment.run(("python", "-c", _DUMP_DUCKDB, str(path)))
    tables = json.loads(dumped.stdout or "{}") if path.exists() else {}
    return {
        name: Table(columns, [dict(zip(columns, row, strict=True)) for row in rows])
        for name, (columns, rows) in tables.items()
    }


def read_dump(environment: Environment, script: Path, folder: Path) -> dict[str, Table]:
    """Return the tables of a folder, which a script of a stand-in reads in the loader's environment.

    Raises: RuntimeError if the script fails.
    """
    with tempfile.TemporaryDirectory() as temporary:
        output = Path(temporary) / "tables.pickle"
        ended = environment.run(("python", str(script), str(folder), str(output)))
        if ended.returncode:
            raise RuntimeError(f"{script.name} failed: {ended.stderr.strip()}")
        tables = pickle.loads(output.read_bytes())
    return {
        name: Table(columns, [dict(zip(columns, row, strict=True)) for row in rows], types)
        for name, (columns, rows, types) in tables.items()
    }


def read_csv(folder: Path) -> dict[str, Table]:
    """Return the files `<stream>.csv` or `<stream>-<timestamp>.csv`, one after another; an empty cell is null."""
    csv.field_size_limit(_LARGEST_CELL)
    tables: dict[str, Table] = {}
    for path in sorted(folder.rglob("*.csv"), key=lambda path: (path.stat().st_mtime_ns, path.name)):
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            rows = [{name: cell or None for name, cell in row.items()} for row in reader]
            columns = list(reader.fieldnames or ())
        table = tables.setdefault(path.stem.partition("-")[0], Table([], []))
        table.columns = list(dict.fromkeys([*(table.columns or ()), *columns]))
        table.rows += rows
    return tables


def read_json_lines(folder: Path) -> dict[str, Table]:
    """Return the files `<stream>.jsonl`."""
    return {
        path.stem: Table(None, [json.loads(line, parse_float=Decimal) for line in path.open(encoding="utf-8")])
        for path in sorted(folder.glob("*.jsonl"))
    }


def read_zipped_json_lines(folder: Path) -> dict[str, Table]:
    """Return the files `<stream>/…/<name>.jsonl.gz`, those of one stream one after another."""
    tables: dict[str, Table] = {}
    for path in sorted(folder.rglob("*.jsonl.gz"), key=lambda path: (path.stat().st_mtime_ns, path.name)):
        lines = gzip.decompress(path.read_bytes()).decode().split("\n")
        table = tables.setdefault(path.relative_to(folder).parts[0], Table(None, []))
        table.rows += [json.loads(line, parse_float=Decimal) for line in lines]
    return tables


def python_literal(text: str) -> Any:
    """Return the value of Python's repr of JSON.

    Raises: ValueError or SyntaxError for other text.
    """
    return ast.literal_eval(re.sub(r"Decimal\('([^']*)'\)", r"\1", text))
