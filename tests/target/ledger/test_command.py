"""`fieldpulse ledger`: list, export, settle."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from fieldpulse_sandbox.sandbox import Sandbox
from tests.harness.messages import record_message, schema_message, singer_lines
from tests.harness.processes import run_process
from tests.harness.target_runner import run_target

Config = dict[str, Any]


PAYMENTS = schema_message("payments", "external_id", "invoice_id", "amount", "method", "payment_date")


def payment(sandbox: Sandbox, key: str = "p", **values: Any) -> Config:
    required = {"external_id": key, "invoice_id": sandbox.rows("invoices")[0]["id"], "amount": "12.5", "method": "cash"}
    return record_message("payments", **required, **values)


def ledger(config: Config, *words: str) -> subprocess.CompletedProcess[str]:
    return run_process(
        [sys.executable, "-m", "fieldpulse_cli.main", "ledger", "--ledger-url", config["ledger_url"], *words]
    )


def test_the_ledger_is_listed_and_exported(sandbox: Sandbox, target_config: Config, tmp_path: Path) -> None:
    """It tells which key of the source is which row of FieldPulse."""
    run_target(target_config, singer_lines(PAYMENTS, payment(sandbox, "p1"), payment(sandbox, "p2")), tmp_path)
    lines = [json.loads(line) for line in ledger(target_config, "export", "--stream", "payments").stdout.splitlines()]
    assert {line["external_id"]: line["id"] for line in lines}.keys() == {"p1", "p2"}
    assert {line["status"] for line in lines} == {"written"}
    assert "2 entries of account" in ledger(target_config, "list").stderr


def test_an_entry_that_is_not_pending_cannot_be_settled(
    sandbox: Sandbox, target_config: Config, tmp_path: Path
) -> None:
    """A wrong key, a known row, no ledger: an error in three parts, and exit status 2."""
    assert ledger(target_config, "list").returncode == 2
    run_target(target_config, singer_lines(PAYMENTS, payment(sandbox)), tmp_path)
    for words in (["--key", "p", "--not-created"], ["--key", "q", "--created", "5"], ["--key", "p"]):
        ended = ledger(target_config, "settle", "--stream", "payments", *words)
        assert ended.returncode in (1, 2)
        assert "Traceback" not in ended.stderr
    assert ledger(target_config, "--account", "7", "list").returncode == 2
