"""`fieldpulse events` on an account: each change is pushed at least once and in order, whatever fails."""

from __future__ import annotations

import errno
import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import pytest
from typing_extensions import override

from fieldpulse_api.errors import Forbidden
from fieldpulse_sandbox.faults.fault import Fault
from fieldpulse_sandbox.sandbox import Sandbox
from tap_fieldpulse.delivery.sender import EventRefused
from tap_fieldpulse.push.command import events
from tests.harness.event_receiver import HANG, SECRET, EventReceiver
from tests.harness.receiver import environment
from tests.harness.tap_runner import join_prefetch_threads, run_tap

Event = dict[str, Any]
Run = Callable[..., list[Event]]
Settings = dict[str, str]


@pytest.fixture
def settings(sandbox: Sandbox, tmp_path: Path) -> Settings:
    """Return the settings of the command, as variables of the environment name them."""
    return {
        "api_key": sandbox.key,
        "api_url": sandbox.url,
        "requests_per_second": "50",
        "rate_limit_store": "memory",
        "snapshot_url": f"sqlite:///{tmp_path}/snapshot.db",
        "push_secret": SECRET,
    }


@pytest.fixture
def run(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return what runs the command in this process, and returns the printed events."""
    for name, value in settings.items():
        monkeypatch.setenv(f"TAP_FIELDPULSE_{name.upper()}", value)

    def run(*arguments: str, output: io.StringIO | None = None) -> list[Event]:
        output = output or io.StringIO()
        try:
            with redirect_stdout(output), redirect_stderr(io.StringIO()):
                events.main([*arguments], standalone_mode=False)
        finally:
            join_prefetch_threads()
        return [json.loads(line) for line in output.getvalue().splitlines()]

    return run


class FullDisk(io.StringIO):
    """A standard output that takes lines, and fails when they are flushed."""

    @override
    def flush(self) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def change_jobs(sandbox: Sandbox, count: int) -> list[int]:
    """Change jobs one after the other, and return their ids."""
    ids = [int(row["id"]) for row in sandbox.rows("jobs")[:count]]
    for row_id in ids:
        sandbox.store.update("jobs", row_id, {"subtitle": "Changed"})
    return ids


def ids_of(found: list[Event]) -> list[int]:
    return [event["object_id"] for event in found]


def test_each_change_is_printed_once_with_names(
    sandbox: Sandbox, run: Run, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first poll prints nothing: rows that were there before are not new."""
    monkeypatch.setenv("TAP_FIELDPULSE_SNAPSHOT_URL", url)
    assert run("--jsonl") == []
    customer = sandbox.rows("customers")[0]
    created = sandbox.store.create("jobs", {"job_type": "Born", "customer_id": customer["id"]})
    (event,) = run("--jsonl")
    assert (event["event"], event["stream"], event["object_id"]) == ("created", "jobs", created["id"])
    assert customer["first_name"] in event["customer_name"]
    assert event["status_name"]
    assert run("--jsonl") == []


def test_runs_of_the_tap_and_polls_both_see_a_change(
    sandbox: Sandbox, run: Run, config: dict[str, Any], settings: Settings
) -> None:
    """They have the same setting snapshot_url, and each a snapshot of its own."""
    config |= {"snapshot_url": settings["snapshot_url"]}
    first = run_tap(config, "jobs", "change_events")
    run("--jsonl")
    (changed,) = change_jobs(sandbox, 1)
    assert ids_of(run("--jsonl")) == [changed]
    second = run_tap(config, "jobs", "change_events", state=first.state)
    assert ids_of(second.records["change_events"]) == [changed]


def test_lines_that_cannot_be_flushed_are_printed_by_the_next_run(sandbox: Sandbox, run: Run) -> None:
    """The disk is full: the command fails, and no event counts as delivered."""
    run("--jsonl")
    changed = change_jobs(sandbox, 3)
    with pytest.raises(OSError, match="No space left"):
        run("--jsonl", output=FullDisk())
    assert sorted(ids_of(run("--jsonl"))) == sorted(changed)


def test_events_that_were_not_delivered_wait(sandbox: Sandbox, run: Run, event_receiver: EventReceiver) -> None:
    """A receiver that refuses an event holds up those behind it; they come once it accepts, in order."""
    run("--jsonl")
    changed = change_jobs(sandbox, 3)
    event_receiver.respond = lambda number: 204 if number == 0 else 422
    with pytest.raises(EventRefused):
        run("--post", event_receiver.url)
    event_receiver.respond = lambda _: 204
    run("--post", event_receiver.url)
    assert sorted(ids_of(event_receiver.accepted)) == sorted(changed)
    pushed = ids_of([push.event for push in event_receiver.pushes])
    assert pushed == [*pushed[:2], pushed[1], pushed[3]]
    assert run("--jsonl") == []


def test_refused_events_are_put_aside(
    sandbox: Sandbox, run: Run, event_receiver: EventReceiver, tmp_path: Path
) -> None:
    """The others are delivered, and none is pushed again."""
    run("--jsonl")
    changed = change_jobs(sandbox, 3)
    event_receiver.respond = lambda number: 422 if number == 1 else 204
    path = tmp_path / "refused.jsonl"
    run("--post", event_receiver.url, "--refused", str(path))
    refused = [json.loads(line)["event"] for line in path.read_text("utf-8").splitlines()]
    assert len(refused) == 1
    assert sorted(ids_of([*event_receiver.accepted, *refused])) == sorted(changed)
    run("--post", event_receiver.url)
    assert len(event_receiver.pushes) == 3


def test_a_list_that_cannot_be_read_does_not_hold_up_the_others(
    sandbox: Sandbox, run: Run, event_receiver: EventReceiver
) -> None:
    """The command fails after it has delivered what it detected; the changes of that list come later."""
    run("--jsonl")
    (changed,) = change_jobs(sandbox, 1)
    customer_id = int(sandbox.rows("customers")[0]["id"])
    sandbox.store.update("customers", customer_id, {"notes": "Changed"})
    sandbox.add_fault(Fault("error_status", path="/customers", status=403))
    with pytest.raises(Forbidden):
        run("--post", event_receiver.url)
    assert ids_of(event_receiver.accepted) == [changed]
    assert ids_of(run("--jsonl")) == [customer_id]


def _command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "fieldpulse_cli", "events", *arguments]


