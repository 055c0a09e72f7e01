"""The audit, the report and the summary table: their counts agree, also after a kill."""

from __future__ import annotations

import json
import sqlite3
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from fieldpulse_sandbox.sandbox import Sandbox
from tests.harness.messages import record_message, schema_message, singer_lines
from tests.harness.target_runner import run_target
from tests.target.shared import CUSTOMERS, PAYMENTS, customers_named, payment, running_target, wait_until

Config = dict[str, Any]


def test_the_report_the_table_and_the_audit_add_up(sandbox: Sandbox, target_config: Config, tmp_path: Path) -> None:
    """Every record that was read has exactly one outcome, in the totals of the run, the stream and the record."""
    path = tmp_path / "report.json"
    schema = schema_message("customers", "external_id", "first_name", "notes", "status")
    records = [record_message("customers", external_id=f"r{n}", first_name=f"R{n}") for n in range(4)]
    invalid = record_message("customers", external_id="w", first_name="W", status="wrong")
    config = target_config | {"report_path": str(path)}
    run_target(config, singer_lines(schema, *records, invalid, PAYMENTS, payment(sandbox)), tmp_path)
    report = json.loads(path.read_text())
    assert report["streams"]["customers"] | {"created": 4, "rejected": 1, "read": 5} == report["streams"]["customers"]
    assert (report["exit_status"], report["streams"]["payments"]["created"]) == (1, 1)
    assert report["requests"] == len(sandbox.requests)
    changed = record_message("customers", external_id="r0", first_name="R0", notes="New")
    result = run_target(config, singer_lines(schema, changed, *records[1:]), tmp_path)
    assert "customers          4          1          3" in result.stderr
    with sqlite3.connect(tmp_path / "ledger.db") as connection:
        columns = "stream, source_key, action, outcome, requests, row_id, changed, records, recorded_at, reason"
        query = f"select {columns} from fieldpulse_audit_2"
        first = connection.execute(f"{query} where run_id = ? order by id", [report["run"]]).fetchall()
        last = connection.execute(f"{query} where run_id = ?", [json.loads(path.read_text())["run"]]).fetchall()
    connection.close()
    assert sum(row[7] for row in first) == 6
    ((recorded_at, reason),) = (row[8:] for row in first if row[3] == "rejected")
    assert abs(datetime.fromisoformat(f"{recorded_at}+00:00") - datetime.now(timezone.utc)) < timedelta(hours=1)
    assert "status" in reason
    assert {row[2:4] for row in first} == {("create", "created"), ("none", "rejected")}
    (update,) = [row for row in last if row[3] == "updated"]
    assert update[:5] == ("customers", "r0", "update", "updated", 1)
    assert json.loads(update[6]) == ["notes"]
    assert [(row[3], row[7]) for row in last if row[1] is None] == [("unchanged", 3)]


def test_the_audit_has_every_row_that_a_killed_run_wrote(target_config: Config, tmp_path: Path) -> None:
    """An entry of the ledger and its audit row are committed together."""
    with Sandbox(customers=30, latency_ms=15) as sandbox:
        config = target_config | {"api_url": sandbox.url, "api_key": sandbox.key}
        records = [record_message("customers", external_id=f"a{n}", first_name="Audited") for n in range(60)]
        with running_target(config, singer_lines(CUSTOMERS, *records), tmp_path) as process:
            wait_until(lambda: len(customers_named(sandbox, "Audited")) >= 20)
            process.kill()
    with sqlite3.connect(tmp_path / "ledger.db") as connection:
        written = connection.execute("select source_key from fieldpulse_ledger_1 where status = 'written'").fetchall()
        audited = connection.execute("select source_key from fieldpulse_audit_2 where outcome = 'created'").fetchall()
    connection.close()
    assert len(written) > 10
    assert sorted(written) == sorted(audited)
