"""What an agent writes: only what it planned, only while that is still so, by the rules of the target."""

from __future__ import annotations

import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from fieldpulse_sandbox.faults.fault import Fault
from fieldpulse_sandbox.sandbox import Sandbox
from fieldpulse_sandbox.server.recorded_request import RecordedRequest
from target_fieldpulse.ledger.database import LedgerDatabase
from target_fieldpulse.ledger.run_marker import RunMarkers
from target_fieldpulse.ledger.tables import AUDIT, ENTRIES
from target_fieldpulse.reporting.open_rejects import read_open_count

from .agent import Agent

LEAD = {"first_name": "Ann", "last_name": "Lee", "email": "ann.lee@example.com"}


def writes_to(sandbox: Sandbox) -> list[RecordedRequest]:
    """Return the requests that were no reads."""
    return [request for request in sandbox.requests if request.method != "GET"]


def rows_of(agent: Agent, table: Any) -> list[Any]:
    """Return the rows of a table of the ledger's database."""
    with closing(LedgerDatabase(agent.target.ledger_url)) as database, database.begin() as connection:
        return list(connection.execute(select(table)))


def test_a_plan_writes_nothing_and_its_confirmation_exactly_that(writer: Agent, sandbox: Sandbox) -> None:
    """The plan shows old and new values; the write goes through ledger and audit."""
    row = sandbox.rows("customers")[0]
    plan = writer.call("plan_write", stream="customers", record={"id": row["id"], "notes": "Call first."})
    (write,) = plan["writes"]
    assert write["fields"] == {"notes": {"old": row["notes"], "new": "Call first."}}
    assert writes_to(sandbox) == []
    result = writer.call("confirm_write", plan_id=plan["plan_id"])
    assert (result["outcome"], result["id"], result["changed_properties"]) == ("updated", row["id"], ["notes"])
    assert sandbox.rows("customers")[0]["notes"] == "Call first."
    assert len(writes_to(sandbox)) == 1
    assert [entry.status for entry in rows_of(writer, ENTRIES)] == ["written"]
    assert [entry.outcome for entry in rows_of(writer, AUDIT)] == ["updated"]


def test_a_plan_is_confirmed_once(writer: Agent, sandbox: Sandbox) -> None:
    """A repeated confirmation creates no second row, and neither does the same record again."""
    plan = writer.call("plan_write", stream="customers", record=LEAD)
    created = writer.call("confirm_write", plan_id=plan["plan_id"])
    assert "confirmed already" in writer.error("confirm_write", plan_id=plan["plan_id"])
    again = writer.call("plan_write", stream="customers", record=LEAD)
    assert (again["plan_id"], again["outcome"], again["id"]) == (None, "unchanged", created["id"])
    assert [request.method for request in writes_to(sandbox)] == ["POST"]


def test_a_row_that_changed_meanwhile_is_not_written(writer: Agent, sandbox: Sandbox) -> None:
    """Whatever changed in the row, the person agreed to another one. No reject is left behind."""
    row_id = sandbox.rows("customers")[0]["id"]
    plan = writer.call("plan_write", stream="customers", record={"id": row_id, "notes": "Call first."})
    sandbox.store.update("customers", row_id, {"phone": "312-555-0100"})
    assert "changed since the plan" in writer.error("confirm_write", plan_id=plan["plan_id"])
    assert writes_to(sandbox) == []
    assert read_open_count(writer.target.ledger_url).count == 0
    assert not writer.target.rejects_path.exists() or not writer.target.rejects_path.read_text()


def test_a_create_that_became_an_update_is_not_written(writer: Agent, sandbox: Sandbox) -> None:
    """If the row appears between plan and confirmation, the plan is another one."""
    plan = writer.call("plan_write", stream="customers", record=LEAD)
    sandbox.store.create("customers", {**LEAD, "company_id": 200001})
    assert "changed since the plan" in writer.error("confirm_write", plan_id=plan["plan_id"])
    assert writes_to(sandbox) == []


