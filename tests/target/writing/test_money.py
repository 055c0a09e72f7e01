"""What moves money, and what links: never sent twice, settled by hand when nobody knows."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from fieldpulse_sandbox.faults.fault import Fault
from fieldpulse_sandbox.sandbox import Sandbox
from tests.harness.messages import record_message, schema_message, singer_lines
from tests.harness.processes import run_process
from tests.harness.target_runner import run_target

Config = dict[str, Any]

PAYMENTS = schema_message("payments", "external_id", "invoice_id", "amount", "method", "payment_date")
LISTS = schema_message("material_lists", "external_id", "title", "connect", "disconnect", "item_connect")


def payment(box: Sandbox, key: str = "p", **values: Any) -> Config:
    given = {"external_id": key, "invoice_id": box.rows("invoices")[0]["id"], "amount": "12.5", "method": "cash"}
    return record_message("payments", **given, **values)


def paid(box: Sandbox) -> int:
    return sum(row["amount"] == "12.50" for row in box.rows("payments"))


def ledger(config: Config, *words: str) -> subprocess.CompletedProcess[str]:
    return run_process(
        [sys.executable, "-m", "fieldpulse_cli.main", "ledger", "--ledger-url", config["ledger_url"], *words]
    )


def test_a_payment_whose_answer_is_lost_is_found(box: Sandbox, target_config: Config, tmp_path: Path) -> None:
    """It was made: the row is adopted, and nothing is sent again."""
    box.add_fault(Fault("dropped_connection", method="POST", after_commit=True))
    text = singer_lines(PAYMENTS, payment(box, payment_date="2026-03-01T10:00:00Z"))
    assert run_target(target_config, text, tmp_path).counts == {"created": 1}
    assert run_target(target_config, text, tmp_path).counts == {"unchanged": 1}
    assert paid(box) == 1


@pytest.mark.parametrize("happened", [True, False], ids=["it was made later", "it was not made"])
def test_a_payment_that_is_not_found_is_never_sent_again(
    box: Sandbox, target_config: Config, tmp_path: Path, happened: bool
) -> None:
    """Uncertain on every run, whatever the ledger finds, until somebody says what became of it."""
    box.add_fault(Fault("dropped_connection", method="POST", after_commit=False))
    text = singer_lines(PAYMENTS, payment(box))
    for _ in range(2):
        written = run_target(target_config, text, tmp_path)
        assert (written.counts, written.status) == ({"uncertain": 1}, 1)
        assert "fieldpulse ledger settle" in written.stderr
    assert sum(one.method == "POST" for one in box.requests) == 1
    assert "payments" in ledger(target_config, "list", "--pending").stdout
    if happened:
        values = {"invoice_id": box.rows("invoices")[0]["id"], "amount": "12.50", "method": "card"}
        row = box.store.create("payments", values)
        settled = ledger(target_config, "settle", "--stream", "payments", "--key", "p", "--created", str(row["id"]))
    else:
        settled = ledger(target_config, "settle", "--stream", "payments", "--key", "p", "--not-created")
    assert settled.returncode == 0, settled.stderr
    assert run_target(target_config, text, tmp_path).counts == {"created": 1}
    assert paid(box) == 1
    assert next(row["method"] for row in box.rows("payments") if row["amount"] == "12.50") == "cash"


def test_what_is_not_in_doubt_cannot_be_settled(box: Sandbox, target_config: Config, tmp_path: Path) -> None:
    """A wrong key, a row that is known, no ledger at all: three parts, and a status that says so."""
    assert ledger(target_config, "list").returncode == 2
    run_target(target_config, singer_lines(PAYMENTS, payment(box)), tmp_path)
    for words in (["--key", "p", "--not-created"], ["--key", "q", "--created", "5"], ["--key", "p"]):
        ended = ledger(target_config, "settle", "--stream", "payments", *words)
        assert ended.returncode in (1, 2)
        assert "Traceback" not in ended.stderr
    assert ledger(target_config, "--account", "7", "list").returncode == 2


def test_the_ledger_is_listed_and_exported(box: Sandbox, target_config: Config, tmp_path: Path) -> None:
    """Which key of the source is which row of FieldPulse."""
    run_target(target_config, singer_lines(PAYMENTS, payment(box, "p1"), payment(box, "p2")), tmp_path)
    lines = [json.loads(line) for line in ledger(target_config, "export", "--stream", "payments").stdout.splitlines()]
    assert {line["external_id"]: line["id"] for line in lines}.keys() == {"p1", "p2"}
    assert {line["status"] for line in lines} == {"written"}
    assert "2 entries of account" in ledger(target_config, "list").stderr


def linked(box: Sandbox) -> tuple[Config, int]:
    job = box.rows("jobs")[0]["id"]
    return record_message(
        "material_lists", external_id="m", title="Van", connect=[{"to_entity": "job", "to_entity_id": job}]
    ), job


def test_a_link_is_made_once_and_undone_once(box: Sandbox, target_config: Config, tmp_path: Path) -> None:
    """Connected, the same again, parted, connected anew: each time one request, or none."""
    given, job = linked(box)
    parted = record_message(
        "material_lists", external_id="m", title="Van", disconnect=[{"from_entity": "job", "from_entity_id": job}]
    )
    told = []
    for part in (given, given, parted, parted, given):
        since = len(box.requests)
        told.append((run_target(target_config, singer_lines(LISTS, part), tmp_path).counts, len(posts(box, since))))
    assert told == [
        ({"created": 1}, 2),
        ({"unchanged": 1}, 0),
        ({"updated": 1}, 1),
        ({"unchanged": 1}, 0),
        ({"updated": 1}, 1),
    ]
    row = max(box.rows("material_lists"), key=lambda one: int(one["id"]))
    assert [link.entity_id for link in box.links(row["id"])] == [job]


def posts(box: Sandbox, since: int = 0) -> list[str]:
    return [one.path for one in box.requests[since:] if one.method == "POST"]


def test_a_link_in_doubt_is_not_made_twice(box: Sandbox, target_config: Config, tmp_path: Path) -> None:
    """Whether FieldPulse takes the same one twice is not known: somebody must look."""
    box.add_fault(Fault("dropped_connection", method="POST", path="/material-lists/*", after_commit=True))
    text = singer_lines(LISTS, linked(box)[0])
    for _ in range(2):
        assert run_target(target_config, text, tmp_path).counts == {"uncertain": 1}
    row = max(box.rows("material_lists"), key=lambda one: int(one["id"]))
    assert len(box.links(row["id"])) == 1
    key = f"link:{row['id']}:job:{linked(box)[1]}"
    assert key in ledger(target_config, "list", "--pending").stdout
    assert ledger(target_config, "settle", "--stream", "material_lists", "--key", key, "--link-created").returncode == 0
    run_target(target_config, text, tmp_path)
    assert run_target(target_config, text, tmp_path).counts == {"unchanged": 1}
    assert len(box.links(row["id"])) == 1


def test_items_are_connected_and_prices_are_updated(box: Sandbox, target_config: Config, tmp_path: Path) -> None:
    """Both are fields of a record, and requests of their own."""
    job, item = box.rows("jobs")[0]["id"], box.rows("items")[0]["id"]
    given = record_message(
        "material_lists",
        external_id="i",
        title="Van",
        item_connect=[{"to_entity": "job", "to_entity_id": job, "item_ids": [item]}],
    )
    assert run_target(target_config, singer_lines(LISTS, given), tmp_path).counts == {"created": 1}
    row = max(box.rows("material_lists"), key=lambda one: int(one["id"]))
    assert [(link.entity_id, link.item_ids) for link in box.links(row["id"])] == [(job, (item,))]
    invoice = next(one for one in box.rows("invoices") if one["line_items"])
    line = invoice["line_items"][0]
    part = {"id": line["line_components"][0]["id"], "unit_cost": "1.5", "unit_price": "3"}
    prices = record_message("invoices", id=invoice["id"], price_update=[{"id": line["id"], "line_components": [part]}])
    text = singer_lines(schema_message("invoices", "id", "price_update"), prices)
    assert run_target(target_config, text, tmp_path).counts == {"updated": 1}
    assert run_target(target_config, text, tmp_path).counts == {"unchanged": 1}
    after = next(one for one in box.rows("invoices") if one["id"] == invoice["id"])
    assert after["line_items"][0]["line_components"][0]["unit_price"] == "3.0000"


def test_the_report_the_table_and_the_audit_add_up(box: Sandbox, target_config: Config, tmp_path: Path) -> None:
    """Per run, per stream and per record: what was read is what became of it."""
    path = tmp_path / "report.json"
    head = schema_message("customers", "external_id", "first_name", "notes", "status")
    parts = [record_message("customers", external_id=f"r{n}", first_name=f"R{n}") for n in range(4)]
    wrong = record_message("customers", external_id="w", first_name="W", status="wrong")
    config = target_config | {"report_path": str(path)}
    run_target(config, singer_lines(head, *parts, wrong, PAYMENTS, payment(box)), tmp_path)
    report = json.loads(path.read_text())
    assert report["streams"]["customers"] | {"created": 4, "rejected": 1, "read": 5} == report["streams"]["customers"]
    assert (report["exit_status"], report["streams"]["payments"]["created"]) == (1, 1)
    assert report["requests"] == len(box.requests)
    changed = record_message("customers", external_id="r0", first_name="R0", notes="New")
    written = run_target(config, singer_lines(head, changed, *parts[1:]), tmp_path)
    assert "customers          4          0          1          0          3" in written.stderr
    with sqlite3.connect(tmp_path / "ledger.db") as connection:
        told = "select stream, source_key, action, outcome, requests, row_id, changed, records from fieldpulse_audit_1"
        first = connection.execute(f"{told} where run_id = ? order by id", [report["run"]]).fetchall()
        last = connection.execute(f"{told} where run_id = ?", [json.loads(path.read_text())["run"]]).fetchall()
    connection.close()
    assert sum(row[-1] for row in first) == 6
    assert {row[2:4] for row in first} == {("create", "created"), ("none", "rejected")}
    (update,) = [row for row in last if row[3] == "updated"]
    assert update[:5] == ("customers", "r0", "update", "updated", 1)
    assert json.loads(update[6]) == ["notes"]
    assert [(row[3], row[7]) for row in last if row[1] is None] == [("unchanged", 3)]
