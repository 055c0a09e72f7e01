"""What a server may do with an answer: late, lost, leaner than believed, or of another record."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from fieldpulse_sandbox.faults.fault import Fault
from fieldpulse_sandbox.sandbox import Sandbox
from tests.harness.messages import record_message, schema_message, singer_lines
from tests.harness.processes import plugin_command
from tests.harness.target_runner import run_target

Config = dict[str, Any]

HEAD = schema_message(
    "customers", "external_id", "id", "first_name", "last_name", "email", "phone", "display_name", "notes"
)
JOBS = schema_message(
    "jobs", "external_id", "id", "customer_id", "job_type", "subtitle", "status_id", "job_status", "team"
)


def writes(box: Sandbox, since: int = 0) -> list[str]:
    return [f"{one.method} {one.path}" for one in box.requests[since:] if one.method != "GET"]


def named(box: Sandbox, *names: str) -> list[Config]:
    return [row for row in box.rows("customers") if row["first_name"] in names]


def test_a_row_that_does_not_show_enough_is_read_by_id(box: Sandbox, target_config: Config, tmp_path: Path) -> None:
    """A list that leaves a column out proves nothing; the row by id tells which create happened."""
    table = box.store.tables["jobs"]
    table._hidden |= {"subtitle"}
    box.add_fault(Fault("dropped_connection", method="POST", path="/jobs", after_commit=True, times=2))
    customer = box.rows("customers")[0]["id"]
    jobs = [
        record_message("jobs", external_id=f"j{n}", customer_id=customer, job_type="Lean", subtitle=f"s{n}")
        for n in range(3)
    ]
    assert run_target(target_config, singer_lines(JOBS, *jobs), tmp_path).counts == {"created": 3}
    assert sorted(row["subtitle"] for row in table.rows.values() if row["job_type"] == "Lean") == ["s0", "s1", "s2"]


def test_a_list_that_is_refused_is_no_empty_list(box: Sandbox, target_config: Config, tmp_path: Path) -> None:
    """A create in doubt stays in doubt, and is settled by the next run."""
    box.add_fault(Fault("dropped_connection", method="POST", path="/jobs", after_commit=True))
    box.add_fault(Fault("error_status", method="GET", path="/jobs", status=404, skip=2))
    text = singer_lines(
        JOBS, record_message("jobs", external_id="j", customer_id=box.rows("customers")[0]["id"], job_type="Once")
    )
    assert run_target(target_config, text, tmp_path).status == 1
    assert run_target(target_config, text, tmp_path).counts == {"created": 1}
    assert sum(row["job_type"] == "Once" for row in box.rows("jobs")) == 1


def test_a_change_that_comes_late_does_not_win(box: Sandbox, target_config: Config, tmp_path: Path) -> None:
    """A PUT that was not answered is carried out after the next one: the row is looked at, and put right."""
    row = box.rows("customers")[0]
    box.add_fault(Fault("error_status", method="PUT", status=504))
    late = threading.Event()

    def come_late(request: Any) -> None:
        if request.method == "GET" and request.path == f"/customers/{row['id']}" and not late.is_set():
            late.set()
            box.store.patch("customers", row["id"], {"notes": "old"})

    box.on_request = come_late
    text = singer_lines(HEAD, record_message("customers", id=row["id"], notes="new"))
    assert run_target(target_config, text, tmp_path).counts == {"updated": 1}
    assert late.is_set()
    assert box.rows("customers")[0]["notes"] == "new"


def test_an_account_that_cannot_be_recognised_now_is_not_a_new_one(
    box: Sandbox, target_config: Config, tmp_path: Path
) -> None:
    """One list that is refused changes nothing; all of them stop the run."""
    text = singer_lines(HEAD, record_message("customers", external_id="a", first_name="A"))
    run_target(target_config, text, tmp_path)
    box.add_fault(Fault("error_status", method="GET", path="/users", status=404))
    assert run_target(target_config, text, tmp_path).counts == {"unchanged": 1}
    box.add_fault(Fault("error_status", method="GET", status=404, times=99))
    written = run_target(target_config, text, tmp_path)
    assert written.status == 2
    assert "account of the API key cannot be determined" in written.stderr


def test_what_a_killed_run_wrote_stands_in_the_audit(target_config: Config, tmp_path: Path) -> None:
    """The note of the ledger and that of the audit are one."""
    with Sandbox(customers=30, latency_ms=15) as box:
        line = plugin_command("target_fieldpulse", target_config | {"api_url": box.url, "api_key": box.key}, tmp_path)
        leads = [record_message("customers", external_id=f"a{n}", first_name="Audited") for n in range(300)]
        with subprocess.Popen(
            line, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True
        ) as process:
            assert process.stdin
            process.stdin.write(singer_lines(HEAD, *leads[:60]))
            process.stdin.flush()
            deadline = time.monotonic() + 30
            while len(named(box, "Audited")) < 20 and time.monotonic() < deadline:
                time.sleep(0.01)
            process.kill()
    with sqlite3.connect(tmp_path / "ledger.db") as connection:
        done = connection.execute("select source_key from fieldpulse_ledger_1 where status = 'written'").fetchall()
        told = connection.execute("select source_key from fieldpulse_audit_1 where outcome = 'created'").fetchall()
    connection.close()
    assert len(done) > 10
    assert sorted(done) == sorted(told)


def test_rejects_stay_private_whatever_the_file_was(target_config: Config, tmp_path: Path) -> None:
    """A file that others could read is closed to them."""
    path = Path(target_config["rejects_path"])
    path.write_text("")
    path.chmod(0o644)
    run_target(target_config, singer_lines(HEAD, record_message("customers", external_id="r")), tmp_path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert json.loads(path.read_text().splitlines()[-1])["record"] == {"external_id": "r"}


@pytest.mark.parametrize("committed", [True, False], ids=["carried out", "not carried out"])
def test_a_create_in_doubt_takes_no_row_that_says_more(
    box: Sandbox, target_config: Config, tmp_path: Path, committed: bool
) -> None:
    """Of two payments that are alike but for a date, each has a row of its own, or waits for somebody to look."""
    invoice = box.rows("invoices")[0]["id"]
    box.add_fault(Fault("dropped_connection", method="POST", path="/payments", after_commit=committed))
    same = {"invoice_id": invoice, "amount": "33.00", "method": "cash"}
    poor = record_message("payments", external_id="p1", notes="one", **same)
    rich = record_message("payments", external_id="p2", notes="two", payment_date="2026-03-01T10:00:00Z", **same)
    head = schema_message("payments", "external_id", "notes", "payment_date", *same)
    config = target_config | {"requests_per_second": 4}
    written = run_target(config, singer_lines(head, poor, rich), tmp_path)
    told = sorted(row["notes"] for row in box.rows("payments") if row["amount"] == "33.00")
    assert told == (["one", "two"] if committed else ["two"])
    assert written.counts == ({"created": 2} if committed else {"created": 1, "uncertain": 1})


def test_a_row_by_hand_that_says_more_is_not_taken(box: Sandbox, target_config: Config, tmp_path: Path) -> None:
    """Somebody creates a like job with a subtitle while the answer is lost: nobody's guess."""
    create = box.store.create

    def create_by_hand(name: str, values: dict[str, Any]) -> dict[str, Any]:
        return create(name, {**values, "subtitle": "By hand"} if name == "jobs" else values)

    box.store.create = create_by_hand  # type: ignore[method-assign]  # the server's doing, not ours
    box.add_fault(Fault("dropped_connection", method="POST", path="/jobs", after_commit=True))
    text = singer_lines(
        JOBS, record_message("jobs", external_id="j", customer_id=box.rows("customers")[0]["id"], job_type="Like")
    )
    written = run_target(target_config, text, tmp_path)
    assert written.counts == {"uncertain": 1}
    assert "holds data that was not sent" in written.stderr


