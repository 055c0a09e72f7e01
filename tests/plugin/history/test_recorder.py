"""The history of runs of tap and target, written by real processes into real stores."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import threading
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import inspect, update

from fieldpulse_plugin.history.facts import RunFacts, StreamFacts, now
from fieldpulse_plugin.history.recorded_runs import History, RecordedRun
from fieldpulse_plugin.history.recorder import RunRecorder
from fieldpulse_plugin.history.tables import METADATA, RUNS, STORE, history_url
from fieldpulse_plugin.stores.database import engine_of, open_database
from fieldpulse_sandbox.faults.fault import Fault
from fieldpulse_sandbox.sandbox import Sandbox
from tap_fieldpulse.tap import TapFieldPulse
from tests.harness.messages import record_message, singer_lines, state_message
from tests.harness.processes import plugin_command, run_process
from tests.harness.tap_runner import select_streams
from tests.target.shared import CUSTOMERS, wait_until

Config = dict[str, Any]
CANARY = "Canary Name"
FACTS = RunFacts(account="42", requests_per_second=45, streams=[StreamFacts(name="jobs", server_count=2**70)])


@pytest.fixture
def tap_command(config: Config, tmp_path: Path) -> list[str]:
    """Return the command of a tap that reads customers and jobs, and has a history."""
    catalog = tmp_path / "catalog.json"
    streams = select_streams(TapFieldPulse(config={}, validate_config=False), ["customers", "jobs"])
    catalog.write_text(json.dumps(streams))
    config |= {"history_days": 90, "snapshot_url": f"sqlite:///{tmp_path}/snapshot.db", "page_size": 5}
    return plugin_command("tap_fieldpulse", config, tmp_path, "--catalog", str(catalog))


def recorded(url: str, store: str = "snapshot", last: int = 10) -> list[RecordedRun]:
    history = History(url, store=store)
    try:
        return history.runs(last)
    finally:
        history.close()


def last_run(folder: Path, store: str = "snapshot") -> RecordedRun:
    return recorded(f"sqlite:///{folder}/{store}.db", store)[0]


def record_run(url: str, facts: RunFacts = FACTS, *, days: int = 90) -> None:
    with RunRecorder("tap-fieldpulse", lambda: facts, store="ledger", store_url=url, keep_days=days):
        pass


def test_a_run_of_the_tap_is_recorded(sandbox: Sandbox, tap_command: list[str], tmp_path: Path) -> None:
    """Its history has what its log has: status, streams, verdicts, requests."""
    sandbox.add_fault(Fault("throttle", times=2))
    assert run_process(tap_command).returncode == 0
    run = last_run(tmp_path)
    assert (run.plugin, run.state, run.exit_status, run.reason) == ("tap-fieldpulse", "ended", 0, None)
    assert run.traffic.requests == len(sandbox.requests)
    assert (run.traffic.throttled, run.traffic.retries, run.traffic.failed) == (2, 2, 0)
    assert sum(requests for requests, _ in run.traffic.over_time) == len(sandbox.requests)
    assert 0 < (run.traffic.latency_p50 or 0) <= (run.traffic.latency_max or 0)
    assert [(stream.name, stream.records, stream.server_count, stream.verdict) for stream in run.streams] == [
        (name, len(sandbox.rows(name)), len(sandbox.rows(name)), "complete") for name in ("customers", "jobs")
    ]
    assert all(stream.bookmark and stream.ended_at for stream in run.streams)


def test_a_run_that_fails_has_its_reason_and_the_stream(
    sandbox: Sandbox, tap_command: list[str], tmp_path: Path
) -> None:
    """The reason is that of the log."""
    sandbox.key = "another"
    assert run_process(tap_command).returncode == 2
    run = last_run(tmp_path)
    assert (run.state, run.exit_status) == ("ended", 2)
    assert run.reason
    assert "rejected the API key" in run.reason


def test_outcomes_of_the_target_are_recorded(sandbox: Sandbox, target_config: Config, tmp_path: Path) -> None:
    """Counts by outcome and the open rejects; nothing of the records themselves."""
    records = [
        record_message("customers", external_id="1", first_name=CANARY),
        record_message("customers", external_id="2", first_name=CANARY, email="no address"),
    ]
    command = plugin_command("target_fieldpulse", target_config | {"history_days": 90}, tmp_path)
    assert run_process(command, singer_lines(CUSTOMERS, *records, state_message(1))).returncode == 1
    run = last_run(tmp_path, "ledger")
    assert (run.plugin, run.state, run.exit_status, run.open_rejects) == ("target-fieldpulse", "ended", 1, 1)
    assert run.account
    assert [(stream.name, stream.records, stream.outcomes) for stream in run.streams] == [
        ("customers", 2, {"created": 1, "rejected": 1})
    ]
    assert CANARY.encode() not in (tmp_path / "ledger-history.db").read_bytes()


@pytest.mark.parametrize(
    ("signal_number", "state", "status"), [(signal.SIGKILL, "vanished", None), (signal.SIGTERM, "ended", 143)]
)
def test_a_killed_run_is_found(
    sandbox: Sandbox, tap_command: list[str], tmp_path: Path, signal_number: int, state: str, status: int | None
) -> None:
    """The next command sees at once that its process is gone, and what it was doing."""
    begun = threading.Event()
    sandbox.on_request = lambda _: begun.set() if len(sandbox.requests) > 3 else None
    sandbox.add_fault(Fault("slow_response", seconds=20, skip=5, times=50))
    with subprocess.Popen(tap_command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            assert begun.wait(60)
            assert wait_for_run(tmp_path).state == "running"
        finally:
            process.send_signal(signal_number)
        process.wait()
        run = last_run(tmp_path)
    assert (run.state, run.exit_status) == (state, status)
    assert run.reason == ("Stopped by SIGTERM." if status else None)


def wait_for_run(folder: Path) -> RecordedRun:
    """Return the run once its begin is written."""
    for _ in range(600):
        runs = recorded(f"sqlite:///{folder}/snapshot.db")
        if runs:
            return runs[0]
        threading.Event().wait(0.05)
    raise TimeoutError


def test_a_store_that_cannot_be_written_ends_no_run(
    sandbox: Sandbox, tap_command: list[str], config: Config, tmp_path: Path
) -> None:
    """The run ends as it would without a history, and says once what is wrong."""
    (tmp_path / "file").write_text("")
    config |= {"snapshot_url": f"sqlite:///{tmp_path}/file/snapshot.db"}
    ended = run_process(plugin_command("tap_fieldpulse", config, tmp_path, *tap_command[-2:]))
    assert ended.returncode == 0
    assert ended.stderr.count("The history of this run is not complete: setting snapshot_url") == 1


def test_a_store_that_is_mended_gets_the_history(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A disk that was full for a minute does not make a run look as if it had vanished."""
    url, path = f"sqlite:///{tmp_path}/ledger.db", tmp_path / "ledger-history.db"
    path.mkdir()
    with RunRecorder("tap-fieldpulse", lambda: FACTS, store="ledger", store_url=url, keep_days=90):
        wait_until(lambda: "is not complete" in caplog.text)
        path.rmdir()
    (run,) = recorded(url, "ledger")
    assert (run.exit_status, [stream.name for stream in run.streams]) == (0, ["jobs"])


