"""The progress of a long run: a line on a terminal, log lines elsewhere, and nothing of it on stdout."""

from __future__ import annotations

import os
import pty
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from fieldpulse_plugin import progress
from fieldpulse_sandbox.faults.fault import Fault
from fieldpulse_sandbox.sandbox import Sandbox
from tests.harness.processes import plugin_command
from tests.harness.results import RunResult
from tests.harness.tap_runner import run_tap


def test_a_log_line_reports_the_progress_of_a_stream(
    sandbox: Sandbox, config: dict[str, Any], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It has the share of the server's count, the time left, and the request rate beside its limit."""
    monkeypatch.setattr(progress, "_SECONDS_BETWEEN_LOG_LINES", 0.1)
    sandbox.add_fault(Fault("slow_response", path="/customers", skip=4, seconds=0.5))
    with caplog.at_level("INFO"):
        run_tap(config | {"page_size": 10}, "customers")
    lines = [record.getMessage() for record in caplog.records if "requests/s" in record.getMessage()]
    assert any(
        re.search(r"customers: \d+ of 30 rows \(\d+%\), about \d+ s left, \d+/45 requests/s", line) for line in lines
    )


def test_without_a_count_the_line_has_no_share(
    sandbox: Sandbox, config: dict[str, Any], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The share is unknown, so the line has only the number of rows."""
    monkeypatch.setattr(progress, "_SECONDS_BETWEEN_LOG_LINES", 0.1)
    sandbox.add_fault(Fault("slow_response", path="/customers", skip=4, seconds=0.5))
    sandbox.behaviour.count_key, sandbox.behaviour.always_count = None, ()
    with caplog.at_level("INFO"):
        run_tap(config | {"page_size": 10}, "customers")
    assert re.search(r"customers: \d+ rows so far, \d+/45 requests/s", caplog.text)
    assert "left" not in "".join(
        record.getMessage() for record in caplog.records if "requests/s" in record.getMessage()
    )


def test_a_short_stream_logs_no_progress(config: dict[str, Any], caplog: pytest.LogCaptureFixture) -> None:
    """The line at its end is enough."""
    with caplog.at_level("INFO"):
        run_tap(config, "customers")
    assert "requests/s" not in caplog.text


def test_a_terminal_shows_a_progress_line(sandbox: Sandbox, config: dict[str, Any], tmp_path: Path) -> None:
    """The line is written to stderr, and stdout contains only messages."""
    sandbox.add_fault(Fault("slow_response", path="/customers", skip=3, seconds=0.5))
    ours, theirs = pty.openpty()
    line = plugin_command("tap_fieldpulse", config | {"page_size": 10}, tmp_path)
    output = tmp_path / "output"
    with output.open("w") as stdout, subprocess.Popen(line, stdout=stdout, stderr=theirs) as process:
        os.close(theirs)
        screen = _read_all(ours)
    assert process.returncode == 0
    emitted = RunResult(output.read_text())
    assert "customers" in screen
    assert "/45 req" in screen
    assert len(emitted.records["customers"]) == 30


def _read_all(terminal: int) -> str:
    """Read what a process writes to a terminal until it ends."""
    parts = []
    while True:
        try:
            part = os.read(terminal, 65_536)
        except OSError:  # the process closed its end of the terminal
            part = b""
        if not part:
            os.close(terminal)
            return b"".join(parts).decode("utf-8", "replace")
        parts.append(part)
