"""The command `fieldpulse rejects`: list, show, replay, drop."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest

from fieldpulse_sandbox.faults.fault import Fault
from fieldpulse_sandbox.sandbox import Sandbox
from target_fieldpulse.rejects_command import rejects as rejects_group
from target_fieldpulse.reporting.open_rejects import read_open_entries
from target_fieldpulse.target import TargetFieldPulse
from tests.harness.commands import run_command
from tests.harness.messages import record_message, singer_lines
from tests.harness.results import RunResult
from tests.harness.target_runner import run_target
from tests.target.reporting.test_replay import CUSTOMER, asset
from tests.target.shared import CUSTOMERS, newest_row, running_target, wait_until

Config = dict[str, Any]
_PROGRAM = (
    "from fieldpulse_plugin.exit_codes import run; from target_fieldpulse.rejects_command import rejects; run(rejects)"
)


class RejectsCommand:
    """The command as `run_command` runs a plugin's: with the console log of the SDK."""

    @property
    def cli(self) -> click.Command:
        """Return the command, once logging is configured."""
        return rejects_group if TargetFieldPulse.cli else None


def rejects(config: Config, folder: Path, *words: str, stdin: str = "") -> RunResult:
    """Run `fieldpulse rejects` with a configuration. Neither output may hold a traceback."""
    path = folder / "config.json"
    path.write_text(json.dumps(config))
    ended = run_command(RejectsCommand(), "--config", str(path), *words, stdin=stdin.encode())
    assert "Traceback" not in ended.stderr, ended.stderr
    return ended


def customer(key: str, **values: Any) -> str:
    """Return the input of a customer, who is invalid without a name."""
    return singer_lines(CUSTOMERS, record_message("customers", external_id=key, **values))


def open_keys(config: Config) -> list[str]:
    """Return the keys of the open entries, the oldest first."""
    return [entry.key.text for entry in read_open_entries(config["ledger_url"])]


def lines_of(config: Config) -> list[Config]:
    """Return the messages of the rejects file."""
    return [json.loads(line) for line in Path(config["rejects_path"]).read_text().splitlines()]


def test_open_rejects_are_listed_and_shown(sandbox: Sandbox, target_config: Config, tmp_path: Path) -> None:
    """In 80 columns, and as JSON; the record and the server's words only where somebody asks for them."""
    assert "No records are open." in rejects(target_config, tmp_path, "list").stdout
    words = "Grace Hopper is not allowed"
    sandbox.add_fault(Fault("error_status", method="POST", status=400, message=words))
    run_target(target_config, customer("long" * 10, first_name="Grace") + customer("7\u202e\u009b2J\u2028x"), tmp_path)
    listed = rejects(target_config, tmp_path, "list").stdout
    assert (listed.count("\n"), max(map(len, listed.splitlines())) <= 80) == (3, True)
    assert listed.replace("\n", "").isprintable()
    assert "Grace" not in listed
    assert rejects(target_config, tmp_path).stdout == listed
    facts = json.loads(rejects(target_config, tmp_path, "list", "--json").stdout)
    assert [(each["times"], each["in_file"]) for each in facts] == [(1, True), (1, True)]
    in_full = rejects(target_config, tmp_path, "show", "long" * 10).stdout
    assert words in in_full
    assert "first_name" not in in_full
    with_values = rejects(target_config, tmp_path, "show", "long" * 10, "--show-values", "--json").stdout
    assert json.loads(with_values)[0]["record"] == {"external_id": "long" * 10, "first_name": "Grace"}
    unknown = rejects(target_config, tmp_path, "show", "other")
    assert (unknown.status, "No open record has this key" in unknown.stderr) == (1, True)


def test_chosen_records_are_replayed(sandbox: Sandbox, target_config: Config, tmp_path: Path) -> None:
    """Those that are written leave entry and line; the others stay, and the exit status is that of the run."""
    run_target(target_config, asset("Title") + customer("x"), tmp_path)
    run_target(target_config, CUSTOMER, tmp_path)
    assert rejects(target_config, tmp_path, "replay", "a").status == 0
    assert newest_row(sandbox, "assets")["title"] == "Title"
    assert open_keys(target_config) == ["x"]
    assert [line["stream"] for line in lines_of(target_config)] == ["customers", "customers"]
    config = target_config | {"on_reject": "fail_once"}
    again = rejects(config, tmp_path, "replay", "--json")
    assert (again.status, "1 record is open" in again.stderr) == (1, True)
    result = json.loads(again.stdout)
    assert (result["exit_status"], [each["times"] for each in result["open"]]) == (1, [2])
    path = Path(target_config["rejects_path"])
    path.write_text(path.read_text().replace('"external_id":"x"', '"external_id":"x","first_name":"X"'))
    assert rejects(target_config, tmp_path, "replay").status == 0
    assert (open_keys(target_config), path.exists()) == ([], False)
    assert "No record is replayed" in rejects(target_config, tmp_path, "replay").stderr


