"""The command `fieldpulse ledger`: list, export, settle."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from fieldpulse_sandbox.sandbox import Sandbox
from tests.harness.messages import singer_lines
from tests.harness.target_runner import run_target
from tests.target.shared import PAYMENTS, payment, run_ledger_command

Config = dict[str, Any]


def test_the_ledger_is_listed_and_exported(sandbox: Sandbox, target_config: Config, tmp_path: Path) -> None:
    """The export maps each key of the source to the id of its FieldPulse row."""
    run_target(target_config, singer_lines(PAYMENTS, payment(sandbox, "p1"), payment(sandbox, "p2")), tmp_path)
    lines = [
        json.loads(line)
        for line in run_ledger_command(target_config, "export", "--stream", "payments").stdout.splitlines()
    ]
    assert {line["external_id"]: line["id"] for line in lines}.keys() == {"p1", "p2"}
    assert {line["status"] for line in lines} == {"written"}
    assert "2 entries of account" in run_ledger_command(target_config, "list").stderr


def test_an_entry_that_is_not_pending_cannot_be_settled(
    sandbox: Sandbox, target_config: Config, tmp_path: Path
) -> None:
    """A missing ledger, an entry with a row, an unknown key and an unknown account each fail without a traceback."""
    assert run_ledger_command(target_config, "list").returncode == 2
    run_target(target_config, singer_lines(PAYMENTS, payment(sandbox)), tmp_path)
    for words in (["--key", "p", "--not-created"], ["--key", "q", "--created", "5"], ["--key", "p"]):
        result = run_ledger_command(target_config, "settle", "--stream", "payments", *words)
        assert result.returncode in (1, 2)
        assert "Traceback" not in result.stderr
    assert run_ledger_command(target_config, "--account", "7", "list").returncode == 2
