"""The answers, counted by hand on a small account, in PostgreSQL and in DuckDB."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import duckdb
import psycopg
import pytest
from click.testing import CliRunner

from fieldpulse_api.errors import ConfigError
from fieldpulse_api.resources.catalogue import BY_NAME
from fieldpulse_cli.answers import ANSWERS, Warehouse
from fieldpulse_cli.answers.command import answers
from tests.harness.results import RunResult

from . import account
from .loaded import DUCKDB, POSTGRES, Form, load_of

_TABLES = 'field "pulse"'
_QUOTED_TABLES = '"field ""pulse"""'
_VIEWS = "Answers"
WAREHOUSE = Warehouse(_TABLES, account.ZONE, now=account.NOW)

Query = Callable[[str], tuple[list[str], list[Any]]]
"""Runs statements and returns the names of the last result's columns, and its rows."""


@pytest.fixture(scope="module")
def emitted(tmp_path_factory: pytest.TempPathFactory) -> RunResult:
    """Return what two runs of the tap emit; rows are deleted and moved between them."""
    return RunResult("".join(account.emit(tmp_path_factory.mktemp("snapshot"))))


def postgres_query(
    connection: psycopg.Connection[Any], emitted: RunResult, form: Form, streams: Iterable[str]
) -> Query:
    """Load streams as a loader does; return how to query them in a session of another zone than the account's."""
    connection.execute("set timezone to 'UTC'")
    connection.execute(f"create schema {_QUOTED_TABLES}")
    for stream in streams:
        load = load_of(emitted, stream, _QUOTED_TABLES, form, "%s")
        connection.execute(load.create)
        connection.cursor().executemany(load.insert, load.rows)
    connection.execute("set timezone to 'Asia/Tokyo'")

    def query(statements: str) -> tuple[list[str], list[Any]]:
        cursor = connection.execute(statements)
        return [column.name for column in cursor.description or ()], cursor.fetchall() if cursor.description else []

    return query


def duckdb_query(connection: duckdb.DuckDBPyConnection, emitted: RunResult, streams: Iterable[str]) -> Query:
    """Load streams as target-duckdb does; return how to query them in a session of another zone."""
    connection.execute(f"create schema {_QUOTED_TABLES}")
    for stream in streams:
        load = load_of(emitted, stream, _QUOTED_TABLES, DUCKDB, "?")
        connection.execute(load.create)
        if load.rows:
            connection.executemany(load.insert, load.rows)
    connection.execute("set timezone to 'Asia/Tokyo'")

    def query(statements: str) -> tuple[list[str], list[Any]]:
        connection.execute(statements)
        return [column[0] for column in connection.description], connection.fetchall()

    return query


@pytest.fixture(scope="module", params=[*POSTGRES, "DuckDB"])
def query(request: pytest.FixtureRequest, emitted: RunResult) -> Iterator[Query]:
    """Return how to query the account as a loader has loaded it."""
    if request.param == "DuckDB":
        with duckdb.connect() as connection:
            yield duckdb_query(connection, emitted, emitted.schemas)
    else:
        with psycopg.connect(request.getfixturevalue("postgres")) as connection:
            yield postgres_query(connection, emitted, POSTGRES[request.param], emitted.schemas)
            connection.rollback()


@pytest.fixture(scope="module")
def views(query: Query) -> Query:
    """Create every view, twice: creating it again replaces it."""
    query(f'create schema "{_VIEWS}"')
    for answer in [*ANSWERS.values()] * 2:
        query(answer.view(WAREHOUSE, _VIEWS))
    return query


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_is_as_counted_by_hand(name: str, views: Query) -> None:
    """Every column and row, in this order."""
    columns, expected = account.counted_by_hand(name)
    names, rows = views(f'select * from "{_VIEWS}".{name}')
    assert names == columns
    assert [[account.as_text(cell) for cell in row] for row in rows] == expected


def test_what_was_counted_by_hand_is_what_is_answered() -> None:
    """No file is left over."""
    assert sorted(path.stem for path in account.EXPECTED.iterdir()) == list(ANSWERS)


