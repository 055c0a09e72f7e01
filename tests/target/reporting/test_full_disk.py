"""A disk that becomes full during a run: whole lines, one error, a sum that adds up, and no temporary files."""

from __future__ import annotations

import json
import resource
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from fieldpulse_sandbox.sandbox import Sandbox
from tests.harness.messages import record_message, singer_lines, state_message
from tests.harness.processes import plugin_command
from tests.harness.results import RunResult
from tests.target.shared import CUSTOMERS, numbered_customer, numbered_customers

Config = dict[str, Any]


def run_limited(config: Config, text: str, folder: Path, *, max_file_bytes: int) -> RunResult:
    """Run the target as a process that can write no file beyond a size, as if the disk were full there."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (max_file_bytes, max_file_bytes))

    command = plugin_command("target_fieldpulse", config, folder)
    ended = subprocess.run(
        command, input=text, capture_output=True, text=True, timeout=120, check=False, preexec_fn=limit
    )
    return RunResult(ended.stdout, ended.stderr, ended.returncode)


@pytest.mark.parametrize("max_file_bytes", [110_000, 140_000, 250_000])
def test_a_run_that_fills_the_disk_ends_with_one_error_and_a_sum(
    sandbox: Sandbox, target_config: Config, tmp_path: Path, max_file_bytes: int
) -> None:
    """Ledger and audit share a database. What the ledger could not note is uncertain, and its next run settles it."""
    config = target_config | {"report_path": str(tmp_path / "report.json")}
    messages = [
        message
        for number in range(60)
        for message in (
            numbered_customer(number),
            record_message("customers", external_id=f"bad{number}", email="no address"),
            state_message(number),
        )
    ]
    text = singer_lines(CUSTOMERS, *messages)
    result = run_limited(config, text, tmp_path, max_file_bytes=max_file_bytes)
    assert (result.status, result.stderr.count("ERROR")) == (2, 1)
    assert "The ledger cannot be read or written (" in result.stderr
    assert "OperationalError" not in result.stderr
    counts = result.counts
    assert counts.get("created", 0) + counts.get("uncertain", 0) == len(numbered_customers(sandbox)) < 60
    report = json.loads((tmp_path / "report.json").read_text())
    assert {name: count for name, count in report["streams"]["customers"].items() if count} == {
        "read": sum(counts.values()),
        **counts,
    }
    for line in (tmp_path / "rejects.singer").read_text().splitlines(keepends=True):
        assert json.loads(line)
        assert line.endswith("\n")
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as connection:
        assert connection.execute("pragma integrity_check").fetchall() == [("ok",)]
    again = run_limited(config, text, tmp_path, max_file_bytes=100_000_000)
    assert numbered_customers(sandbox) == sorted(f"New{number}" for number in range(60))
    assert again.counts["rejected"] == 60


def test_a_report_that_cannot_be_written_is_a_warning(target_config: Config, tmp_path: Path) -> None:
    """The report of the last run stays, and no temporary file is left."""
    report = tmp_path / "report.json"
    report.write_text("the last one")
    files = sorted(tmp_path.iterdir())
    result = run_limited(target_config | {"report_path": str(report)}, "", tmp_path, max_file_bytes=100)
    assert result.status == 0
    assert "The report cannot be written (File too large): setting report_path" in result.stderr
    assert report.read_text() == "the last one"
    assert sorted(tmp_path.iterdir()) == sorted([*files, tmp_path / "target_fieldpulse.json"])
