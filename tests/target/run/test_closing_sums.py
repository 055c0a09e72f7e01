"""The sum of the last line, after a run that ended in the middle: it says how many rows may have been written."""

from __future__ import annotations

import signal
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from fieldpulse_sandbox.faults.fault import Fault
from fieldpulse_sandbox.sandbox import Sandbox
from fieldpulse_sandbox.server.recorded_request import RecordedRequest
from tests.harness.messages import singer_lines, state_message
from tests.harness.results import RunResult
from tests.harness.target_runner import run_target
from tests.target.shared import CUSTOMERS, numbered_customer, numbered_customers, posts, running_target, wait_until

Config = dict[str, Any]
RECORDS = 120
BEFORE = 40
INPUT = singer_lines(
    CUSTOMERS, *(message for number in range(RECORDS) for message in (numbered_customer(number), state_message(number)))
)


def lose_ledger(folder: Path) -> None:
    with closing(sqlite3.connect(folder / "ledger.db")) as connection:
        connection.execute("drop table fieldpulse_ledger_1")


@pytest.mark.parametrize("cause", ["lost ledger", "rejected key", "used-up quota"])
def test_rows_are_created_or_uncertain_and_nothing_else_is(
    sandbox: Sandbox, target_config: Config, tmp_path: Path, cause: str
) -> None:
    """Many records are in flight when the run fails. Responses take a while, as those of FieldPulse do."""
    sandbox.add_fault(Fault("slow_response", method="POST", after_commit=True, seconds=0.3, times=BEFORE))
    if cause == "rejected key":
        sandbox.add_fault(Fault("error_status", method="POST", status=401))
    elif cause == "used-up quota":
        sandbox.add_fault(Fault("quota_exceeded", method="POST", times=RECORDS))
    else:

        def lose_ledger_at_last(request: RecordedRequest) -> None:
            if request.method == "POST" and len(posts(sandbox)) == BEFORE:
                lose_ledger(tmp_path)

        sandbox.on_request = lose_ledger_at_last
    result = run_target(target_config, INPUT, tmp_path)
    assert result.status in (2, 3)
    rows = numbered_customers(sandbox)
    assert len(set(rows)) == len(rows) < RECORDS
    assert result.counts.get("created", 0) + result.counts.get("uncertain", 0) == len(rows), result.counts
    assert set(result.counts) <= {"created", "uncertain", "unsent"}
    assert ("uncertain" in result.counts) == (cause == "lost ledger")


def test_rows_of_requests_in_flight_count_after_a_signal(
    sandbox: Sandbox, target_config: Config, tmp_path: Path
) -> None:
    """They end while the run closes."""
    sandbox.add_fault(Fault("slow_response", method="POST", after_commit=True, seconds=0.5, times=RECORDS))
    with running_target(target_config, INPUT, tmp_path) as process:
        wait_until(lambda: len(posts(sandbox)) >= BEFORE)
        process.send_signal(signal.SIGTERM)
        output, log = process.communicate(timeout=60)
    counts = RunResult(output, log).counts
    assert counts["created"] == len(numbered_customers(sandbox))
    assert set(counts) == {"created", "unsent"}
