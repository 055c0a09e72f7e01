"""`report_path` ending in .html: the page of all runs, written after each of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fieldpulse_sandbox.faults.fault import Fault
from fieldpulse_sandbox.sandbox import Sandbox
from tap_fieldpulse.tap import TapFieldPulse
from tests.cli.page.page_reader import read_page
from tests.harness.messages import record_message, singer_lines, state_message
from tests.harness.past_runs import CANARY
from tests.harness.processes import plugin_command, run_process
from tests.harness.tap_runner import select_streams
from tests.target.shared import CUSTOMERS

Config = dict[str, Any]
TEXT = singer_lines(
    CUSTOMERS,
    record_message("customers", external_id="1", first_name=CANARY),
    record_message("customers", external_id="2", first_name=CANARY, email="no address"),
    state_message(1),
)


@pytest.fixture
def page_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    """Return the settings of a plugin that has a history and writes a page."""
    monkeypatch.chdir(tmp_path)  # no .env, and no other store
    return {"history_days": 90, "report_path": str(tmp_path / "report.html")}


@pytest.fixture
def config(target_config: Config, page_config: Config) -> Config:
    """Return the settings of a target."""
    return target_config | page_config


@pytest.fixture
def tap_command(sandbox: Sandbox, page_config: Config, tmp_path: Path) -> list[str]:
    """Return the command of a tap that reads customers."""
    catalog = tmp_path / "catalog.json"
    catalog.write_text(json.dumps(select_streams(TapFieldPulse(config={}, validate_config=False), ["customers"])))
    account = {"api_key": sandbox.key, "api_url": sandbox.url, "rate_limit_store": "memory"}
    return plugin_command("tap_fieldpulse", account | page_config, tmp_path, "--catalog", str(catalog))


def test_the_page_of_a_tap_has_the_run_that_wrote_it(
    sandbox: Sandbox, config: Config, tap_command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the runs of the target, whose store the environment names."""
    monkeypatch.setenv("TARGET_FIELDPULSE_LEDGER_URL", config["ledger_url"])
    run_process(plugin_command("target_fieldpulse", config, tmp_path), TEXT)
    assert run_process(tap_command).returncode == 0
    page = read_page((tmp_path / "report.html").read_text("utf-8"))
    assert "tap-fieldpulse" in page.text
    assert "complete" in page.text
    assert "1 created" in page.text


def test_the_page_of_a_tap_says_how_it_failed(sandbox: Sandbox, tap_command: list[str], tmp_path: Path) -> None:
    """It is written after the end of the run is in the history."""
    sandbox.add_fault(Fault("quota_exceeded", times=100))
    assert run_process(tap_command).returncode == 3
    assert "exit status 3" in read_page((tmp_path / "report.html").read_text("utf-8")).text


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("report.json", "Setting 'report_path' violates the rule"),
        (".fieldpulse/snapshot.html", "lead to the same file"),
    ],
)
def test_the_page_of_a_tap_replaces_no_other_file(
    sandbox: Sandbox, page_config: Config, tmp_path: Path, name: str, what: str
) -> None:
    """Its name says what is in it; a store may have any name."""
    own = {"report_path": str(tmp_path / name), "snapshot_url": f"sqlite:///{tmp_path}/.fieldpulse/snapshot.html"}
    account = {"api_key": sandbox.key, "api_url": sandbox.url}
    ended = run_process(plugin_command("tap_fieldpulse", account | page_config | own, tmp_path))
    assert ended.returncode == 2
    assert what in ended.stderr
    assert not (tmp_path / name).exists()


def test_the_page_has_the_run_that_wrote_it(sandbox: Sandbox, config: dict[str, Any], tmp_path: Path) -> None:
    """Its outcomes, and its rejects by reason, with keys and without values."""
    assert run_process(plugin_command("target_fieldpulse", config, tmp_path), TEXT).returncode == 1
    html = (tmp_path / "report.html").read_text("utf-8")
    page = read_page(html)
    assert "1 created" in page.text
    assert "1 rejected" in page.text
    assert "email is text of 10 characters" in page.text
    assert "exit status 1" in page.text
    assert "Open rejects by reason" in page.text
    assert CANARY not in html
    assert "no address" not in html


def test_the_page_of_a_dry_run_has_its_plan(sandbox: Sandbox, config: dict[str, Any], tmp_path: Path) -> None:
    """Which fields it would set; no values."""
    config |= {"dry_run": True, "plan_path": str(tmp_path / "plan.jsonl")}
    run_process(plugin_command("target_fieldpulse", config, tmp_path), TEXT)
    html = (tmp_path / "report.html").read_text("utf-8")
    assert "customers: 1 to create" in read_page(html).text
    assert CANARY not in html


def test_a_page_that_cannot_be_written_does_not_change_the_end(
    sandbox: Sandbox, config: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A warning names the setting."""
    monkeypatch.setenv("TAP_FIELDPULSE_SNAPSHOT_URL", "not a URL")
    ended = run_process(plugin_command("target_fieldpulse", config, tmp_path), singer_lines(CUSTOMERS))
    assert ended.returncode == 0
    assert "The page cannot be written" in ended.stderr
    assert "setting report_path" in ended.stderr
    assert not (tmp_path / "report.html").exists()
