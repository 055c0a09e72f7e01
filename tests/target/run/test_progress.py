"""The progress of a run, logged at intervals."""

from __future__ import annotations

import logging
import threading
from pathlib import Path
from typing import Any

import pytest

from fieldpulse_plugin import progress
from fieldpulse_sandbox.faults.fault import Fault
from fieldpulse_sandbox.sandbox import Sandbox
from tests.harness.messages import record_message, schema_message, singer_lines
from tests.harness.target_runner import run_target


def test_a_run_logs_its_progress_until_it_ends(
    sandbox: Sandbox,
    target_config: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Each line has the number of processed records, and the request rate with its limit."""
    monkeypatch.setattr(progress, "_SECONDS_BETWEEN_LOG_LINES", 0.1)
    sandbox.add_fault(Fault("slow_response", path="/customers", skip=4, seconds=0.5))
    text = singer_lines(
        schema_message("customers", "external_id", "first_name"),
        *(record_message("customers", external_id=f"p{n}", first_name="P") for n in range(20)),
    )
    with caplog.at_level(logging.INFO):
        assert run_target(target_config, text, tmp_path).counts == {"created": 20}
    lines = [record.getMessage() for record in caplog.records if "records so far" in record.getMessage()]
    assert lines
    assert all(line.startswith("target-fieldpulse: ") and line.endswith(" requests/s") for line in lines)
    assert not [thread for thread in threading.enumerate() if thread.name == "fieldpulse_progress"]
