"""Dry runs, which plan like a real run and write nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fieldpulse_sandbox.sandbox import Sandbox
from tests.harness.messages import record_message, singer_lines, state_message
from tests.harness.target_runner import run_target
from tests.target.shared import CUSTOMERS, JOBS, PIPELINE_MOVES, write_requests

Config = dict[str, Any]


def test_a_dry_run_sends_nothing_and_logs_each_planned_write(
    sandbox: Sandbox, target_config: Config, tmp_path: Path
) -> None:
    """A job refers to a customer of the same run. It leaves no state, no ledger entry and no value in the log."""
    text = singer_lines(
        CUSTOMERS,
        record_message("customers", external_id="d", first_name="Canary", email="canary@example.com"),
        JOBS,
        record_message("jobs", external_id="dj", customer_external_id="d", job_type="Check"),
        PIPELINE_MOVES,
        record_message("pipeline_statuses", customer_email="canary@example.com", pipeline_status="Won"),
        state_message(3),
    )
    result = run_target(target_config | {"dry_run": True}, text, tmp_path)
    assert result.counts == {"created": 2, "updated": 1}
    assert result.stderr.count("dry run: would") == 3
    assert "canary@example.com" not in result.stderr
    assert result.states == []
    assert write_requests(sandbox) == []
    assert run_target(target_config, text, tmp_path).counts == {"created": 2, "updated": 1}


def test_a_dry_run_counts_a_repeated_key_like_a_real_run(
    sandbox: Sandbox, target_config: Config, tmp_path: Path
) -> None:
    """The key is sent three times, deleted, and sent again."""
    records = [
        record_message("customers", external_id="k", first_name="K", **values) for values in ({}, {}, {"notes": "x"})
    ]
    records += [record_message("customers", external_id="k", deleted_at="2026-01-01T00:00:00Z"), records[0]]
    config = target_config | {"hard_delete": True}
    dry = run_target(config | {"dry_run": True}, singer_lines(CUSTOMERS, *records), tmp_path)
    real = run_target(config, singer_lines(CUSTOMERS, *records), tmp_path)
    assert dry.counts == real.counts == {"created": 2, "unchanged": 1, "updated": 1, "deleted": 1}


def test_a_dry_run_ignores_safety_limits(target_config: Config, tmp_path: Path) -> None:
    """The error of a safety limit recommends a dry run, which must show all planned writes."""
    records = [record_message("customers", external_id=f"g{n}", first_name="G") for n in range(4)]
    result = run_target(
        target_config | {"dry_run": True, "max_creates": 1}, singer_lines(CUSTOMERS, *records), tmp_path
    )
    assert (result.status, result.counts) == (0, {"created": 4})
