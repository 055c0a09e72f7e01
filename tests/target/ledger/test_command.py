"""The command `fieldpulse ledger`: list, export, settle, relink."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from fieldpulse_sandbox.sandbox import Sandbox
from tests.harness.messages import record_message, singer_lines
from tests.harness.target_runner import run_target
from tests.target.shared import CUSTOMERS, PAYMENTS, newest_row, payment, row_by_id, run_ledger_command

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


def test_a_key_steers_no_terminal(sandbox: Sandbox, target_config: Config, tmp_path: Path) -> None:
    """It comes from the source: a mark of writing direction, a control character, the end of a line."""
    key = "7\u202e\u009b2J\u2028x"
    customer = record_message("customers", external_id=key, first_name="Ann")
    assert run_target(target_config, singer_lines(CUSTOMERS, customer), tmp_path).counts == {"created": 1}
    listed, exported = (run_ledger_command(target_config, command) for command in ("list", "export"))
    stored = json.loads(exported.stdout)["external_id"]
    words = ("relink", "--stream", "customers", "--key", stored, "--id", str(sandbox.rows("customers")[0]["id"]))
    for ended in (listed, exported, run_ledger_command(target_config, *words)):
        assert ended.returncode == 0
        assert ended.stdout.count("\n") == 1
        assert ended.stdout.replace("\n", "").isprintable()
        assert ended.stderr.replace("\n", "").isprintable()


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


def test_a_key_gets_the_row_that_replaces_its_own(sandbox: Sandbox, target_config: Config, tmp_path: Path) -> None:
    """The office merged a customer into another one: the next record of the key is written to that row."""
    text = singer_lines(CUSTOMERS, record_message("customers", external_id="7", first_name="Ann", notes="Ours"))
    run_target(target_config, text, tmp_path)
    sandbox.store.delete("customers", newest_row(sandbox, "customers")["id"])
    survivor = sandbox.rows("customers")[0]["id"]
    words = ("relink", "--stream", "customers", "--key", "7.0")
    assert run_ledger_command(target_config, *words, "--id", str(survivor)).returncode == 0
    assert run_target(target_config, text, tmp_path).counts == {"updated": 1}
    assert row_by_id(sandbox, "customers", survivor)["notes"] == "Ours"


def test_a_key_is_forgotten_and_created_again(sandbox: Sandbox, target_config: Config, tmp_path: Path) -> None:
    """Only a person may say so: the target never creates a row again that somebody deleted."""
    text = singer_lines(CUSTOMERS, record_message("customers", external_id="k", first_name="Ann"))
    run_target(target_config, text, tmp_path)
    sandbox.store.delete("customers", newest_row(sandbox, "customers")["id"])
    words = ("relink", "--stream", "customers", "--key")
    assert run_ledger_command(target_config, *words, "k", "--forget").returncode == 0
    assert run_target(target_config, text, tmp_path).counts == {"created": 1}
    assert run_ledger_command(target_config, *words, "other", "--forget").returncode == 1
    run_target(
        target_config, singer_lines(CUSTOMERS, record_message("customers", external_id="l", first_name="Lea")), tmp_path
    )
    first = next(row["id"] for row in sandbox.rows("customers") if row["first_name"] == "Ann")
    taken = run_ledger_command(target_config, *words, "l", "--id", str(first))
    assert (taken.returncode, "belongs to the key k" in taken.stderr) == (1, True)
    assert run_ledger_command(target_config, *words, "k").returncode == 2