def test_the_printed_statements_create_the_views(query: Query) -> None:
    """As psql or duckdb would run them; on the day of the test, receivables are older and as high."""
    printed = _print_views("--schema", _TABLES, "--into", 'my "views"', "--timezone", account.ZONE)
    query(printed)
    for name in ANSWERS:
        columns, _ = query(f'select * from "my ""views""".{name}')
        assert columns == account.counted_by_hand(name)[0]
    _, rows = query('select customer_id, unpaid from "my ""views""".receivables_by_age')
    assert [[account.as_text(cell) for cell in row] for row in rows] == [
        ["1", "340.05"],
        ["2", "338.00"],
        ["4", "70.00"],
        ["99", "3.00"],
    ]


@pytest.mark.parametrize("name", ANSWERS)
def test_a_view_needs_no_tables_but_those_of_its_streams(name: str, emitted: RunResult) -> None:
    """A warehouse may lack all others, and what the tap emits by its settings only."""
    answer = ANSWERS[name]
    others = [f"--without={stream}" for stream in BY_NAME if stream not in answer.streams]
    printed = _print_views(
        name, "--schema", _TABLES, "--timezone", "UTC", "--without=deleted_rows", "--without=custom_status", *others
    )
    with duckdb.connect() as connection:
        query = duckdb_query(connection, emitted, answer.streams)
        if "estimates" in answer.streams:
            query(f"alter table {_QUOTED_TABLES}.estimates drop column custom_status")
        query(printed)
        assert query(f"select * from answers.{name}")[0] == account.counted_by_hand(name)[0]


def test_rows_that_cannot_be_recognised_as_deleted_count(emitted: RunResult) -> None:
    """Without `deleted_rows`, the deleted invoice of 999.00 is still owed."""
    with duckdb.connect() as connection:
        query = duckdb_query(connection, emitted, emitted.schemas)
        answer = ANSWERS["receivables_by_age"]
        _, rows = query(answer.query(Warehouse(_TABLES, account.ZONE, frozenset({"deleted_rows"}), account.NOW)))
        assert str(rows[0][3]) == "1339.05"


def test_a_row_with_deleted_at_is_out(emitted: RunResult) -> None:
    """As `delete_records` leaves it."""
    with duckdb.connect() as connection:
        query = duckdb_query(connection, emitted, emitted.schemas)
        query(f"update {_QUOTED_TABLES}.invoices set deleted_at = updated_at where id = 110")
        _, rows = query(ANSWERS["receivables_by_age"].query(WAREHOUSE))
        assert [row[0] for row in rows] == [1, 2, 99]


def test_a_view_whose_stream_is_missing_is_left_out() -> None:
    """And named."""
    ended = CliRunner().invoke(
        answers, ["views", "--schema=fieldpulse", "--timezone=UTC", "--without=items"], catch_exceptions=False
    )
    assert ended.stdout.count("create or replace view") == len(ANSWERS) - 2
    assert ended.stderr.splitlines() == [
        "Left out items_under_margin: it reads items.",
        "Left out stock_to_reorder: it reads items.",
    ]


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (["--schema", "x", "--timezone", "Mars/Olympus"], "Unknown time zone 'Mars/Olympus'."),
        (["--schema", "x", "--timezone", "UTC'; drop table x; --"], "Unknown time zone"),
        (["--schema", "", "--timezone", "UTC"], "empty or has control characters"),
        (["--schema", "x", "--into", "a\nb", "--timezone", "UTC"], "empty or has control characters"),
        (["receivables", "--schema", "x", "--timezone", "UTC"], "There is no answer 'receivables'."),
        (["stock_to_reorder", "--schema", "x", "--timezone", "UTC", "--without", "items"], "No view is left."),
    ],
)
def test_wrong_arguments_are_errors_of_three_parts(arguments: list[str], what: str) -> None:
    """And nothing is printed for psql to run."""
    ended = CliRunner().invoke(answers, ["views", *arguments])
    assert isinstance(ended.exception, ConfigError)
    assert what in ended.exception.what
    assert ended.exception.where
    assert ended.exception.hint
    assert ended.stdout == ""


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_says_what_it_answers_and_leaves_out(name: str) -> None:
    """In its header, which the view and the docs repeat."""
    answer = ANSWERS[name]
    assert answer.question.endswith("?")
    assert answer.leaves_out.startswith("Leaves out")
    assert f"{name}: {answer.question}\n" in CliRunner().invoke(answers, ["list"]).stdout


def _print_views(*arguments: str) -> str:
    ended = CliRunner().invoke(answers, ["views", *arguments], catch_exceptions=False)
    assert ended.exit_code == 0
    return ended.stdout
