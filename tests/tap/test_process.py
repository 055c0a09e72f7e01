"""The tap as a process: its exit status, its signals, and its messages to the user."""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from fieldpulse_api.resources.catalogue import RESOURCES
from fieldpulse_sandbox.faults.fault import Fault
from fieldpulse_sandbox.sandbox import Sandbox
from tap_fieldpulse.tap import TapFieldPulse
from tests.harness.processes import plugin_command, run_process
from tests.harness.results import RunResult
from tests.harness.tap_runner import select_streams

Config = dict[str, Any]


@pytest.fixture
def only_customers(tmp_path: Path) -> list[str]:
    """Return the arguments that select one stream."""
    path = tmp_path / "catalog.json"
    path.write_text(json.dumps(select_streams(TapFieldPulse(config={}, validate_config=False), ["customers"])))
    return ["--catalog", str(path)]


def test_a_successful_run_exits_with_0(config: Config, tmp_path: Path, only_customers: list[str]) -> None:
    """Its output contains only Singer messages."""
    ended = run_process(plugin_command("tap_fieldpulse", config, tmp_path, *only_customers))
    assert ended.returncode == 0
    assert len(RunResult(ended.stdout).records["customers"]) == 30


def test_discovery_needs_no_key(tmp_path: Path) -> None:
    """A user may look at the streams before FieldPulse has issued a key."""
    ended = run_process(plugin_command("tap_fieldpulse", {}, tmp_path, "--discover"))
    assert ended.returncode == 0
    assert len(json.loads(ended.stdout)["streams"]) == len(RESOURCES) + 3  # events, deleted rows, webhooks


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"api_key": "canary-key"}, "rejected the API key"),
        ({"api_key": "canary-key", "custom_fields": "raw"}, "rejected the API key"),
        ({"filters": {"jobs": {"colour": "red"}}}, "Unknown filter: got 'colour'"),
        ({"timezone": "Mars/Base"}, "timezone"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_discovery_checks_the_settings_as_a_sync_does(
    config: Config, tmp_path: Path, wrong: Config, message: str
) -> None:
    """Meltano discovers first: a wrong setting must not look like an account without custom fields."""
    result = run_process(plugin_command("tap_fieldpulse", config | wrong, tmp_path, "--discover"))
    assert (result.returncode, result.stdout) == (2, "")
    assert message in result.stderr


@pytest.mark.parametrize(
    ("wrong", "status", "message"),
    [
        ({"api_key": None}, 2, "api_key"),
        ({"api_key": "canary-key"}, 2, "rejected the API key"),
        ({"api_url": "http://api.example.com"}, 2, "api_url"),
        ({"requests_per_second": 51}, 2, "requests_per_second"),
        ({"rate_limit_store": "reddis"}, 2, "allowed: file, memory"),
        ({"timezone": "Mars/Base"}, 2, "timezone"),
        ({"start_date": "last week"}, 2, "start_date"),
        ({"page_size": 500}, 2, "page_size"),
        ({"api_url": "http://127.0.0.1:9"}, 1, "connection"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_user_error_is_reported_in_three_lines_with_its_exit_status(
    config: Config, tmp_path: Path, only_customers: list[str], wrong: Config, status: int, message: str
) -> None:
    """The lines say what happened, where, and what to do. They contain no traceback and no key."""
    wrong_config = {name: value for name, value in (config | wrong).items() if value is not None}
    ended = run_process(plugin_command("tap_fieldpulse", wrong_config, tmp_path, *only_customers))
    assert ended.returncode == status
    assert message in ended.stderr
    assert "  where: " in ended.stderr
    assert "  do:    " in ended.stderr
    assert "Traceback" not in ended.stderr
    assert "canary-key" not in ended.stderr


@pytest.mark.parametrize("name", ["config", "catalog", "state"])
@pytest.mark.parametrize("text", ["{", None])
def test_an_invalid_or_missing_file_is_reported_without_a_traceback(
    config: Config, tmp_path: Path, name: str, text: str | None
) -> None:
    """A wrong path and a truncated file are common mistakes."""
    path = tmp_path / "input"
    if text:
        path.write_text(text)
    ended = run_process(plugin_command("tap_fieldpulse", config, tmp_path, f"--{name}", str(path)))
    assert ended.returncode == 2
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    "text", ['{"type": "STATE", "value": {"bookmarks": {}}}', '{"bookmarks": null}', '{"bookmarks": {"customers": 7}}']
)
def test_a_state_of_another_form_is_rejected(config: Config, tmp_path: Path, text: str) -> None:
    """Treating it as a missing state would silently read everything again."""
    path = tmp_path / "input"
    path.write_text(text)
    ended = run_process(plugin_command("tap_fieldpulse", config, tmp_path, "--state", str(path)))
    assert ended.returncode == 2
    assert "--state" in ended.stderr


def test_a_used_up_quota_exits_with_3_and_keeps_the_finished_streams(
    sandbox: Sandbox, config: Config, tmp_path: Path
) -> None:
    """The state contains the streams that were read before."""
    sandbox.add_fault(Fault("quota_exceeded", path="/jobs"))
    ended = run_process(plugin_command("tap_fieldpulse", config, tmp_path))
    assert ended.returncode == 3
    bookmarks = RunResult(ended.stdout).state["bookmarks"]
    assert bookmarks["customers"]["replication_key_value"]
    assert "replication_key_value" not in bookmarks.get("jobs", {})


@pytest.mark.parametrize("signal_number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_run_at_once_with_its_exit_status(
    sandbox: Sandbox, config: Config, tmp_path: Path, only_customers: list[str], signal_number: signal.Signals
) -> None:
    """The status is 128 + the signal, also while a request waits, and an unfinished stream has no bookmark."""
    sandbox.add_fault(Fault("slow_response", path="/customers", skip=3, seconds=60, times=9))
    line = plugin_command("tap_fieldpulse", config | {"page_size": 5}, tmp_path, *only_customers)
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout
        lines = [process.stdout.readline() for _ in range(3)]
        process.send_signal(signal_number)
        rest, errors = process.communicate(timeout=20)
    assert process.returncode == 128 + signal_number
    assert "replication_key_value" not in "".join(lines) + rest
    assert "Traceback" not in errors


def test_a_killed_run_has_emitted_no_bookmark(
    sandbox: Sandbox, config: Config, tmp_path: Path, only_customers: list[str]
) -> None:
    """A run that ends by SIGKILL cannot clean up, and need not."""
    sandbox.add_fault(Fault("slow_response", path="/customers", skip=3, seconds=60, times=9))
    line = plugin_command("tap_fieldpulse", config | {"page_size": 5}, tmp_path, *only_customers)
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout
        lines = [process.stdout.readline() for _ in range(3)]
        process.kill()
        rest = process.stdout.read()
    assert "replication_key_value" not in "".join(lines) + rest


def test_a_closed_output_causes_no_traceback(config: Config, tmp_path: Path) -> None:
    """When the target fails, the message of the tap must not hide that of the target."""
    line = plugin_command("tap_fieldpulse", config, tmp_path)
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.readline()
        process.stdout.close()
        errors = process.stderr.read()
        process.wait(timeout=30)
    assert process.returncode == 1
    assert "Traceback" not in errors


def test_a_list_that_always_fails_does_not_starve_the_others(sandbox: Sandbox, config: Config, tmp_path: Path) -> None:
    """The streams behind it are read and have bookmarks; the run fails at its end, and names the list."""
    sandbox.add_fault(Fault("error_status", path="/comments", status=418, times=999))
    ended = run_process(plugin_command("tap_fieldpulse", config, tmp_path))
    result = RunResult(ended.stdout)
    assert ended.returncode == 1
    assert {"assets", "customers", "jobs", "users"} <= result.records.keys()
    assert "comments" not in result.records
    assert result.state["bookmarks"]["comments"] == {}
    assert "jobs" in result.state["bookmarks"]
    assert "comments was not read to its end" in ended.stderr
    assert "failed=1" in ended.stderr
    assert "GET /comments" in ended.stderr.rpartition("ERROR")[2]


def test_a_list_that_the_key_may_not_read_starves_no_other(sandbox: Sandbox, config: Config, tmp_path: Path) -> None:
    """Plans differ. The error says that the key is good, because FieldPulse accepted it for other lists."""
    lists = ("comments", "contracts", "projects", "teams")
    for name in lists:
        sandbox.add_fault(Fault("error_status", path=f"/{name}", status=403, message="Forbidden", times=999))
    ended = run_process(plugin_command("tap_fieldpulse", config, tmp_path))
    result = RunResult(ended.stdout)
    assert ended.returncode == 2
    assert {"assets", "customers", "jobs", "users", "vendors"} <= result.records.keys()
    assert not result.records.keys() & set(lists)
    assert "failed=4" in ended.stderr
    assert (
        "FieldPulse accepts the API key, but not for this (HTTP 403): Forbidden" in ended.stderr.rpartition("ERROR")[2]
    )


def test_a_server_that_is_down_ends_the_run_after_three_lists(sandbox: Sandbox, config: Config, tmp_path: Path) -> None:
    """Each list would take the time of all retries."""
    run_process(plugin_command("tap_fieldpulse", config, tmp_path, "--discover"))
    for path in ("/assets-category", "/assets", "/comments", "/company-profile", "/contracts"):
        sandbox.add_fault(Fault("error_status", path=path, status=418, times=999))
    before = len(sandbox.requests)
    ended = run_process(plugin_command("tap_fieldpulse", config, tmp_path))
    paths = {request.path for request in sandbox.requests[before:]}
    assert ended.returncode == 1
    assert {"/assets-category", "/assets", "/comments"} <= paths
    assert '"contracts"' not in ended.stdout  # its turn did not come
    assert "Run stopped early" in ended.stderr
