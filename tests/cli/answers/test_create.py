"""`fieldpulse answers create`: views in a warehouse as it is, without a flag for what it lacks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import pytest
from click.testing import CliRunner, Result

from fieldpulse_api.errors import ConfigError
from fieldpulse_cli.answers import ANSWERS
from fieldpulse_cli.answers.command import answers
from tests.harness.results import RunResult

from . import account
from .loaded import DUCKDB, POSTGRES, load_of

SCHEMA = "from the tap"
_QUOTED = f'"{SCHEMA}"'
Sql = Callable[[str], list[tuple[Any, ...]]]


@pytest.fixture(scope="module")
def emitted(tmp_path_factory: pytest.TempPathFactory) -> RunResult:
    """Return what the tap emits, with deleted rows and custom statuses."""
    return RunResult("".join(account.emit(tmp_path_factory.mktemp("snapshot"))))


@pytest.fixture(params=["duckdb", "postgresql"])
def url(request: pytest.FixtureRequest, emitted: RunResult, tmp_path: Path) -> str:
    """Return the URL of a warehouse as the tap fills it by default: it has neither of what two settings add."""
    streams = [name for name in emitted.schemas if name != "deleted_rows"]
    if request.param == "duckdb":
        url = f"duckdb:///{tmp_path}/warehouse.duckdb"
        with duckdb.connect(f"{tmp_path}/warehouse.duckdb") as duck:
            duck.execute(f"create schema {_QUOTED}")
            for stream in streams:
                load = load_of(emitted, stream, _QUOTED, DUCKDB, "?")
                duck.execute(load.create)
                if load.rows:
                    duck.executemany(load.insert, load.rows)
    else:
        url = request.getfixturevalue("postgres")
        with psycopg.connect(url) as postgres:
            postgres.execute(f"drop schema if exists {_QUOTED}, answers cascade")
            postgres.execute(f"create schema {_QUOTED}")
            for stream in streams:
                load = load_of(emitted, stream, _QUOTED, POSTGRES["target-postgres"], "%s")
                postgres.execute(load.create)
                postgres.cursor().executemany(load.insert, load.rows)
    sql(url, f"alter table {_QUOTED}.estimates drop column custom_status")
    return url


def sql(url: str, statement: str) -> list[tuple[Any, ...]]:
    """Run a statement in the warehouse."""
    connection: Any
    if url.startswith("duckdb"):
        connection = duckdb.connect(url.removeprefix("duckdb:///"))
    else:
        connection = psycopg.connect(url, autocommit=True)
    with connection:
        return (
            connection.execute(statement).fetchall()
            if statement.startswith("select")
            else connection.execute(statement)
        )


def create(url: str, *arguments: str, schema: str = SCHEMA) -> Result:
    command = ["create", *arguments, "--url", url, "--schema", schema, "--timezone", account.ZONE]
    return CliRunner().invoke(answers, command)


def unpaid(url: str) -> dict[int, str]:
    """Return what each customer owes."""
    return {row[0]: f"{row[1]:.2f}" for row in sql(url, "select customer_id, unpaid from answers.receivables_by_age")}


def test_a_warehouse_of_default_settings_needs_no_flag(url: str) -> None:
    """Every view is there, and two lines say what cannot be known: an invoice of 999.00 that was deleted counts."""
    ended = create(url)
    assert (ended.exit_code, ended.stdout.split(": ")[0]) == (0, f"Created {len(ANSWERS)} views in the schema answers")
    assert [line.split(":")[0] for line in ended.stderr.splitlines()] == [
        "There is no table deleted_rows",
        "The estimates have no custom_status",
    ]
    for name in ANSWERS:
        sql(url, f"select * from answers.{name}")
    assert unpaid(url)[1] == "1339.05"


def test_creating_again_takes_over_what_was_loaded_since(url: str) -> None:
    """The deleted invoice does not count once the table of deleted rows is there."""
    create(url)
    sql(url, f"create table {_QUOTED}.deleted_rows (stream text, id bigint)")
    sql(url, f"insert into {_QUOTED}.deleted_rows values ('invoices', 111)")
    again = create(url)
    assert again.exit_code == 0
    assert "deleted_rows" not in again.stderr
    assert unpaid(url)[1] == "340.05"


def test_a_stream_that_was_not_loaded_leaves_its_views_out(url: str) -> None:
    """And they are named."""
    sql(url, f"drop table {_QUOTED}.items")
    ended = create(url)
    assert ended.exit_code == 0
    assert ended.stdout.startswith(f"Created {len(ANSWERS) - 2} views")
    assert "Left out stock_to_reorder: it reads items." in ended.stderr


def test_a_view_that_cannot_be_created_leaves_all_as_they_are(url: str) -> None:
    """The message names the view and the column."""
    sql(url, f"alter table {_QUOTED}.jobs drop column job_type")
    ended = create(url)
    assert isinstance(ended.exception, ConfigError)
    assert "job_type" in ended.exception.what
    assert sql(url, "select count(*) from information_schema.schemata where schema_name = 'answers'") == [(0,)]


def test_a_wrong_schema_names_those_with_tables_of_the_tap(url: str) -> None:
    """Nothing is created."""
    ended = create(url, schema="public")
    assert isinstance(ended.exception, ConfigError)
    assert SCHEMA in ended.exception.hint


@pytest.mark.parametrize(
    ("url", "what"),
    [
        ("mysql://me@localhost/x", "for PostgreSQL and DuckDB"),
        ("://", "not valid"),
        ("duckdb:////nowhere/at/all.duckdb", "There is no file"),
        (f"duckdb:///{__file__}", "cannot be opened"),
        ("postgresql://me:hush-hush@127.0.0.1:1/x", "cannot be opened"),
    ],
)
def test_a_warehouse_that_cannot_be_reached_is_an_error_of_three_parts(url: str, what: str) -> None:
    """Without the password."""
    ended = create(url)
    assert isinstance(ended.exception, ConfigError)
    assert what in ended.exception.what
    assert "hush-hush" not in str(ended.exception)