def test_a_tag_that_was_just_created_by_its_name_is_changed_by_its_record(
    box: Sandbox, target_config: Config, tmp_path: Path
) -> None:
    """The jobs that name it come first; there is one tag."""
    customer = box.rows("customers")[0]["id"]
    jobs = [
        record_message("jobs", external_id=f"j{n}", customer_id=customer, job_type="T", tags=["Hot"]) for n in range(5)
    ]
    tag = record_message("tags", external_id="t1", title="Hot", type="job", color="#ff0000")
    text = singer_lines(
        schema_message("jobs", "external_id", "customer_id", "job_type", "tags"),
        *jobs,
        schema_message("tags", *tag["record"]),
        tag,
    )
    counts = run_target(target_config | {"create_missing_references": ["tags"]}, text, tmp_path).counts
    assert counts in ({"created": 5, "updated": 1}, {"created": 6})
    assert [row["color"] for row in box.rows("tags") if row["title"] == "Hot"] == ["#ff0000"]


def test_a_price_whose_answer_was_lost_is_sent_once_more(box: Sandbox, target_config: Config, tmp_path: Path) -> None:
    """It may be carried out late, over a newer one."""
    invoice = next(one for one in box.rows("invoices") if one["line_items"])
    line = invoice["line_items"][0]
    part = {"id": line["line_components"][0]["id"], "unit_cost": "1.5", "unit_price": "3"}
    box.add_fault(Fault("error_status", method="PUT", status=504))
    prices = record_message("invoices", id=invoice["id"], price_update=[{"id": line["id"], "line_components": [part]}])
    assert (
        run_target(
            target_config, singer_lines(schema_message("invoices", "id", "price_update"), prices), tmp_path
        ).status
        == 0
    )
    assert [one.split("/")[-1] for one in writes(box)] == ["price-update"] * 3


def test_what_a_killed_run_sent_does_not_undo_what_is_sent_now(target_config: Config, tmp_path: Path) -> None:
    """Its PUT may still be carried out: changes wait for as long as that can be, and no longer."""
    with Sandbox(customers=30) as box:
        config = target_config | {"api_url": box.url, "api_key": box.key, "uncertain_create_timeout_seconds": 3}
        row = box.rows("customers")[0]["id"]
        box.add_fault(Fault("slow_response", method="PUT", after_commit=False, seconds=1.5))
        with subprocess.Popen(
            plugin_command("target_fieldpulse", config, tmp_path),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            text=True,
        ) as process:
            assert process.stdin
            process.stdin.write(singer_lines(HEAD, record_message("customers", id=row, notes="old")))
            process.stdin.flush()
            deadline = time.monotonic() + 30
            while not writes(box) and time.monotonic() < deadline:
                time.sleep(0.01)
            process.kill()
        text = singer_lines(HEAD, record_message("customers", id=row, notes="new"))
        assert run_target(config, text, tmp_path).counts == {"updated": 1}
        assert box.rows("customers")[0]["notes"] == "new"
        again = singer_lines(
            HEAD, record_message("customers", id=row, notes="newer")
        )  # it would outlast the test if it waited now
        assert run_target(config | {"uncertain_create_timeout_seconds": 3600}, again, tmp_path).counts == {"updated": 1}
