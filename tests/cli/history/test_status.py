"""`fieldpulse status`: what needs a person after real runs, and what does not."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
import threading
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import select, update
from time_machine import travel

from fieldpulse_cli.history.status import read_status
from fieldpulse_cli.history.stores import Stores
from fieldpulse_cli.main import commands
from fieldpulse_plugin.history.facts import RunFacts, StreamFacts, now
from fieldpulse_plugin.history.recorder import RunRecorder
from fieldpulse_plugin.history.tables import METADATA, RUNS, STORE, history_url
from fieldpulse_plugin.stores.database import open_database
from fieldpulse_sandbox.faults.fault import Fault
from fieldpulse_sandbox.sandbox import Sandbox
from tap_fieldpulse.tap import TapFieldPulse
from tests.harness.commands import run_command
from tests.harness.messages import record_message, singer_lines
from tests.harness.processes import plugin_command
from tests.harness.tap_runner import select_streams
from tests.harness.target_runner import run_target
from tests.target.shared import CUSTOMERS, PAYMENTS, payment, run_ledger_command

Config = dict[str, Any]


@pytest.fixture(autouse=True)
def _stores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the commands find the stores of the test."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TAP_FIELDPULSE_SNAPSHOT_URL", f"sqlite:///{tmp_path}/snapshot.db")
    monkeypatch.setenv("TARGET_FIELDPULSE_LEDGER_URL", f"sqlite:///{tmp_path}/ledger.db")
    for kind in ("EXTRACTOR", "LOADER"):
        monkeypatch.delenv(f"MELTANO_{kind}_NAME", raising=False)


@pytest.fixture
def tap_config(config: Config, tmp_path: Path) -> Config:
    return config | {"history_days": 90, "snapshot_url": f"sqlite:///{tmp_path}/snapshot.db", "page_size": 5}


def tap_arguments(config: Config, folder: Path, *streams: str) -> list[str]:
    """Return the command line of a tap that reads these streams."""
    catalog = folder / "catalog.json"
    selected = select_streams(TapFieldPulse(config={}, validate_config=False), list(streams))
    catalog.write_text(json.dumps(selected))
    return plugin_command("tap_fieldpulse", config, folder, "--catalog", str(catalog))


def run_tap(config: Config, folder: Path, *streams: str) -> int:
    return run_command(TapFieldPulse, *tap_arguments(config, folder, *streams)[3:]).status


def command(*arguments: str) -> Result:
    return CliRunner().invoke(commands, arguments, catch_exceptions=False)


def status() -> dict[str, Any]:
    """Return the status as JSON, and check that the exit status fits it."""
    result = command("status", "--json")
    found: dict[str, Any] = json.loads(result.stdout)
    assert result.exit_code == bool(found["needs"])
    return found


def record_run(url: str, *streams: StreamFacts, plugin: str = "tap-fieldpulse", status: int = 0, **facts: Any) -> None:
    """Write a run that has ended."""
    run = RunFacts(**{"account": "42", "requests_per_second": 45, **facts}, streams=list(streams))
    with RunRecorder(plugin, lambda: run, store="snapshot", store_url=url, keep_days=90) as recorder:
        recorder.end(status, f"Ended with {status}." if status else None)


def move_runs(url: str, by: timedelta) -> None:
    """Let all runs of a history have begun earlier."""
    engine = open_database(history_url(url), METADATA, store=STORE)
    with engine.begin() as connection:
        for run_id, began_at in connection.execute(select(RUNS.c.run_id, RUNS.c.began_at)).all():
            connection.execute(update(RUNS).where(RUNS.c.run_id == run_id).values(began_at=began_at - by))
    engine.dispose()


def test_without_any_run_it_says_so() -> None:
    """Nothing is created where nothing is."""
    result = command("status")
    assert (result.exit_code, "No run is recorded yet" in result.stdout) == (0, True)
    assert list(Path.cwd().iterdir()) == []


def test_good_runs_need_nobody(sandbox: Sandbox, tap_config: Config, tmp_path: Path) -> None:
    """The lists are complete, with the time of the run."""
    assert run_tap(tap_config, tmp_path, "customers", "jobs") == 0
    found = status()
    assert found["needs"] == []
    (pipeline,) = found["pipelines"]
    assert pipeline["requests_this_month"] == pipeline["last_run"]["traffic"]["requests"] == len(sandbox.requests)
    assert [each["name"] for each in pipeline["lists"]] == ["customers", "jobs"]
    assert all(each["complete_at"] == pipeline["last_run"]["began_at"] for each in pipeline["lists"])
    assert pipeline["last_run"]["result"] == "all 2 lists complete"
    assert "Nothing needs you." in command("status").stdout


def test_a_failed_run_needs_a_person_until_a_good_one(sandbox: Sandbox, tap_config: Config, tmp_path: Path) -> None:
    """The item has the reason, and a command that prints all of the run."""
    assert run_tap(tap_config | {"api_key": "another-key"}, tmp_path, "jobs") == 2
    (need,) = status()["needs"]
    assert "rejected the API key" in need["what"]
    details = command(*need["command"].split()[1:])
    assert details.exit_code == 0
    assert "rejected the API key" in details.stdout
    printed = command("status").stdout
    assert "1. tap-fieldpulse: The last run (just now): failed:" in printed
    assert f"→ {need['command']}" in printed
    assert run_tap(tap_config, tmp_path, "jobs") == 0
    assert status()["needs"] == []
    assert len(status()["pipelines"]) == 1  # the run that did not learn its account belongs to the same


def test_a_list_that_stays_incomplete_needs_a_person(sandbox: Sandbox, tap_config: Config, tmp_path: Path) -> None:
    """Not the first time: the next run reads it again."""
    sandbox.behaviour.honour_page = False
    sandbox.behaviour.max_limit = 3
    assert run_tap(tap_config, tmp_path, "timesheets") == 0
    assert status()["needs"] == []
    assert "0 of 1 list complete; incomplete: timesheets" in " ".join(command("status").stdout.split())
    assert run_tap(tap_config, tmp_path, "timesheets") == 0
    (need,) = status()["needs"]
    assert "timesheets" in need["what"]
    assert status()["pipelines"][0]["lists"][0]["runs_without_progress"] == 2
    assert "timesheets: not complete in 2 runs" in " ".join(command("status").stdout.split())


def test_a_killed_run_needs_a_person_and_a_running_one_does_not(
    sandbox: Sandbox, tap_config: Config, tmp_path: Path
) -> None:
    """A run that goes on is shown; what it leaves behind when it is killed is found at once."""
    begun = threading.Event()
    sandbox.on_request = lambda _: begun.set() if len(sandbox.requests) > 2 else None
    sandbox.add_fault(Fault("slow_response", seconds=20, skip=4, times=50))
    arguments = tap_arguments(tap_config, tmp_path, "customers", "jobs")
    with subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            assert begun.wait(60)
            for _ in range(600):
                found = status()
                if found["pipelines"]:
                    break
                threading.Event().wait(0.05)
            assert found["needs"] == []
            assert found["pipelines"][0]["last_run"]["state"] == "running"
        finally:
            process.send_signal(signal.SIGKILL)
        process.wait()
    (need,) = status()["needs"]
    assert "vanished" in need["what"]


def test_rejects_and_uncertain_creates_need_a_person(sandbox: Sandbox, target_config: Config, tmp_path: Path) -> None:
    """Until the user settles them; nothing of the records is told but their keys, and e-mail addresses are left out."""
    target_config |= {"history_days": 90}
    sandbox.add_fault(Fault("dropped_connection", method="POST", after_commit=False))
    lines = singer_lines(PAYMENTS, payment(sandbox, "silas@example.com"))
    assert run_target(target_config, lines, tmp_path).status == 1
    found = status()
    (uncertain,) = found["uncertain"]
    assert (uncertain["stream"], uncertain["key"]) == ("payments", "[…]")
    assert "no matching row found, and creates that move money are not repeated" in uncertain["reason"]
    assert [need["command"] for need in found["needs"]] == ["fieldpulse ledger list --pending"]
    printed = command("status").stdout
    assert "May exist or not, because the response was lost (just now): payments […]." in " ".join(printed.split())
    assert "silas" not in printed
    settled = run_ledger_command(
        target_config, "settle", "--stream", "payments", "--key", "silas@example.com", "--not-created"
    )
    assert settled.returncode == 0
    (need,) = status()["needs"]
    assert "1 record was not written (just now)." in need["what"]
    assert need["command"] == "fieldpulse rejects list"


def test_a_create_in_flight_is_not_uncertain(sandbox: Sandbox, target_config: Config, tmp_path: Path) -> None:
    """The run that sent it is waiting for the response."""
    begun = threading.Event()
    sandbox.on_request = lambda request: begun.set() if request.method == "POST" else None
    sandbox.add_fault(Fault("slow_response", method="POST", seconds=20))
    arguments = plugin_command("target_fieldpulse", target_config | {"history_days": 90}, tmp_path)
    lines = singer_lines(CUSTOMERS, record_message("customers", external_id="1", first_name="Silas"))
    with subprocess.Popen(
        arguments, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True
    ) as process:
        try:
            assert process.stdin
            process.stdin.write(lines)
            process.stdin.flush()
            assert begun.wait(60)
            found = status()
            assert (found["uncertain"], found["needs"]) == ([], [])
        finally:
            process.kill()
        process.wait()
    found = status()
    assert [each["reason"] for each in found["uncertain"]] == ["the run ended before the answer"]
    assert {need["command"].split()[1] for need in found["needs"]} == {"runs", "ledger"}


def test_a_used_up_quota_needs_a_person(sandbox: Sandbox, tap_config: Config, tmp_path: Path) -> None:
    """The run has ended with status 3."""
    sandbox.add_fault(Fault("quota_exceeded", times=50))
    assert run_tap(tap_config, tmp_path, "jobs") == 3
    (need,) = status()["needs"]
    assert "requests are used up" in need["what"]


def test_a_late_pipeline_needs_a_person(tmp_path: Path) -> None:
    """It ran every night for three weeks, and then not for more than a day."""
    url = f"sqlite:///{tmp_path}/snapshot.db"
    for _ in range(21):
        record_run(url)
        move_runs(url, timedelta(days=1))
    move_runs(url, timedelta(hours=-20))
    assert status()["needs"] == []
    move_runs(url, timedelta(hours=25))
    (need,) = status()["needs"]
    assert "has not run when it usually does" in need["what"]


def test_pipelines_and_accounts_are_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A dry run writes nothing, so it says nothing about a pipeline."""
    url = f"sqlite:///{tmp_path}/snapshot.db"
    record_run(url, account="1")
    record_run(url, account="2", status=4)
    record_run(url, account="1", is_dry=True, status=2)
    monkeypatch.setenv("MELTANO_EXTRACTOR_NAME", "tap-fieldpulse--north")
    record_run(url, account="1")
    found = status()
    assert [(each["name"], each["account"]) for each in found["pipelines"]] == [
        ("tap-fieldpulse--north", "1"),
        ("tap-fieldpulse", "1"),
        ("tap-fieldpulse", "2"),
    ]
    assert [need["what"] for need in found["needs"]] == ["The last run (just now): failed: Ended with 4."]


