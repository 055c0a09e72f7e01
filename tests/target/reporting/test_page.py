"""`report_path` ending in .html: the page of all runs, written after each of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fieldpulse_sandbox.sandbox import Sandbox
from tests.cli.page.page_reader import read_page
from tests.harness.messages import record_message, singer_lines, state_message
from tests.harness.past_runs import CANARY
from tests.harness.processes import plugin_command, run_process
from tests.target.shared import CUSTOMERS

TEXT = singer_lines(
    CUSTOMERS,
    record_message("customers", external_id="1", first_name=CANARY),
    record_message("customers", external_id="2", first_name=CANARY, email="no address"),
    state_message(1),
)


@pytest.fixture
def config(target_config: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Return the settings of a target that has a history and writes a page."""
    monkeypatch.chdir(tmp_path)  # no .env, and no snapshot
    return target_config | {"history_days": 90, "report_path": str(tmp_path / "report.html")}


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
