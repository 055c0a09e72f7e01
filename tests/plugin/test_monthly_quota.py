"""Tests of the monthly quota with both plugins and the doctor: runs that end before FieldPulse refuses, and go on."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from fieldpulse_api.errors import QuotaExceeded
from fieldpulse_api.http.client import Client
from fieldpulse_api.http.limits.rate_limit_file import key_hash, rate_limit_path
from fieldpulse_api.http.limits.request_count_file import request_count_path
from fieldpulse_api.http.retry import RetryPolicy
from fieldpulse_cli.doctor.command import doctor
from fieldpulse_plugin.settings import client_settings
from fieldpulse_sandbox.faults.fault import Fault
from fieldpulse_sandbox.sandbox import Sandbox
from tap_fieldpulse.tap import TapFieldPulse
from tests.harness.commands import run_command
from tests.harness.messages import record_message, singer_lines, state_message
from tests.harness.results import RunResult
from tests.harness.tap_runner import select_streams
from tests.harness.target_runner import run_target
from tests.target.shared import CUSTOMERS

Config = dict[str, Any]


@pytest.fixture
def counted(sandbox: Sandbox) -> Iterator[Config]:
    """Return settings for a key of this test, whose requests are counted in the real place."""
    sandbox.key = f"key-{uuid.uuid4()}"
    yield {"api_key": sandbox.key, "api_url": sandbox.url, "rate_limit_store": "file", "history_days": 0}
    for path in (rate_limit_path(sandbox.key), request_count_path(key_hash(sandbox.key))):
        path.unlink(missing_ok=True)


def counted_requests(config: Config) -> int:
    limiter = client_settings(config).rate_limiter()
    found = limiter.look_up_month()
    assert found
    return found.requests


def run_tap_command(config: Config, folder: Path, state: Config | None = None) -> RunResult:
    catalog = select_streams(TapFieldPulse(config={}, validate_config=False), ["customers", "jobs", "users"])
    arguments = []
    for name, value in (("config", config), ("catalog", catalog), ("state", state)):
        if value is not None:
            (folder / name).write_text(json.dumps(value))
            arguments += [f"--{name}", str(folder / name)]
    return run_command(TapFieldPulse, *arguments)


def test_the_tap_ends_before_the_quota_and_a_higher_one_lets_it_go_on(
    sandbox: Sandbox, counted: Config, tmp_path: Path
) -> None:
    """Exit status 3, with the state of what was read. Both runs together emit what one does."""
    counted |= {"page_size": 5}
    whole = run_tap_command(counted, tmp_path)
    needed = len(sandbox.requests)
    assert (whole.status, counted_requests(counted)) == (0, needed)
    quota, limit = 2 * needed, 2 * needed - 4
    stopped = run_tap_command(counted | {"monthly_quota": quota, "monthly_quota_reserve": 4}, tmp_path)
    assert (stopped.status, len(sandbox.requests)) == (3, limit)
    assert f"{limit} of {quota} were counted, and 4 of them are the reserve" in stopped.stderr
    line = next(line for line in stopped.stderr.splitlines() if "Run stopped early: " in line)
    assert f"; requests in {datetime.now(timezone.utc):%Y-%m} (UTC): {limit} of {quota} with a reserve of 4" in line
    rest = run_tap_command(counted | {"monthly_quota": 9 * needed}, tmp_path, stopped.state)
    assert rest.status == 0
    for stream in whole.records:
        assert {*stopped.ids(stream), *rest.ids(stream)} == set(whole.ids(stream))


def test_the_target_ends_before_the_quota_and_a_higher_one_lets_it_go_on(
    sandbox: Sandbox, counted: Config, target_config: Config, tmp_path: Path
) -> None:
    """Exit status 3. States acknowledge only written records, and the next run writes the others, each once."""
    config = target_config | counted
    text = singer_lines(
        CUSTOMERS,
        *(
            message
            for n in range(9)
            for message in (record_message("customers", external_id=f"q{n}", first_name="Q"), state_message(n))
        ),
    )
    stopped = run_target(config | {"monthly_quota": 8}, text, tmp_path)
    assert (stopped.status, len(sandbox.requests), counted_requests(config)) == (3, 8, 8)
    written = sum(row["first_name"] == "Q" for row in sandbox.rows("customers"))
    assert 0 < written < 9
    assert stopped.counts["created"] == written
    assert all(state["bookmarks"] < written for state in stopped.states)
    assert "; requests in " in stopped.stderr.splitlines()[-1]
    assert ": 8 of 8" in stopped.stderr.splitlines()[-1]
    rest = run_target(config | {"monthly_quota": 500}, text, tmp_path)
    assert (rest.status, rest.counts) == (0, {"created": 9 - written, "unchanged": written})
    assert sum(row["first_name"] == "Q" for row in sandbox.rows("customers")) == 9


def test_the_closing_line_has_no_quota_that_is_not_set(sandbox: Sandbox, counted: Config, tmp_path: Path) -> None:
    """The line is as long as it needs to be."""
    assert "requests in " not in run_tap_command(counted, tmp_path).stderr


def test_a_request_that_is_sent_again_counts_again(sandbox: Sandbox, counted: Config) -> None:
    """FieldPulse may count whatever reaches it. The quota also ends retries."""
    sandbox.add_fault(Fault("error_status", times=2))
    settings = client_settings(counted | {"monthly_quota": 3})
    policy = RetryPolicy(first_wait_seconds=0.01)
    with closing(Client(settings, retry_policy=policy)) as client:
        client.get("/customers")
        assert len(sandbox.requests) == counted_requests(counted) == 3
        with pytest.raises(QuotaExceeded):
            client.post("/customers", {"first_name": "New"})
    assert len(sandbox.requests) == 3


@pytest.mark.parametrize(("quota", "grade"), [({}, "ok"), ({"QUOTA": "5000"}, "ok"), ({"QUOTA": "20"}, "FAIL")])
def test_doctor_says_how_much_is_used(
    sandbox: Sandbox, counted: Config, quota: Config, grade: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its own requests count. The quota ends it as it ends a run, and what it found until then is printed."""
    values = {"API_KEY": sandbox.key, "API_URL": sandbox.url, **{f"MONTHLY_{name}": quota[name] for name in quota}}
    for name, value in values.items():
        monkeypatch.setenv(f"TAP_FIELDPULSE_{name}", value)
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(doctor, [])
    lines = [line for line in result.stdout.splitlines() if " quota " in line]
    sent = len(sandbox.requests)
    found = counted_requests(counted)
    assert found - sent in (0, 1)  # its own limit may refuse a request that has a slot already
    of_quota = f" of {int(quota['QUOTA']):,}" if quota else ""
    assert f"(UTC): {found}{of_quota}, counted since" in lines[-1]
    assert f"counted in {request_count_path(key_hash(sandbox.key))}" in lines[-1]
    assert lines[0].split()[0] == grade
    if grade == "FAIL":
        assert sent == 20
        assert lines[-1].startswith("warn")
        assert "20 of 20 were counted" in lines[0]
