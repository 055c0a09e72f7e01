"""Two taps at once on one snapshot, although it was locked: they do not both end with success."""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from fieldpulse_sandbox.sandbox import Sandbox
from fieldpulse_sandbox.server.recorded_request import RecordedRequest
from tap_fieldpulse.tap import TapFieldPulse
from tests.harness.processes import plugin_command
from tests.harness.results import RunResult
from tests.harness.tap_runner import run_tap, select_streams
from tests.target.ledger.test_ledger import lose_lock
from tests.target.shared import wait_until

DELETED = "deleted_rows"


@pytest.mark.parametrize("second_streams", [("customers",), ("jobs",), ("customers", "jobs")], ids="-".join)
def test_a_tap_that_lost_its_lock_ends_with_status_4(
    sandbox: Sandbox, config: dict[str, Any], url: str, tmp_path: Path, second_streams: tuple[str, ...]
) -> None:
    """It is suspended after its first stream, and another tap reads that stream, the next one, or both.

    It emits no state of a stream whose generation it did not store. What the other tap has seen is stored.
    """
    streams = ("customers", "jobs")
    config |= {"snapshot_url": url, "detect_deletes": True, "max_delete_percent": 100}
    baseline = run_tap(config, *streams, DELETED)
    for stream in streams:
        sandbox.store.delete(stream, sandbox.rows(stream)[-1]["id"])
    catalog, state = tmp_path / "catalog.json", tmp_path / "state.json"
    catalog.write_text(json.dumps(select_streams(TapFieldPulse(config=config), [*streams, DELETED])))
    state.write_text(json.dumps(baseline.state))
    arguments = ("--catalog", str(catalog), "--state", str(state))
    with subprocess.Popen(
        plugin_command("tap_fieldpulse", config, tmp_path, *arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:

        def suspend(request: RecordedRequest) -> None:
            if request.path == "/jobs" and process.returncode is None:
                sandbox.on_request = None
                process.send_signal(signal.SIGSTOP)

        sandbox.on_request = suspend
        wait_until(lambda: sandbox.on_request is None)
        lose_lock(url)
        second = run_tap(config, *second_streams, DELETED, state=baseline.state)
        process.send_signal(signal.SIGCONT)
        stdout, stderr = process.communicate(timeout=60)
    first = RunResult(stdout.decode(), stderr.decode(), process.returncode)
    assert (first.status, "lost its lock" in first.stderr) == (4, True), first.stderr
    assert {row["stream"] for row in second.records[DELETED]} == {*second_streams}
    if "jobs" in second_streams:
        assert first.state["bookmarks"]["jobs"] == baseline.state["bookmarks"]["jobs"]
    assert DELETED not in run_tap(config, *second_streams, DELETED, state=second.state).records