def test_a_refused_key_is_not_covered_by_another_account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many accounts have one pipeline and one store. A run whose key is refused does not know its company."""
    url = f"sqlite:///{tmp_path}/snapshot.db"
    for name, facts in {
        "north": {"account": "1"},
        "south": {"account": None, "status": 2},
        "west": {"account": "3"},
    }.items():
        monkeypatch.setenv("MELTANO_RUN_STATE_ID_SUFFIX", name)
        record_run(url, **facts)
    monkeypatch.setenv("MELTANO_RUN_STATE_ID_SUFFIX", "north")
    record_run(url, account="1")
    found = status()
    assert [(each["name"], each["account"]) for each in found["pipelines"]] == [
        ("tap-fieldpulse:north", "1"),
        ("tap-fieldpulse:west", "3"),
        ("tap-fieldpulse:south", None),
    ]
    assert [need["what"] for need in found["needs"]] == ["The last run (just now): failed: Ended with 2."]


def test_both_stores_in_one_database_have_one_history(postgres: str) -> None:
    """The tables of a PostgreSQL server are those of the tap and of the target."""
    record_run(postgres, account="both")
    with closing(Stores(ledger_urls=[postgres], snapshot_urls=[postgres])) as stores:
        found = read_status(stores, now())
        assert len(stores.runs(5)) == len({run.run_id for run in stores.runs(5)})
    assert [len(pipeline.runs) for pipeline in found.pipelines if pipeline.account == "both"] == [1]


def test_the_requests_of_this_month_are_counted(tmp_path: Path) -> None:
    """Those of the month before are not."""
    url = f"sqlite:///{tmp_path}/snapshot.db"
    for day in (30, 31, 32):
        with travel(f"2026-10-{day}T12:00:00Z" if day < 32 else "2026-11-01T12:00:00Z", tick=True):
            record_run(url, traffic=RunFacts(account=None, requests_per_second=1).traffic.__class__(requests=10))
    with travel("2026-11-01T13:00:00Z", tick=True):
        assert status()["pipelines"][0]["requests_this_month"] == 10


HOSTILE = "\x1b[31mtap\nNothing needs you.\u202e" + "long" * 40


def test_names_from_outside_steer_no_terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are escaped, and no line is longer than 80 characters."""
    monkeypatch.setenv("MELTANO_EXTRACTOR_NAME", HOSTILE)
    stream = StreamFacts(
        name="jobs" * 30, verdict="incomplete", drift=["x" * 200, HOSTILE], bookmark=HOSTILE, error=HOSTILE
    )
    record_run(f"sqlite:///{tmp_path}/snapshot.db", stream, status=1)
    run_id = status()["pipelines"][0]["last_run"]["run_id"]
    for arguments in (["status"], ["runs"], ["runs", run_id]):
        printed = command(*arguments).stdout
        assert not re.search(r"[^\x20-\uffff\n]|\u202e", printed)
        assert not any(line.startswith("Nothing") for line in printed.splitlines())
        assert max(map(len, printed.splitlines())) <= 80