def test_a_plan_expires(writer: Agent, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was agreed ten minutes ago is not carried out."""
    plan = writer.call("plan_write", stream="customers", record=LEAD)
    later = time.monotonic() + 601
    monkeypatch.setattr(time, "monotonic", lambda: later)
    assert "older than ten minutes" in writer.error("confirm_write", plan_id=plan["plan_id"])
    assert writes_to(sandbox) == []


@pytest.mark.parametrize(
    ("record", "problem"),
    [
        ({"nots": "x"}, "did you mean 'notes'"),
        ({"id": "1 or 1=1", "notes": "x"}, "positive whole numbers"),
        ({"first_name": {"a": 1}}, "text is expected"),
        ({"first_name": "Ann", "pipeline_status": "No such stage"}, "allowed: New Lead"),
        ({"notes": "no name"}, "first_name"),
        ({"first_name": "\ud800"}, "surrogate"),
        ({"first_name": float("nan")}, "NaN"),
        ({"id": 1, "notes": "x"}, "404"),
    ],
)
def test_an_invalid_record_is_refused_at_the_plan(
    record: dict[str, Any], problem: str, writer: Agent, sandbox: Sandbox
) -> None:
    """The reason is the target's; nothing is written, and no reject waits for a person."""
    assert problem.lower() in writer.error("plan_write", stream="customers", record=record).lower()
    assert writes_to(sandbox) == []
    assert read_open_count(writer.target.ledger_url).count == 0
    assert not list(writer.target.rejects_path.parent.glob("rejects*"))


def test_safety_limits_hold_for_all_writes_of_a_session(sandbox: Sandbox, tmp_path: Path) -> None:
    """Each write is a run of its own; the limit counts them together."""
    agent = Agent(sandbox, tmp_path, max_creates=1)
    for number in (1, 2):
        plan = agent.call("plan_write", stream="tags", record={"title": f"Tag {number}", "type": "customer"})
        confirm = agent.call if number == 1 else agent.error
        result = confirm("confirm_write", plan_id=plan["plan_id"])
    assert "setting max_creates" in str(result)
    assert len(writes_to(sandbox)) == 1


def test_dry_run_in_the_settings_forbids_writes(sandbox: Sandbox, tmp_path: Path) -> None:
    """The setting of the target is stronger than a confirmation."""
    agent = Agent(sandbox, tmp_path, dry_run=True)
    plan = agent.call("plan_write", stream="customers", record=LEAD)
    assert "TARGET_FIELDPULSE_DRY_RUN" in agent.error("confirm_write", plan_id=plan["plan_id"])
    assert writes_to(sandbox) == []


def test_deletes_need_the_setting_of_the_target(sandbox: Sandbox, tmp_path: Path) -> None:
    """Without `hard_delete`, a delete is skipped with the reason; with it, it takes a plan and a confirmation."""
    row_id = sandbox.rows("customers")[-1]["id"]
    arguments: dict[str, Any] = {"stream": "customers", "record": {"id": row_id}, "delete": True}
    skipped = Agent(sandbox, tmp_path).call("plan_write", **arguments)
    assert skipped["plan_id"] is None
    assert "hard_delete" in skipped["reason"]
    agent = Agent(sandbox, tmp_path, hard_delete=True)
    plan = agent.call("plan_write", **arguments)
    assert writes_to(sandbox) == []
    assert agent.call("confirm_write", plan_id=plan["plan_id"])["outcome"] == "deleted"
    assert row_id not in {row["id"] for row in sandbox.rows("customers")}


def test_a_locked_stream_leaves_the_plan_for_later(writer: Agent, sandbox: Sandbox) -> None:
    """While a pipeline writes the stream, nothing is written; the plan is confirmed once it has ended."""
    plan = writer.call("plan_write", stream="customers", record=LEAD)
    with closing(LedgerDatabase(writer.target.ledger_url)) as database:
        pipeline = RunMarkers(database, "200001", "pipeline", timeout_seconds=30)
        pipeline.start("customers")
        assert "another run" in writer.error("confirm_write", plan_id=plan["plan_id"]).lower()
        pipeline.end()
        pipeline.close()
    assert writes_to(sandbox) == []
    assert writer.call("confirm_write", plan_id=plan["plan_id"])["outcome"] == "created"


def test_a_lost_response_creates_no_second_row(writer: Agent, sandbox: Sandbox) -> None:
    """The outcome is found out by the ledger's rules, and planning the same record again finds its row."""
    plan = writer.call("plan_write", stream="customers", record=LEAD)
    sandbox.add_fault(Fault("dropped_connection", method="POST", path="/customers", after_commit=True))
    writer.call("confirm_write", plan_id=plan["plan_id"])
    again = writer.call("plan_write", stream="customers", record=LEAD)
    assert (again["plan_id"], again["outcome"]) == (None, "unchanged")
    assert sum(row["email"] == LEAD["email"] for row in sandbox.rows("customers")) == 1


def test_a_refusal_of_the_server_is_returned(writer: Agent, sandbox: Sandbox) -> None:
    """What FieldPulse rejects waits in the rejects file as of any run, and the agent learns the reason."""
    plan = writer.call("plan_write", stream="customers", record=LEAD)
    sandbox.add_fault(Fault("error_status", method="POST", status=422, message="The phone is not valid."))
    assert "phone is not valid" in writer.error("confirm_write", plan_id=plan["plan_id"])
    assert read_open_count(writer.target.ledger_url).count == 1
    plan = writer.call("plan_write", stream="customers", record=LEAD)
    writer.call("confirm_write", plan_id=plan["plan_id"])
    assert read_open_count(writer.target.ledger_url).count == 0


def test_names_of_rows_stand_for_their_ids(writer: Agent, sandbox: Sandbox) -> None:
    """A record may name a stage; the plan shows the id, and the words beside it."""
    stage = sandbox.rows("pipeline_statuses")[-1]
    row = next(row for row in sandbox.rows("customers") if row["pipeline_status_id"] != stage["id"])
    plan = writer.call("plan_write", stream="customers", record={"id": row["id"], "pipeline_status": stage["name"]})
    (write,) = plan["writes"]
    assert write["fields"]["pipeline_status_id"]["new"] == stage["id"]
    assert write["words"]["pipeline_status_id"]["new"] == stage["name"]
