"""What an agent asks of a warehouse: the views of `fieldpulse answers`, and nothing else, read only."""

from __future__ import annotations

from pathlib import Path

import duckdb
import psycopg
import pytest

from fieldpulse_api.errors import ConfigError
from fieldpulse_cli.answers import ANSWERS
from fieldpulse_cli.mcp_server.reading.answer_tool import Answers
from fieldpulse_sandbox.sandbox import Sandbox

from .agent import Agent

VIEW = """
create schema "my answers";
create view "my answers".receivables_by_age as
select 'Customer ' || n as customer, n * 1.25 as unpaid, date '2026-03-10' - cast(n as integer) as oldest_due_date
from generate_series(1, 150) as numbers(n) order by n desc;
"""
_SCHEMA = "my answers"


@pytest.fixture(params=["duckdb", "postgresql"])
def agent(request: pytest.FixtureRequest, shared: Sandbox, tmp_path: Path) -> Agent:
    """Return an agent with a warehouse that has a view of 150 rows."""
    url = f"duckdb:///{tmp_path}/warehouse.duckdb"
    if request.param == "duckdb":
        with duckdb.connect(f"{tmp_path}/warehouse.duckdb") as connection:
            connection.execute(VIEW)
    else:
        url = request.getfixturevalue("postgres")
        with psycopg.connect(url) as postgres:
            postgres.execute(f'drop schema if exists "{_SCHEMA}" cascade')
            postgres.execute(VIEW)
            postgres.execute("create sequence if not exists mcp_test_numbers")
            postgres.execute(f"create view \"{_SCHEMA}\".stale_estimates as select nextval('mcp_test_numbers') as n")
    return Agent(shared, tmp_path, answers=Answers(url, _SCHEMA))


def test_an_answer_comes_in_parts_and_in_the_order_of_its_view(agent: Agent) -> None:
    """Amounts and days are plain JSON; the cursor goes on until all rows came; columns filter."""
    first = agent.call("answer", question="receivables_by_age", limit=60)
    assert first["rows"][0] == {"customer": "Customer 150", "unpaid": 187.5, "oldest_due_date": "2025-10-11"}
    second = agent.call("answer", question="receivables_by_age", cursor=first["cursor"], limit=100)
    customers = [row["customer"] for row in [*first["rows"], *second["rows"]]]
    assert customers == [f"Customer {n}" for n in range(150, 0, -1)]
    assert second["cursor"] is None
    (row,) = agent.call("answer", question="receivables_by_age", filters={"customer": "customer 7"})["rows"]
    assert row["unpaid"] == 8.75


def test_what_cannot_be_answered_is_explained(agent: Agent) -> None:
    """A view that is missing, a column that does not exist, and an unknown question: no SQL reaches a model."""
    missing = agent.error("answer", question="items_under_margin")
    assert "fieldpulse answers create" in missing
    assert "select" not in missing
    assert "Unknown column" in agent.error("answer", question="receivables_by_age", filters={"x": 1})
    injected = 'receivables_by_age"; drop schema "my answers" cascade; --'
    assert "Unknown value" in agent.error("answer", question=injected)
    agent.call("answer", question="receivables_by_age")


@pytest.mark.parametrize("agent", ["postgresql"], indirect=True)
def test_a_view_that_would_write_is_refused(agent: Agent) -> None:
    """The transaction is read only, whatever the user of the URL may do."""
    assert "ReadOnlySqlTransaction" in agent.error("answer", question="stale_estimates")


@pytest.mark.parametrize("url", ["sqlite:///x.db", "no url", "mysql://x/y"])
def test_other_databases_are_refused(url: str) -> None:
    """At the start, and not at the first question."""
    with pytest.raises(ConfigError, match=r"PostgreSQL and DuckDB|not valid"):
        Answers(url, "answers")


def test_the_tool_names_every_question(agent: Agent, reader: Agent) -> None:
    """A model chooses by the questions; without a warehouse there is no such tool."""
    text = agent.tools["answer"].schema["properties"]["question"]["description"]
    assert all(answer.question in text for answer in ANSWERS.values())
    assert "answer" not in reader.tools