def test_a_killed_process_loses_no_event(
    sandbox: Sandbox, run: Run, settings: Settings, event_receiver: EventReceiver
) -> None:
    """It is killed while a push is under way. The next process repeats that event, and pushes the rest in order."""
    run("--jsonl")
    changed = change_jobs(sandbox, 5)
    event_receiver.respond = lambda number: 204 if number < 2 else HANG
    command = _command("--follow", "--interval", "1", "--post", event_receiver.url)
    with subprocess.Popen(command, env=environment(**settings), stderr=subprocess.PIPE, text=True) as process:
        event_receiver.wait_for(3)
        process.kill()
    event_receiver.respond = lambda number: {3: 500, 4: HANG}.get(number, 204)
    with subprocess.Popen(command, env=environment(**settings), stderr=subprocess.PIPE, text=True) as process:
        event_receiver.wait_for(5)
        event_receiver.ends.set()  # the connection is closed without a response
        event_receiver.wait_for(8)
        (later,) = [row["id"] for row in sandbox.rows("jobs") if row["id"] not in changed][:1]
        sandbox.store.update("jobs", later, {"subtitle": "Changed"})
        event_receiver.wait_for(9)
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=60)
    assert process.returncode == 143
    pushed = [push.headers["webhook-id"] for push in event_receiver.pushes]
    assert pushed[2] == pushed[3] == pushed[4] == pushed[5]
    assert len({*pushed}) == 6
    accepted = ids_of(event_receiver.accepted)
    assert sorted(accepted[:5]) == sorted(changed)
    assert accepted[5:] == [later]
    for secret in (SECRET, sandbox.key, "canary-of-the-url", "Changed"):
        assert secret not in log
