"""An account of live size: 377 users, and teams of about 700 KB, of which twenty exceed the gateway's 10 MB."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fieldpulse_sandbox.sandbox import Sandbox
from fieldpulse_sandbox.schema.table_shapes import SECRETS
from tests.harness.messages import record_message, schema_message, singer_lines
from tests.harness.tap_runner import run_tap
from tests.harness.target_runner import run_target


@pytest.fixture(scope="module")
def large() -> Iterator[Sandbox]:
    with Sandbox(customers=100, users=377) as sandbox:
        yield sandbox


@pytest.fixture
def config(large: Sandbox, tmp_path: Path) -> dict[str, Any]:
    account = {"api_key": large.key, "api_url": large.url, "rate_limit_store": "memory", "requests_per_second": 50}
    return account | {"ledger_url": f"sqlite:///{tmp_path}/ledger.db", "rejects_path": f"{tmp_path}/rejects.jsonl"}


def test_every_list_is_read_whole(large: Sandbox, config: dict[str, Any]) -> None:
    """Each row once, and no secret of a user."""
    result = run_tap({name: value for name, value in config.items() if name not in ("ledger_url", "rejects_path")})
    for name in result.schemas:
        assert sorted(result.ids(name)) == [row["id"] for row in large.rows(name)], name
    people = json.dumps([result.records["users"], result.records["teams"]])
    assert "sandbox-secret" not in people
    assert not any(f'"{column}":' in people for column in SECRETS)


def test_a_filter_and_a_reference_find_a_heavy_team(large: Sandbox, config: dict[str, Any], tmp_path: Path) -> None:
    """Both read the list of teams to find one by its title."""
    team = next(row for row in large.rows("teams") if row["title"] == "North Crew")
    customer = large.rows("customers")[0]["id"]
    job = record_message("jobs", external_id="j1", customer_id=customer, job_type="Large", team=team["title"])
    assert run_target(config, singer_lines(schema_message("jobs", *job["record"]), job), tmp_path).counts == {
        "created": 1
    }
    assigned = [
        row["id"]
        for row in large.rows("jobs")
        if any(assignment["team_id"] == team["id"] for assignment in row["assignments"])
    ]
    assert large.rows("jobs")[-1]["id"] in assigned
    tap_config = {name: config[name] for name in ("api_key", "api_url", "rate_limit_store")}
    found = run_tap(tap_config | {"filters": {"jobs": {"team": "North Crew"}}}, "jobs")
    assert sorted(found.ids("jobs")) == assigned
