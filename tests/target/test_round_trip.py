"""The tap's own output, sent back into the account that it came from."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fieldpulse_api.resources.catalogue import WRITABLE
from fieldpulse_sandbox.sandbox import Sandbox
from tests.harness.tap_runner import run_tap
from tests.harness.target_runner import run_target
from tests.target.shared import write_requests

Config = dict[str, Any]


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """Start a small account: each of its rows is read."""
    with Sandbox(customers=8) as sandbox:
        yield sandbox


def tap_output(config: Config) -> list[str]:
    """Return the messages of all streams that the target writes, as lines."""
    streams = [name for name, resource in WRITABLE.items() if not resource.write_spec.target_resource]
    return run_tap(config, *streams).stdout.splitlines()


@pytest.mark.parametrize("settings", [{}, {"decimals_as_numbers": True}, {"custom_fields": "raw"}], ids=str)
def test_unchanged_output_writes_nothing(
    sandbox: Sandbox, config: Config, target_config: Config, tmp_path: Path, settings: Config
) -> None:
    """The ledger does not know the rows: each is read, and nothing of it differs. The second run reads none."""
    lines = tap_output(config | settings)
    before = len(sandbox.requests)
    result = run_target(target_config, "\n".join(lines), tmp_path)
    assert set(result.counts) == {"unchanged"}
    before_second = len(sandbox.requests)
    assert run_target(target_config, "\n".join(lines), tmp_path).counts == result.counts
    assert write_requests(sandbox, before) == []
    assert len(sandbox.requests) - before_second < result.counts["unchanged"] / 2


def test_a_changed_value_is_all_that_is_sent(
    sandbox: Sandbox, config: Config, target_config: Config, tmp_path: Path
) -> None:
    """The notes of a job are edited in the output, and its type is padded. The dry run says the same."""
    lines = run_tap(config, "jobs").stdout.splitlines()
    number = next(number for number, line in enumerate(lines) if '"type":"RECORD"' in line)
    message = json.loads(lines[number])
    message["record"] |= {"notes": "Edited", "job_type": f" {message['record']['job_type']} "}
    text = "\n".join([*lines[:number], json.dumps(message), *lines[number + 1 :]])
    dry_run = run_target(target_config | {"dry_run": True}, text, tmp_path)
    before = len(sandbox.requests)
    result = run_target(target_config, text, tmp_path)
    assert (result.counts, dry_run.counts) == ({**result.counts, "updated": 1}, result.counts)
    (put,) = (request for request in sandbox.requests[before:] if request.method == "PUT")
    assert put.body is not None
    assert put.body.keys() - {"customer_id", "job_type"} == {"notes"}