def test_a_replay_skips_what_was_written_since(sandbox: Sandbox, target_config: Config, tmp_path: Path) -> None:
    """The lines of closed entries stay in the file after an ordinary run, and are not sent again."""
    run_target(target_config, customer("a") + customer("b"), tmp_path)
    run_target(target_config, customer("a", first_name="Ann") + customer("b", first_name="Bea"), tmp_path)
    assert len(lines_of(target_config)) == 3
    sent = len(sandbox.requests)
    assert rejects(target_config, tmp_path, "replay").status == 0
    assert not [request for request in sandbox.requests[sent:] if request.method != "GET"]


def test_a_dropped_record_leaves_entry_and_line(target_config: Config, tmp_path: Path) -> None:
    """The command asks first; another record of the stream keeps its SCHEMA."""
    run_target(target_config, customer("a") + customer("b"), tmp_path)
    refused = rejects(target_config, tmp_path, "drop", "a", stdin="n\n")
    assert (refused.status != 0, open_keys(target_config)) == (True, ["a", "b"])
    assert "is lost" in refused.stderr
    assert rejects(target_config, tmp_path, "drop", "a", "--yes").status == 0
    assert open_keys(target_config) == ["b"]
    assert [line.get("record") for line in lines_of(target_config)] == [None, {"external_id": "b"}]
    run_target(target_config, customer("c", first_name="C"), tmp_path)
    assert open_keys(target_config) == ["b"]
    (entry,) = read_open_entries(target_config["ledger_url"])
    assert rejects(target_config, tmp_path, "drop", str(entry.number), "--yes", "--json").status == 0
    assert not Path(target_config["rejects_path"]).exists()


def test_a_key_of_two_streams_is_refused(target_config: Config, tmp_path: Path) -> None:
    """The message names the numbers, which are not ambiguous."""
    run_target(target_config, customer("a") + asset("Title"), tmp_path)
    ambiguous = rejects(target_config, tmp_path, "drop", "a", "--yes")
    assert (ambiguous.status, "@1" in ambiguous.stderr, "@2" in ambiguous.stderr) == (1, True, True)
    assert rejects(target_config, tmp_path, "drop", "@1", "--yes").status == 0
    assert open_keys(target_config) == ["a"]


@pytest.mark.parametrize("words", [("replay",), ("drop", "bad", "--yes")])
def test_while_a_run_is_on_the_commands_end_with_4(target_config: Config, tmp_path: Path, words: Any) -> None:
    """The run has the lock of the stream; nothing changes."""
    with Sandbox(customers=5) as sandbox:
        config = target_config | {"api_url": sandbox.url, "api_key": sandbox.key}
        run_target(config, customer("bad"), tmp_path)
        with running_target(config, customer("new", first_name="New"), tmp_path) as process:
            wait_until(lambda: any(row["first_name"] == "New" for row in sandbox.rows("customers")))
            ended = rejects(config, tmp_path, *words)
            assert (ended.status, "is locked by another run" in ended.stderr) == (4, True), ended.stderr
            process.kill()
        assert open_keys(config) == ["bad"]
        assert len(lines_of(config)) == 2


def test_lines_of_a_killed_run_are_announced_and_replayed(target_config: Config, tmp_path: Path) -> None:
    """They have no entry yet. The settings come from the environment, as of a process of its own."""
    run_target(target_config, customer("a"), tmp_path)
    other = target_config | {"ledger_url": f"sqlite:///{tmp_path}/other.db"}
    assert "adds 1 more" in rejects(other, tmp_path, "list").stderr
    path = Path(target_config["rejects_path"])
    path.write_text(path.read_text().replace('"external_id":"a"', '"external_id":"a","first_name":"A"'))
    environment = {f"TARGET_FIELDPULSE_{name.upper()}": str(value) for name, value in other.items()}
    command = [sys.executable, "-c", _PROGRAM, "replay"]
    ended = subprocess.run(
        command, env=os.environ | environment, capture_output=True, text=True, timeout=100, check=False
    )
    assert (ended.returncode, "1 created" in ended.stderr) == (0, True), ended.stderr
    assert (open_keys(other), path.exists()) == ([], False)
