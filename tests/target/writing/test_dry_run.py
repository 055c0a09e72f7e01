"""Dry runs, which plan like a real run and write nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fieldpulse_sandbox.faults.fault import Fault
from fieldpulse_sandbox.sandbox import Sandbox
from tests.harness.messages import record_message, schema_message, singer_lines, state_message
from tests.harness.target_runner import run_target
from tests.target.shared import CUSTOMERS, JOBS, PAYMENTS, PIPELINE_MOVES, payment, write_requests

Config = dict[str, Any]


def test_a_dry_run_sends_nothing_and_logs_each_planned_write(
    sandbox: Sandbox, target_config: Config, tmp_path: Path
) -> None:
    """A job refers to a customer of the same run. It leaves no state, no ledger entry and no value in the log."""
    text = singer_lines(
        CUSTOMERS,
        record_message("customers", external_id="d", first_name="Canary", email="canary@example.com"),
        JOBS,
        record_message("jobs", external_id="dj", customer_external_id="d", job_type="Check"),
        PIPELINE_MOVES,
        record_message("pipeline_statuses", customer_email="canary@example.com", pipeline_status="Won"),
        state_message(3),
    )
    result = run_target(target_config | {"dry_run": True}, text, tmp_path)
    assert result.counts == {"created": 2, "updated": 1}
    lines = [line.partition("dry run: would ")[2] for line in result.stderr.splitlines() if "dry run: would " in line]
    assert [line.partition(":")[0] for line in lines] == [
        "create customers d",
        "create jobs dj",
        "update pipeline_statuses d (new)",
        "create 2, update 1",
    ]
    assert "canary@example.com" not in result.stderr
    assert result.states == []
    assert write_requests(sandbox) == []
    assert run_target(target_config, text, tmp_path).counts == {"created": 2, "updated": 1}


def test_a_dry_run_counts_a_repeated_key_like_a_real_run(
    sandbox: Sandbox, target_config: Config, tmp_path: Path
) -> None:
    """The key is sent three times, deleted, and sent again."""
    records = [
        record_message("customers", external_id="k", first_name="K", **values) for values in ({}, {}, {"notes": "x"})
    ]
    records += [record_message("customers", external_id="k", deleted_at="2026-01-01T00:00:00Z"), records[0]]
    config = target_config | {"hard_delete": True}
    dry = run_target(config | {"dry_run": True}, singer_lines(CUSTOMERS, *records), tmp_path)
    real = run_target(config, singer_lines(CUSTOMERS, *records), tmp_path)
    assert dry.counts == real.counts == {"created": 2, "unchanged": 1, "updated": 1, "deleted": 1}


def test_a_dry_run_ignores_safety_limits(target_config: Config, tmp_path: Path) -> None:
    """The error of a safety limit recommends a dry run, which must show all planned writes."""
    records = [record_message("customers", external_id=f"g{n}", first_name="G") for n in range(4)]
    result = run_target(
        target_config | {"dry_run": True, "max_creates": 1}, singer_lines(CUSTOMERS, *records), tmp_path
    )
    assert (result.status, result.counts) == (0, {"created": 4})


def test_changes_are_logged_in_the_users_words(sandbox: Sandbox, target_config: Config, tmp_path: Path) -> None:
    """Statuses, tags, teams and choices have their names, times their place, and amounts their decimals.

    Names of people are in the plan file, which has them beside the raw values, and not in the log.
    """
    contacted, quoted = sandbox.rows("pipeline_statuses")[1:3]
    vip = sandbox.rows("tags")[0]
    status, next_status = sandbox.rows("job_statuses")[:2]
    ada = sandbox.rows("users")[0]
    team, day = sandbox.rows("teams")[0], sandbox.rows("custom_fields")[2]
    customer, job = sandbox.rows("customers")[0], sandbox.rows("jobs")[0]
    values = [{"field_instance_id": day["id"], "value": "Monday"}]
    before = {"pipeline_status_id": quoted["id"], "tags": [vip], "customfields": values}
    sandbox.store.patch("customers", customer["id"], before)
    sandbox.store.patch("jobs", job["id"], {"status_id": status["id"], "start_time": "2026-12-01 15:00:00"})
    customers = schema_message("customers", "id", "external_id", "pipeline_status_id", "tags", "custom_fields")
    jobs = schema_message("jobs", "id", "status_id", "start_time", "assigned_to_email", "team")
    text = singer_lines(
        jobs,
        record_message(
            "jobs",
            id=job["id"],
            status_id=next_status["id"],
            start_time="2026-12-01T16:30:00Z",
            assigned_to_email=ada["email"],
            team=team["title"],
        ),
        customers,
        record_message(
            "customers",
            id=customer["id"],
            pipeline_status_id=contacted["id"],
            tags=["VIP", "Landlord"],
            custom_fields={"preferred_day": "Friday", "gate_code": "Canary"},
        ),
        PAYMENTS,
        payment(sandbox) | {"record": payment(sandbox)["record"] | {"amount": "1234.5"}},
    )
    path = tmp_path / "plan.jsonl"
    config = target_config | {"dry_run": True, "plan_path": str(path), "timezone": "America/Chicago"}
    log = run_target(config, text, tmp_path).stderr
    for change in (
        "pipeline_status_id Quoted → Contacted",
        "tags VIP → VIP, Landlord",
        "custom_fields.Preferred day Monday → Friday",
        f"status_id {status['name']} → {next_status['name']}",
        "start_time 2026-12-01 09:00 Chicago → 2026-12-01 10:30 Chicago",
        f"user {ada['id']}, team {team['title']}",
        "amount 1,234.50",
    ):
        assert change in log
    for person in (ada["first_name"], ada["email"], "Canary"):
        assert person not in log
    lines = {line["stream"]: line for line in map(json.loads, path.read_text().splitlines()) if "stream" in line}
    assert lines["customers"]["fields"]["pipeline_status_id"] == {"old": quoted["id"], "new": contacted["id"]}
    assert lines["customers"]["words"] == {
        "pipeline_status_id": {"old": "Quoted", "new": "Contacted"},
        "tags": {"old": "VIP", "new": "VIP, Landlord"},
    }
    assert lines["jobs"]["words"]["assignments"]["new"] == f"user Ada Sampleton, team {team['title']}"


def test_ids_stay_ids_if_their_names_cannot_be_read(sandbox: Sandbox, target_config: Config, tmp_path: Path) -> None:
    """Names are for people: a list that the account forbids does not end the run."""
    sandbox.add_fault(Fault("error_status", path="/pipeline-status", status=403, times=9))
    contacted, customer = sandbox.rows("pipeline_statuses")[1], sandbox.rows("customers")[1]
    sandbox.store.patch("customers", customer["id"], {"pipeline_status_id": None})
    schema = schema_message("customers", "id", "pipeline_status_id")
    records = [
        record_message("customers", id=row["id"], pipeline_status_id=contacted["id"])
        for row in sandbox.rows("customers")[1:3]
    ]
    result = run_target(target_config | {"dry_run": True}, singer_lines(schema, *records), tmp_path)
    assert (result.status, result.counts.get("rejected")) == (0, None)
    assert f"pipeline_status_id empty → {contacted['id']}" in result.stderr
    assert result.stderr.count("ids of `pipeline_statuses` stay without names") == 1


def test_plans_are_sorted_by_stream_and_key(target_config: Config, tmp_path: Path) -> None:
    """Threads plan in any order. Numbers in keys sort by their value, in the log and in the plan file."""
    keys = [f"crm-{number}" for number in (*range(30, 0, -1), 100)]
    text = singer_lines(
        CUSTOMERS,
        *(record_message("customers", external_id=key, first_name="N") for key in keys),
        schema_message("assets", "external_id", "title"),
        record_message("assets", external_id="z", title="Furnace"),
    )
    path = tmp_path / "plan.jsonl"
    result = run_target(target_config | {"dry_run": True, "plan_path": str(path)}, text, tmp_path)
    expected = ["z", *(f"crm-{number}" for number in (*range(1, 31), 100))]
    assert [json.loads(line)["key"] for line in path.read_text().splitlines()[:-1]] == expected
    logged = [line.split()[-5] for line in result.stderr.splitlines() if "would create customers" in line]
    assert len(logged) == 31
    positions = [result.stderr.index(f" {key}: ") for key in expected]
    assert positions == sorted(positions)


def test_rejects_of_a_dry_run_are_in_a_file_of_their_own(target_config: Config, tmp_path: Path) -> None:
    """The rejects file of real runs stays as it is. The next dry run replaces those of the last one."""
    real, own = tmp_path / "rejects.singer", tmp_path / "rejects.dry-run.singer"
    config = target_config | {"rejects_path": str(real)}
    text = singer_lines(
        CUSTOMERS,
        record_message("customers", external_id="bad", first_name="N", email="no address"),
        PIPELINE_MOVES,
        record_message("pipeline_statuses", customer_email="missing@example.com", pipeline_status="Won"),
    )
    run_target(config, text, tmp_path)
    before = real.read_bytes()
    for _ in range(2):
        result = run_target(config | {"dry_run": True}, text, tmp_path)
        assert (result.status, result.counts) == (1, {"rejected": 2})
        lines = [json.loads(line) for line in own.read_text().splitlines()]
        reasons = {line["stream"]: line["rejected"] for line in lines if line["type"] == "RECORD"}
        assert set(reasons) == {"customers", "pipeline_statuses"}
        assert "rejected: customers bad: " in result.stderr
        assert "rejected: pipeline_statuses customer_email […]: " in result.stderr
        assert f"A real run would reject 2 records. They are in {own}" in result.stderr
        assert "missing@example.com" not in result.stderr
    assert real.read_bytes() == before
    good = singer_lines(CUSTOMERS, record_message("customers", external_id="good", first_name="N"))
    assert run_target(config | {"dry_run": True}, good, tmp_path).status == 0
    assert not own.exists()


def test_rejects_of_a_dry_run_can_be_its_input(target_config: Config, tmp_path: Path) -> None:
    """The file is replaced, and not truncated: a dry run reads it to its end."""
    own = tmp_path / "rejects.dry-run.singer"
    config = target_config | {"rejects_path": str(tmp_path / "rejects.singer"), "dry_run": True}
    records = [record_message("customers", external_id=str(n), first_name="N", email="x") for n in range(9)]
    run_target(config, singer_lines(CUSTOMERS, *records), tmp_path)
    with own.open("rb") as rejects:
        assert run_target(config, rejects, tmp_path).counts == {"rejected": 9}


@pytest.mark.parametrize("setting", ["plan_path", "report_path"])
def test_no_other_file_is_taken_for_the_rejects_of_a_dry_run(
    target_config: Config, tmp_path: Path, setting: str
) -> None:
    """A dry run removes this file at its beginning."""
    path = tmp_path / "rejects.dry-run.singer"
    path.write_text("precious")
    config = target_config | {"rejects_path": str(tmp_path / "rejects.singer"), setting: str(path), "dry_run": True}
    result = run_target(config, singer_lines(CUSTOMERS), tmp_path)
    assert "lead to the same file" in result.stderr
    assert path.read_text() == "precious"


def test_the_closing_lines_of_a_dry_run_say_that_it_would(target_config: Config, tmp_path: Path) -> None:
    """Nothing was created. The table has columns for the outcomes that there were, and fits a terminal."""
    text = singer_lines(CUSTOMERS, record_message("customers", external_id="a", first_name="N"))
    lines = run_target(target_config | {"dry_run": True}, text, tmp_path).stderr.splitlines()
    assert "dry run: read 1 = 1 would create + 0 would update + 0 would delete + 0 unchanged" in lines[-1]
    assert lines[-3].endswith("stream          read  would create")
    assert lines[-2].split()[-3:] == ["customers", "1", "1"]