@pytest.mark.parametrize(
    ("variables", "has_colour"), [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)]
)
def test_a_terminal_has_colour_unless_no_color_is_set(
    tmp_path: Path, variables: dict[str, str], has_colour: bool
) -> None:
    """On a terminal of 80 columns no line is longer."""
    record_run(f"sqlite:///{tmp_path}/snapshot.db", status=1)
    main, terminal = pty.openpty()
    environment = {"TERM": "xterm-256color", "COLUMNS": "80", **os.environ, **variables}
    with subprocess.Popen(
        [sys.executable, "-m", "fieldpulse_cli", "status"], stdout=terminal, env=environment
    ) as process:
        os.close(terminal)
        printed = b""
        while chunk := _read(main):
            printed += chunk
        assert process.wait() == 1
    os.close(main)
    assert (b"\x1b[" in printed) is has_colour
    text = re.sub(r"\x1b\[[0-9;]*m", "", printed.decode())
    assert "Needs a person" in text
    assert max(map(len, text.splitlines())) <= 80


def _read(descriptor: int) -> bytes:
    """Return what a terminal has next; nothing once its other end is closed, which Linux reports as an error."""
    try:
        return os.read(descriptor, 65536)
    except OSError:
        return b""


def test_a_history_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    """The message names the setting; no traceback."""
    (tmp_path / "snapshot-history.db").write_text("no database")
    ended = subprocess.run(
        [sys.executable, "-m", "fieldpulse_cli", "status"], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 2
    assert "setting snapshot_url" in ended.stderr
    assert "Traceback" not in ended.stderr