def test_a_store_that_does_not_answer_delays_no_run(tap_command: list[str], tmp_path: Path) -> None:
    """Another program holds the file for longer than the run takes."""
    assert run_process(tap_command).returncode == 0
    with closing(sqlite3.connect(tmp_path / "snapshot-history.db", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        ended = run_process(tap_command)
        other.execute("ROLLBACK")
    assert ended.returncode == 0
    assert "The history of this run is not complete: setting snapshot_url: it does not answer" in ended.stderr


def test_the_history_is_in_the_database_of_the_store(url: str) -> None:
    """In PostgreSQL in tables beside the others, with times as times; a count may be larger than any database holds."""
    record_run(url)
    run = recorded(url, "ledger")[0]
    assert run.streams[0].server_count == 2**63 - 1
    assert timedelta(0) <= now() - run.began_at < timedelta(minutes=5)
    engine = engine_of(history_url(url), store=STORE)
    columns = {column["name"]: str(column["type"]) for column in inspect(engine).get_columns(RUNS.name)}
    engine.dispose()
    assert columns["began_at"].startswith("TIMESTAMP" if url.startswith("postgresql") else "DATETIME")


def test_old_runs_go(tmp_path: Path) -> None:
    """A run deletes those that are older than `history_days`."""
    url = f"sqlite:///{tmp_path}/ledger.db"
    for _ in range(3):
        record_run(url)
    old, *_ = recorded(url, "ledger")
    engine = open_database(history_url(url), METADATA, store=STORE)
    with engine.begin() as connection:
        is_old = RUNS.c.run_id == old.run_id
        connection.execute(update(RUNS).where(is_old).values(began_at=now() - timedelta(days=8)))
    engine.dispose()
    record_run(url, days=7)
    runs = recorded(url, "ledger")
    assert len(runs) == 3
    assert old.run_id not in {run.run_id for run in runs}
    assert [len(run.streams) for run in runs] == [1, 1, 1]


def test_no_days_store_no_history(tmp_path: Path) -> None:
    """Nothing is written, and nothing is found."""
    url = f"sqlite:///{tmp_path}/ledger.db"
    record_run(url, days=0)
    assert recorded(url, "ledger") == []
    assert list(tmp_path.iterdir()) == []


def test_the_last_runs_come_first(tmp_path: Path) -> None:
    """At most as many as asked for; a beginning of an id finds its run."""
    url = f"sqlite:///{tmp_path}/ledger.db"
    for account in "abc":
        record_run(url, RunFacts(account=account, requests_per_second=1))
    runs = recorded(url, "ledger", last=2)
    assert [run.account for run in runs] == ["c", "b"]
    history = History(url, store="ledger")
    assert [run.account for run in history.runs(10, run_id=runs[1].run_id[:12])] == ["b"]
    assert history.runs(10, plugin="target-fieldpulse") == []
    history.close()


@pytest.mark.parametrize(
    ("names", "pipeline"),
    [
        ({}, "tap-fieldpulse"),
        ({"EXTRACTOR_NAME": "tap-fieldpulse--north"}, "tap-fieldpulse--north"),
        ({"EXTRACTOR_NAME": "tap-fieldpulse", "RUN_STATE_ID_SUFFIX": "north"}, "tap-fieldpulse:north"),
        ({"EXTRACTOR_NAME": "tap-csv", "LOADER_NAME": "target-fieldpulse"}, "tap-csv → target-fieldpulse"),
    ],
)
def test_a_pipeline_has_the_names_that_meltano_gives(
    names: dict[str, str], pipeline: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without Meltano, it has that of the plugin."""
    for variable in ("EXTRACTOR_NAME", "LOADER_NAME", "RUN_STATE_ID_SUFFIX"):
        monkeypatch.delenv(f"MELTANO_{variable}", raising=False)
    for variable, name in names.items():
        monkeypatch.setenv(f"MELTANO_{variable}", name)
    url = f"sqlite:///{tmp_path}/ledger.db"
    record_run(url)
    assert recorded(url, "ledger")[0].pipeline == pipeline


@pytest.mark.parametrize("path", ["/", "."])
def test_a_store_without_a_name_has_its_own_error(target_config: Config, tmp_path: Path, path: str) -> None:
    """The history beside it has no name either, and must not be what ends the run."""
    config = target_config | {"history_days": 90, "ledger_url": f"sqlite:///{path}"}
    result = run_process(plugin_command("target_fieldpulse", config, tmp_path), singer_lines(CUSTOMERS))
    assert result.returncode == 2
    assert "The ledger database cannot be opened (IsADirectoryError)" in result.stderr


def test_a_run_goes_on_where_no_thread_can_be_started(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The history says so, once, and is not written."""
    url = f"sqlite:///{tmp_path}/ledger.db"
    before = threading.stack_size(2**46)  # more memory than there is
    try:
        record_run(url)
    finally:
        threading.stack_size(before)
    assert caplog.text.count("is not complete: setting ledger_url: its thread cannot be started") == 1
    assert recorded(url, "ledger") == []
