"""Safety limits stop a run before its first write, and deletes need a setting."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fieldpulse_sandbox.faults.fault import Fault
from fieldpulse_sandbox.sandbox import Sandbox
from tests.harness.messages import record_message, schema_message, singer_lines, state_message
from tests.harness.target_runner import run_target

Config = dict[str, Any]

CUSTOMERS = schema_message("customers", "external_id", "first_name", "email", "notes", "deleted_at", "tags", "status")
JOBS = schema_message("jobs", "external_id", "customer_external_id", "job_type")
PIPELINE_MOVES = schema_message("pipeline_statuses", "customer_email", "pipeline_status")


def customers(number: int, **values: Any) -> list[Config]:
    return [record_message("customers", external_id=f"g{n}", first_name=f"G{n}", **values) for n in range(number)]


def writes(sandbox: Sandbox) -> list[str]:
    return [request.method for request in sandbox.requests if request.method != "GET"]


@pytest.mark.parametrize(("limit", "is_stopped"), [(5, True), (6, False), ("6", False), ("0%", True)])
def test_too_many_creates_stop_the_run_before_its_first_write(
    sandbox: Sandbox, target_config: Config, tmp_path: Path, limit: Any, is_stopped: bool
) -> None:
    """Exit status 4, no request that writes, no state. At the limit, all rows are created."""
    text = singer_lines(CUSTOMERS, *customers(6), state_message(1))
    result = run_target(target_config | {"max_creates": limit}, text, tmp_path)
    if is_stopped:
        assert (result.status, result.states, [*result.counts]) == (4, [], ["skipped"])
        assert "max_creates" in result.stderr
        assert writes(sandbox) == []
    else:
        assert (result.status, result.states, result.counts) == (0, [{"bookmarks": 1}], {"created": 6})


def test_a_percentage_refers_to_the_rows_in_the_ledger(sandbox: Sandbox, target_config: Config, tmp_path: Path) -> None:
    """A source that suddenly deletes half of its rows is stopped; a tenth passes."""
    config = target_config | {"hard_delete": True, "max_deletes": "10%"}
    run_target(target_config, singer_lines(CUSTOMERS, *customers(20)), tmp_path)
    gone = [part | {"record": part["record"] | {"deleted_at": "2026-01-01"}} for part in customers(10)]
    result = run_target(config, singer_lines(CUSTOMERS, *gone), tmp_path)
    assert result.status == 4
    assert "10 % of the 20" in result.stderr
    assert "DELETE" not in writes(sandbox)
    assert run_target(config, singer_lines(CUSTOMERS, *gone[:2]), tmp_path).counts == {"deleted": 2}


def test_updates_are_counted_by_stream_without_unchanged_records(
    sandbox: Sandbox, target_config: Config, tmp_path: Path
) -> None:
    """Ten unchanged records pass a limit of one update."""
    run_target(target_config, singer_lines(CUSTOMERS, *customers(10)), tmp_path)
    config = target_config | {"max_updates": 1}
    assert run_target(config, singer_lines(CUSTOMERS, *customers(10)), tmp_path).counts == {"unchanged": 10}
    changed = [*customers(1, notes="x"), *customers(10)[1:]]
    assert run_target(config, singer_lines(CUSTOMERS, *changed), tmp_path).counts == {"updated": 1, "unchanged": 9}
    since = len(writes(sandbox))
    assert run_target(config, singer_lines(CUSTOMERS, *customers(10, notes="y")), tmp_path).status == 4
    assert len(writes(sandbox)) == since


@pytest.mark.parametrize("limit", [3, 9])
def test_referenced_rows_that_are_created_count(
    sandbox: Sandbox, target_config: Config, tmp_path: Path, limit: int
) -> None:
    """Each missing tag counts once, before anything is sent."""
    config = target_config | {"max_creates": limit, "create_missing_references": ["tags"]}
    parts = [record_message("customers", external_id=f"t{n}", first_name="T", tags=[f"New {n % 9}"]) for n in range(9)]
    result = run_target(config, singer_lines(CUSTOMERS, *parts), tmp_path)
    assert result.status == (4 if limit < 9 else 0)
    assert sum(str(row["title"]).startswith("New ") for row in sandbox.rows("tags")) == (0 if limit < 9 else 9)


@pytest.mark.parametrize(
    ("limits", "parts"),
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
    ids=["a change of what is created", "a move of who is created"],
)
def test_planned_rows_are_visible_to_later_records(
    sandbox: Sandbox, target_config: Config, tmp_path: Path, limits: Config, parts: list[Config]
) -> None:
    """The limit counts records as if those before them were written."""
    assert run_target(target_config | limits, singer_lines(CUSTOMERS, *parts), tmp_path).status == 4
    assert writes(sandbox) == []


def test_parents_and_children_of_one_run_pass_the_limits_together(target_config: Config, tmp_path: Path) -> None:
    """A job whose customer is created before it in the same run is planned, and then written."""
    text = singer_lines(
        CUSTOMERS, *customers(1), JOBS, record_message("jobs", external_id="j", customer_external_id="g0", job_type="T")
    )
    assert run_target(target_config | {"max_creates": 1}, text, tmp_path).counts == {"created": 2}


def test_records_beyond_the_buffer_are_counted_as_they_are_written(
    sandbox: Sandbox, target_config: Config, tmp_path: Path
) -> None:
    """The first 20,000 records are planned in advance."""
    row = sandbox.rows("customers")[0]
    same = [record_message("customers", id=row["id"], first_name=row["first_name"])] * 20_000
    run_target(target_config, singer_lines(CUSTOMERS, same[0]), tmp_path)
    text = singer_lines(CUSTOMERS, *same, *customers(3))
    result = run_target(target_config | {"max_creates": 2}, text, tmp_path)
    assert result.status == 4
    assert result.counts["unchanged"] > 19_000
    assert writes(sandbox).count("POST") <= 2


@pytest.mark.parametrize(
    "text",
    ["", singer_lines(CUSTOMERS), singer_lines(CUSTOMERS, state_message(1))],
    ids=["nothing", "a schema", "a state"],
)
def test_an_empty_input_deletes_nothing(sandbox: Sandbox, target_config: Config, tmp_path: Path, text: str) -> None:
    """A failed extract looks like this, and so does an ACTIVATE_VERSION message."""
    run_target(target_config, singer_lines(CUSTOMERS, *customers(3)), tmp_path)
    version = {"type": "ACTIVATE_VERSION", "stream": "customers", "version": 2}
    for empty_input in (text, singer_lines(CUSTOMERS, version)):
        assert run_target(target_config | {"hard_delete": True}, empty_input, tmp_path).status == 0
    assert "DELETE" not in writes(sandbox)


def test_deleted_records_are_skipped_without_hard_delete(
    sandbox: Sandbox, target_config: Config, tmp_path: Path
) -> None:
    """A record that was never written is not matched by its e-mail address."""
    known = next(row for row in sandbox.rows("customers") if row["email"])
    run_target(target_config, singer_lines(CUSTOMERS, *customers(1)), tmp_path)
    (gone,) = customers(1, deleted_at="2026-01-01T00:00:00Z")
    stranger = record_message("customers", external_id="s", email=known["email"], deleted_at="2026-01-01")
    assert run_target(target_config, singer_lines(CUSTOMERS, gone, stranger), tmp_path).counts == {"skipped": 2}
    config = target_config | {"hard_delete": True}
    assert run_target(config, singer_lines(CUSTOMERS, gone, stranger), tmp_path).counts == {"deleted": 1, "skipped": 1}
    assert any(row["id"] == known["id"] for row in sandbox.rows("customers"))
    assert run_target(config, singer_lines(CUSTOMERS, *customers(1)), tmp_path).counts == {"created": 1}


def test_deleting_a_missing_row_succeeds(sandbox: Sandbox, target_config: Config, tmp_path: Path) -> None:
    """A 404 means that the row was deleted before, or that the response to the first request was lost."""
    run_target(target_config, singer_lines(CUSTOMERS, *customers(1)), tmp_path)
    sandbox.add_fault(Fault("dropped_connection", method="DELETE", after_commit=True))
    gone = singer_lines(CUSTOMERS, *customers(1, deleted_at="2026-01-01"))
    assert run_target(target_config | {"hard_delete": True}, gone, tmp_path).counts == {"deleted": 1}


def test_a_run_does_what_its_dry_run_planned(sandbox: Sandbox, target_config: Config, tmp_path: Path) -> None:
    """The plan file has old and new values field by field; the log shows only numbers and codes."""
    row = sandbox.rows("customers")[1]
    sandbox.store.patch("customers", row["id"], {"notes": "Canary before", "status": "lead"})
    gone = sandbox.rows("customers")[2]
    text = singer_lines(
        CUSTOMERS,
        record_message("customers", id=row["id"], notes="Canary after", status="lost"),
        record_message("customers", external_id="new", first_name="Canaryname"),
        record_message("customers", id=gone["id"], deleted_at="2026-01-01"),
        JOBS,
        record_message("jobs", external_id="j", customer_external_id="new", job_type="T"),
    )
    path = tmp_path / "out" / "plan.jsonl"
    config = target_config | {"hard_delete": True}
    dry = run_target(config | {"dry_run": True, "plan_path": str(path)}, text, tmp_path)
    assert dry.counts == {"created": 2, "updated": 1, "deleted": 1}
    assert writes(sandbox) == []
    *plan, sums = [json.loads(line) for line in path.read_text().splitlines()]
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
    assert (sums["requests"], sums["create"]) == (4, 2)
    assert sums["seconds"] == round((4 + sums["look_ups"]) / 50, 3)
    assert path.stat().st_mode & 0o777 == 0o600
    assert "Canary" not in dry.stderr
    assert "status 'lead' → 'lost'" in dry.stderr
    assert "notes text of 13 characters → text of 12 characters" in dry.stderr
    real = run_target(config, text, tmp_path)
    assert real.counts == dry.counts
    assert sorted(writes(sandbox)) == ["DELETE", "POST", "POST", "PUT"]
