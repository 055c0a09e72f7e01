"""Safety limits, which stop a run before its first write, and deletes, which need a setting."""

from __future__ import annotations

import json
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import pytest

from fieldpulse_api.http.limits.rate_limiter import MAX_PACE
from fieldpulse_sandbox.faults.fault import Fault
from fieldpulse_sandbox.sandbox import Sandbox
from tests.harness.messages import record_message, schema_message, singer_lines, state_message
from tests.harness.target_runner import run_target
from tests.target.shared import write_requests

Config = dict[str, Any]

CUSTOMERS = schema_message("customers", "external_id", "first_name", "email", "notes", "deleted_at", "tags", "status")
JOBS = schema_message("jobs", "external_id", "customer_external_id", "job_type")
PIPELINE_MOVES = schema_message("pipeline_statuses", "customer_email", "pipeline_status")


def customers(number: int, **values: Any) -> list[Config]:
    """Return the records of a number of customers with the same additional values."""
    return [record_message("customers", external_id=f"g{n}", first_name=f"G{n}", **values) for n in range(number)]


def write_methods(sandbox: Sandbox) -> list[str]:
    """Return the method of each request that writes."""
    return [request.split()[0] for request in write_requests(sandbox)]


@pytest.mark.parametrize(("limit", "is_stopped"), [(5, True), (6, False), ("6", False), ("0%", True)])
def test_too_many_creates_stop_the_run_before_its_first_write(
    sandbox: Sandbox, target_config: Config, tmp_path: Path, limit: Any, is_stopped: bool
) -> None:
    """Exit status 4 and no state. A run that reaches its limit exactly creates all rows."""
    text = singer_lines(CUSTOMERS, *customers(6), state_message(1))
    result = run_target(target_config | {"max_creates": limit}, text, tmp_path)
    if is_stopped:
        assert (result.status, result.states, [*result.counts]) == (4, [], ["unsent"])
        assert "max_creates" in result.stderr
        assert write_requests(sandbox) == []
    else:
        assert (result.status, result.states, result.counts) == (0, [{"bookmarks": 1}], {"created": 6})


def test_a_percentage_refers_to_the_rows_in_the_ledger(sandbox: Sandbox, target_config: Config, tmp_path: Path) -> None:
    """A limit of ten percent stops ten of 20 deletes, and allows two."""
    config = target_config | {"hard_delete": True, "max_deletes": "10%"}
    run_target(target_config, singer_lines(CUSTOMERS, *customers(20)), tmp_path)
    deletions = customers(10, deleted_at="2026-01-01")
    result = run_target(config, singer_lines(CUSTOMERS, *deletions), tmp_path)
    assert result.status == 4
    assert "10 % of the 20" in result.stderr
    assert "DELETE" not in write_methods(sandbox)
    assert run_target(config, singer_lines(CUSTOMERS, *deletions[:2]), tmp_path).counts == {"deleted": 2}


def test_updates_are_counted_by_stream_without_unchanged_records(
    sandbox: Sandbox, target_config: Config, tmp_path: Path
) -> None:
    """A limit of one update allows ten unchanged records."""
    run_target(target_config, singer_lines(CUSTOMERS, *customers(10)), tmp_path)
    config = target_config | {"max_updates": 1}
    assert run_target(config, singer_lines(CUSTOMERS, *customers(10)), tmp_path).counts == {"unchanged": 10}
    changed = [*customers(1, notes="x"), *customers(10)[1:]]
    assert run_target(config, singer_lines(CUSTOMERS, *changed), tmp_path).counts == {"updated": 1, "unchanged": 9}
    since = len(write_requests(sandbox))
    assert run_target(config, singer_lines(CUSTOMERS, *customers(10, notes="y")), tmp_path).status == 4
    assert len(write_requests(sandbox)) == since


@pytest.mark.parametrize("limit", [3, 9])
def test_referenced_rows_that_are_created_count(
    sandbox: Sandbox, target_config: Config, tmp_path: Path, limit: int
) -> None:
    """Each missing tag counts once. No tag is created if the limit is exceeded."""
    config = target_config | {"max_creates": limit, "create_missing_references": ["tags"]}
    records = [
        record_message("customers", external_id=f"t{n}", first_name="T", tags=[f"New {n % 9}"]) for n in range(9)
    ]
    result = run_target(config, singer_lines(CUSTOMERS, *records), tmp_path)
    assert result.status == (4 if limit < 9 else 0)
    assert sum(str(row["title"]).startswith("New ") for row in sandbox.rows("tags")) == (0 if limit < 9 else 9)


@pytest.mark.parametrize(
    ("limits", "messages"),
    [
        (
            {"max_updates": 0},
            [record_message("customers", external_id="g", first_name="G", notes=note) for note in "ab"],
        ),
        (
            {"max_creates": 2},
            [
                *customers(2, email="new@example.com"),
                PIPELINE_MOVES,
                record_message("pipeline_statuses", customer_email="new@example.com", pipeline_status="Won"),
                CUSTOMERS,
                *customers(4)[2:],
            ],
        ),
    ],
    ids=["an update of a planned row", "a move of a planned row"],
)
def test_planned_rows_are_visible_to_later_records(
    sandbox: Sandbox, target_config: Config, tmp_path: Path, limits: Config, messages: list[Config]
) -> None:
    """The limit counts each record as if the records before it had been written."""
    assert run_target(target_config | limits, singer_lines(CUSTOMERS, *messages), tmp_path).status == 4
    assert write_requests(sandbox) == []


def test_parents_and_children_of_one_run_pass_the_limits_together(target_config: Config, tmp_path: Path) -> None:
    """A job whose customer is created before it in the same run is planned, and then written."""
    text = singer_lines(
        CUSTOMERS, *customers(1), JOBS, record_message("jobs", external_id="j", customer_external_id="g0", job_type="T")
    )
    assert run_target(target_config | {"max_creates": 1}, text, tmp_path).counts == {"created": 2}


