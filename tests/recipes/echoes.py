"""A two-way sync of every stream that the target writes: what comes back, and what does not."""

from __future__ import annotations

from pathlib import Path

from fieldpulse_sandbox.sandbox import Sandbox
from tests.harness.results import RunResult
from tests.harness.tap_runner import run_tap
from tests.harness.target_runner import run_target
from tests.target.test_every_stream import CHANGES, RECORDS, messages

CHANGED_BY_OTHER_ROWS = {"customers": "its main location", "invoices": "its payment"}
"""The streams of which a row comes back, since the target wrote another row that shows in it."""


def check_every_stream(folder: Path) -> None:
    """Create a row of every stream, then change it. Nothing of it comes back but rows that other rows have changed."""
    with Sandbox(customers=5) as sandbox:
        base = {"api_key": sandbox.key, "api_url": sandbox.url, "rate_limit_store": "memory", "history_days": 0}
        ledger_url = f"sqlite:///{folder}/ledger.db"
        target = {**base, "ledger_url": ledger_url, "rejects_path": str(folder / "rejects.singer")}
        tap = {**base, "snapshot_url": f"sqlite:///{folder}/snapshot.db", "skip_written_by": ledger_url}
        state = run_tap(tap, *RECORDS).state
        for changes in ({}, CHANGES):
            counts = run_target(target, messages(sandbox, **changes), folder).counts
            assert counts == {"updated" if changes else "created": len(RECORDS)}, counts
            result = run_tap(tap, *RECORDS, state=state)
            assert _came_back(result) <= CHANGED_BY_OTHER_ROWS.keys(), _came_back(result)
            state = result.state
        fresh = run_tap({**tap, "snapshot_url": f"sqlite:///{folder}/fresh.db"}, *RECORDS)
        newest = {name for name in RECORDS if max(row["id"] for row in sandbox.rows(name)) in fresh.ids(name)}
        assert newest <= CHANGED_BY_OTHER_ROWS.keys(), newest


def _came_back(result: RunResult) -> set[str]:
    return {name for name, records in result.records.items() if records}
