"""A warehouse that is connected: what it has, and the views created in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from fieldpulse_api.errors import ConfigError
from fieldpulse_plugin.output import hide
from fieldpulse_plugin.stores.database import engine_of

from .answer import Answer
from .warehouse import OPTIONAL, OPTIONAL_COLUMN, Warehouse

Execute = Callable[[str], list[tuple[Any, ...]]]
"""Runs a statement, and returns its rows."""
_COLUMNS = "select table_schema, table_name, column_name from information_schema.columns"


def warehouse_url(url: str, where: str) -> URL:
    """Return the parsed URL of a warehouse in PostgreSQL or DuckDB; its password is hidden in logs from now on.

    `where` names the option. Raises: ConfigError.
    """
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise ConfigError("The URL is not valid.", where=where, hint="see --help") from None
    hide(str(parsed.password or ""))
    if parsed.drivername != "duckdb" and not parsed.drivername.startswith("postgres"):
        what = "The views of `fieldpulse answers` are for PostgreSQL and DuckDB."
        raise ConfigError(what, where=where, hint="use postgresql://… or duckdb:///path")
    return parsed


def import_duckdb(where: str) -> Any:
    """Return the module; most warehouses are not in DuckDB. Raises: ConfigError."""
    try:
        import duckdb  # noqa: PLC0415  as above
    except ImportError:
        raise ConfigError("DuckDB is not installed.", where=where, hint="pip install duckdb") from None
    return duckdb


def missing_from(execute: Execute, schema: str) -> frozenset[str]:
    """Return the members of `OPTIONAL` that a schema lacks. Raises: ConfigError if it has no table of a stream."""
    columns: dict[str, set[tuple[str, str]]] = {}
    for in_schema, table, column in execute(_COLUMNS):
        columns.setdefault(in_schema, set()).add((table, column))
    tables = {table for table, _ in columns.get(schema, ())}
    if not tables & set(OPTIONAL):
        others = [each for each, names in columns.items() if {("customers", "id"), ("jobs", "id")} & names]
        raise ConfigError(
            f"The schema {schema!r} has no tables of the tap.",
            where="--schema",
            hint=f"use the loader's default_target_schema{': ' if others else ''}{', '.join(sorted(others))}",
        )
    table, column = OPTIONAL_COLUMN
    missing = {name for name in OPTIONAL if name not in tables} - {column}
    return frozenset(missing | ({column} if table in tables and OPTIONAL_COLUMN not in columns[schema] else set()))


def create_view(execute: Execute, answer: Answer, warehouse: Warehouse, into: str) -> None:
    """Create a view, or replace it. Raises: ConfigError; the transaction is then to be rolled back."""
    try:
        execute(answer.view(warehouse, into))
    except _StatementError as error:
        raise ConfigError(
            f"The view {answer.name} cannot be created: {error}. No view was changed.",
            where=f"schema {into}",
            hint="load the columns that it reads; if it had other columns before, drop the schema of the views",
        ) from None


@contextmanager
def transaction(url: str, where: str) -> Iterator[Execute]:
    """Yield what runs statements in one transaction of the warehouse. Raises: ConfigError."""
    parsed = warehouse_url(url, where)
    with _duckdb(str(parsed.database), where) if parsed.drivername == "duckdb" else _postgres(url, where) as execute:
        yield execute


class _StatementError(Exception):
    """A statement failed; the text is the first line of what the database says."""


@contextmanager
def _postgres(url: str, where: str) -> Iterator[Execute]:
    engine = engine_of(url, store="warehouse", reads_only=True)
    try:
        with engine.connect() as connection, connection.begin():

            def execute(statement: str) -> list[tuple[Any, ...]]:
                try:
                    result = connection.exec_driver_sql(statement)
                    return [tuple(row) for row in result] if result.returns_rows else []
                except SQLAlchemyError as error:
                    raise _StatementError(_first_line(getattr(error, "orig", None) or error)) from None

            yield execute
    except SQLAlchemyError as error:
        raise _closed_error(where, getattr(error, "orig", None) or error) from None
    finally:
        engine.dispose()


@contextmanager
def _duckdb(path: str, where: str) -> Iterator[Execute]:
    duckdb = import_duckdb(where)
    if not Path(path).is_file():  # DuckDB would make one
        raise ConfigError(f"There is no file {path}.", where=where, hint="give the path of the loader's file")
    try:
        connection = duckdb.connect(path)
    except duckdb.Error as error:
        raise _closed_error(where, error) from None
    with closing(connection):
        connection.begin()

        def execute(statement: str) -> list[tuple[Any, ...]]:
            try:
                rows: list[tuple[Any, ...]] = connection.execute(statement).fetchall()
            except duckdb.Error as error:
                raise _StatementError(_first_line(error)) from None
            return rows

        yield execute
        connection.commit()


def _closed_error(where: str, error: BaseException) -> ConfigError:
    what = f"The warehouse cannot be opened: {_first_line(error)}."
    return ConfigError(
        what, where=where, hint="check the URL; while a loader writes a file of DuckDB, nothing else opens it"
    )


def _first_line(error: BaseException) -> str:
    return str(error).partition("\n")[0].rstrip(". ")