def test_records_beyond_the_buffer_are_counted_as_they_are_written(target_config: Config, tmp_path: Path) -> None:
    """The first 20,000 records are planned in advance."""
    with Sandbox(customers=200) as sandbox:
        config = target_config | {"api_url": sandbox.url, "api_key": sandbox.key}
        rows = sandbox.rows("customers")
        same = [record_message("customers", id=row["id"], first_name=row["first_name"]) for row in rows]
        run_target(config, singer_lines(CUSTOMERS, *same), tmp_path)
        text = singer_lines(CUSTOMERS, *islice(cycle(same), 20_000), *customers(3))
        result = run_target(config | {"max_creates": 2}, text, tmp_path)
    assert result.status == 4
    assert result.counts["unchanged"] > 19_000
    assert write_methods(sandbox).count("POST") <= 2


@pytest.mark.parametrize(
    "text",
    ["", singer_lines(CUSTOMERS), singer_lines(CUSTOMERS, state_message(1))],
    ids=["nothing", "a schema", "a state"],
)
def test_an_empty_input_deletes_nothing(sandbox: Sandbox, target_config: Config, tmp_path: Path, text: str) -> None:
    """A failed extract may have no records, or only an ACTIVATE_VERSION message."""
    run_target(target_config, singer_lines(CUSTOMERS, *customers(3)), tmp_path)
    version = {"type": "ACTIVATE_VERSION", "stream": "customers", "version": 2}
    for empty_input in (text, singer_lines(CUSTOMERS, version)):
        assert run_target(target_config | {"hard_delete": True}, empty_input, tmp_path).status == 0
    assert "DELETE" not in write_methods(sandbox)


def test_deleted_records_are_skipped_without_hard_delete(
    sandbox: Sandbox, target_config: Config, tmp_path: Path
) -> None:
    """A deleted record without a ledger entry deletes no row that matches its e-mail address."""
    existing = next(row for row in sandbox.rows("customers") if row["email"])
    run_target(target_config, singer_lines(CUSTOMERS, *customers(1)), tmp_path)
    (deleted,) = customers(1, deleted_at="2026-01-01T00:00:00Z")
    unwritten = record_message("customers", external_id="s", email=existing["email"], deleted_at="2026-01-01")
    text = singer_lines(CUSTOMERS, deleted, unwritten)
    assert run_target(target_config, text, tmp_path).counts == {"skipped": 2}
    config = target_config | {"hard_delete": True}
    assert run_target(config, text, tmp_path).counts == {
        "deleted": 1,
        "skipped": 1,
    }
    assert any(row["id"] == existing["id"] for row in sandbox.rows("customers"))
    assert run_target(config, singer_lines(CUSTOMERS, *customers(1)), tmp_path).counts == {"created": 1}


def test_deleting_a_missing_row_succeeds(sandbox: Sandbox, target_config: Config, tmp_path: Path) -> None:
    """The first DELETE loses its response, and the retry receives 404."""
    run_target(target_config, singer_lines(CUSTOMERS, *customers(1)), tmp_path)
    sandbox.add_fault(Fault("dropped_connection", method="DELETE", after_commit=True))
    deletion = singer_lines(CUSTOMERS, *customers(1, deleted_at="2026-01-01"))
    assert run_target(target_config | {"hard_delete": True}, deletion, tmp_path).counts == {"deleted": 1}


def test_a_run_does_what_its_dry_run_planned(sandbox: Sandbox, target_config: Config, tmp_path: Path) -> None:
    """The plan file has the old and new value of each field. The log shows only numbers and codes."""
    row = sandbox.rows("customers")[1]
    sandbox.store.patch("customers", row["id"], {"notes": "Canary before", "status": "lead"})
    deleted = sandbox.rows("customers")[2]
    text = singer_lines(
        CUSTOMERS,
        record_message("customers", id=row["id"], notes="Canary after", status="lost"),
        record_message("customers", external_id="new", first_name="Canaryname"),
        record_message("customers", id=deleted["id"], deleted_at="2026-01-01"),
        JOBS,
        record_message("jobs", external_id="j", customer_external_id="new", job_type="T"),
    )
    path = tmp_path / "out" / "plan.jsonl"
    config = target_config | {"hard_delete": True}
    dry = run_target(config | {"dry_run": True, "plan_path": str(path)}, text, tmp_path)
    assert dry.counts == {"created": 2, "updated": 1, "deleted": 1}
    assert write_requests(sandbox) == []
    *plan, totals = [json.loads(line) for line in path.read_text().splitlines()]
    assert {(line["action"], line["stream"]) for line in plan} == {
        ("update", "customers"),
        ("create", "customers"),
        ("delete", "customers"),
        ("create", "jobs"),
    }
    update = next(line for line in plan if line["action"] == "update")
    assert update["fields"] == {
        "notes": {"old": "Canary before", "new": "Canary after"},
        "status": {"old": "lead", "new": "lost"},
    }
    assert (totals["requests"], totals["create"], totals["timezone"]) == (
        5,
        2,
        "UTC",
    )  # the row of the update is read first
    assert totals["seconds"] == round((5 + totals["look_ups"]) / MAX_PACE, 3)
    assert path.stat().st_mode & 0o777 == 0o600
    assert "Canary" not in dry.stderr
    assert "status lead → lost" in dry.stderr
    assert "notes text of 13 characters → text of 12 characters" in dry.stderr
    real = run_target(config, text, tmp_path)
    assert real.counts == dry.counts
    assert sorted(write_methods(sandbox)) == ["DELETE", "POST", "POST", "PUT"]
