"""How a process ends: one ERROR record, an exit status, and databases that are whole."""

from __future__ import annotations

import json
import logging
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest

from fieldpulse_api.errors import ConfigError
from fieldpulse_plugin.exit_codes import EndedBySignal, report_error
from fieldpulse_sandbox.faults.fault import Fault
from fieldpulse_sandbox.sandbox import Sandbox
from tap_fieldpulse.tap import TapFieldPulse
from tests.harness.messages import record_message, schema_message, singer_lines
from tests.harness.processes import plugin_command, run_process
from tests.harness.tap_runner import select_streams

Config = dict[str, Any]
STRUCTURED = """
version: 1
disable_existing_loggers: false
formatters: {json: {(): singer_sdk.logging.StructuredFormatter}}
handlers: {stderr: {class: logging.StreamHandler, formatter: json, stream: ext://sys.stderr}}
root: {level: INFO, handlers: [stderr]}
"""


_SIGNAL_IN_A_FINALIZER = """
import os, signal, time
import click
from fieldpulse_plugin.exit_codes import end_by_signal, run

class Finalized:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0)  # the handler runs here

@click.command()
def command():
    signal.signal(signal.SIGTERM, end_by_signal)
    Finalized()
    time.sleep(30)

run(command)
"""


def test_a_signal_that_comes_in_a_finalizer_is_not_lost() -> None:
    """Python drops an exception that is raised while it collects garbage, and prints a traceback."""
    result = run_process([sys.executable, "-c", _SIGNAL_IN_A_FINALIZER])
    assert result.returncode == 128 + signal.SIGTERM
    assert "Traceback" not in result.stderr


@pytest.fixture
def catalog(tmp_path: Path) -> list[str]:
    """Return the arguments that select one stream."""
    path = tmp_path / "catalog.json"
    path.write_text(
        json.dumps(select_streams(TapFieldPulse(config={}, validate_config=False), ["customers", "deleted_rows"]))
    )
    return ["--catalog", str(path)]


@pytest.fixture
def snapshot(tmp_path: Path) -> Path:
    """Return the path of a snapshot."""
    return tmp_path / "stores" / "snapshot.db"


def tracking(config: Config, snapshot: Path) -> Config:
    return config | {"snapshot_url": f"sqlite:///{snapshot}", "detect_deletes": True}


def assert_is_closed(database: Path) -> None:
    """Assert that everything is in the database file, and nothing in the write-ahead log beside it."""
    assert not database.with_name(f"{database.name}-wal").exists()
    connection = sqlite3.connect(database)
    assert connection.execute("select count(*) from sqlite_master where type = 'table'").fetchone() != (0,)
    connection.close()


def test_structured_logging_has_one_error_record_with_three_parts(
    config: Config, tmp_path: Path, catalog: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Meltano reads these records; the SDK's own says only that an error occurred."""
    path = tmp_path / "logging.yml"
    path.write_text(STRUCTURED)
    monkeypatch.setenv("SINGER_SDK_LOG_CONFIG", str(path))
    ended = run_process(plugin_command("tap_fieldpulse", config | {"api_key": "wrong"}, tmp_path, *catalog))
    records = [json.loads(line) for line in ended.stderr.splitlines()]
    (error,) = [record for record in records if record["level"] == "error"]
    assert ended.returncode == 2
    assert set(error["extra"]) == {"what", "where", "hint"}
    assert all(part in error["message"] for part in error["extra"].values())


def test_a_person_sees_the_three_parts_on_three_lines(config: Config, tmp_path: Path, catalog: list[str]) -> None:
    """What happened, where, and what to do."""
    ended = run_process(plugin_command("tap_fieldpulse", config | {"api_key": "wrong"}, tmp_path, *catalog))
    what, where, hint = ended.stderr.splitlines()[-3:]
    assert "ERROR" in what
    assert where.startswith("  where: ")
    assert hint.startswith("  do:    ")
    assert ended.stderr.count("ERROR") == 1


def test_a_normal_run_logs_what_a_person_needs(config: Config, tmp_path: Path, catalog: list[str]) -> None:
    """The result of the selected stream, without the SDK's metrics and its list of deselected streams."""
    ended = run_process(plugin_command("tap_fieldpulse", config, tmp_path, *catalog))
    lines = [line for line in ended.stderr.splitlines() if " INFO " in line]
    assert len(lines) <= 3
    assert "customers: " in lines[-2]
    assert "Run finished: streams=1" in lines[-1]


def test_debug_level_shows_the_records_of_the_sdk(
    config: Config, tmp_path: Path, catalog: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Metrics are hidden at INFO, not lost."""
    monkeypatch.setenv("LOGLEVEL", "DEBUG")
    ended = run_process(plugin_command("tap_fieldpulse", config, tmp_path, *catalog))
    assert "METRIC" in ended.stderr


def test_a_bug_is_called_one_and_has_its_traceback_at_debug(caplog: pytest.LogCaptureFixture) -> None:
    """An error that is not ours is ours to repair."""
    email = "jane@" + "example.com"
    with caplog.at_level(logging.DEBUG):
        with pytest.raises(KeyError) as caught:
            {}[email]
        assert report_error(caught.value) == 1
    (error_record,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    (debug_record,) = [record for record in caplog.records if record.levelno == logging.DEBUG]
    assert "Unexpected error: KeyError. This is a bug in singer-fieldpulse." in error_record.getMessage()
    assert "LOGLEVEL=DEBUG" in error_record.getMessage()
    assert "test_exit_codes.py" in debug_record.getMessage()
    assert "jane" not in caplog.text


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ConfigError("a", where="b", hint="c"), 2),
        (click.UsageError("No such option"), 2),
        (FileNotFoundError(2, "No such file", "catalog.json"), 2),
        (BrokenPipeError(), 1),
        (OSError(28, "No space left on device"), 1),
        (ValueError("x"), 1),
        (MemoryError(), 1),
        (RuntimeError("can't start new thread"), 1),
    ],
    ids=repr,
)
def test_every_error_has_a_status_and_one_error_record(
    error: BaseException, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    """Also one whose error comes from click or the operating system."""
    with pytest.raises(type(error)) as caught:
        raise error
    assert report_error(caught.value) == status
    assert [(record.levelname, hasattr(record, "hint")) for record in caplog.records] == [("ERROR", True)]


@pytest.mark.parametrize(("error", "status"), [(EndedBySignal(signal.SIGTERM), 143), (KeyboardInterrupt(), 130)])
def test_a_signal_is_a_warning(error: BaseException, status: int, caplog: pytest.LogCaptureFixture) -> None:
    """For a server it is the usual end."""
    assert report_error(error) == status
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_an_exit_with_a_status_is_not_reported_again(caplog: pytest.LogCaptureFixture) -> None:
    """What raised it has explained it."""
    assert report_error(SystemExit(3)) == 3
    assert not caplog.records


def test_the_snapshot_is_closed_when_the_tap_ends(
    config: Config, tmp_path: Path, catalog: list[str], snapshot: Path
) -> None:
    """A copy of the file alone is complete."""
    ended = run_process(plugin_command("tap_fieldpulse", tracking(config, snapshot), tmp_path, *catalog))
    assert ended.returncode == 0
    assert_is_closed(snapshot)


def test_the_snapshot_is_closed_when_a_signal_ends_the_tap(
    sandbox: Sandbox, config: Config, tmp_path: Path, catalog: list[str], snapshot: Path
) -> None:
    """Although a request hangs in another thread."""
    sandbox.add_fault(Fault("slow_response", path="/customers", skip=3, seconds=60, times=9))
    command = plugin_command("tap_fieldpulse", tracking(config, snapshot) | {"page_size": 5}, tmp_path, *catalog)
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout
        for _ in range(3):
            process.stdout.readline()
        process.terminate()
        _, stderr = process.communicate(timeout=20)
    assert process.returncode == 143
    assert "Stopped by SIGTERM" in stderr
    assert_is_closed(snapshot)


@pytest.mark.parametrize("input_kind", ["valid", "malformed"])
def test_the_ledger_is_closed_when_the_target_ends(target_config: Config, tmp_path: Path, input_kind: str) -> None:
    """Also after an error."""
    lines = singer_lines(
        schema_message("tags", "external_id", "title"), record_message("tags", external_id="t", title="Tag")
    )
    lines += "no JSON\n" if input_kind == "malformed" else ""
    ended = run_process(plugin_command("target_fieldpulse", target_config, tmp_path), lines)
    assert (ended.returncode == 0) == (input_kind == "valid")
    assert_is_closed(tmp_path / "ledger.db")


@pytest.mark.parametrize("is_structured", [False, True], ids=["console", "JSON"])
def test_nothing_steers_a_terminal_or_forges_a_line(
    sandbox: Sandbox,
    target_config: Config,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    is_structured: bool,
) -> None:
    """Names of properties and keys, and the server's words, come from others: escape codes, line feeds, bidi marks."""
    evil = "x\x1b[2J\u202e\x9b31m\r\nERROR forged"
    sandbox.add_fault(Fault("error_status", method="POST", status=503))
    messages = (
        schema_message("customers", "external_id", "first_name", evil),
        record_message("customers", external_id=f"a{evil[6:]}", first_name="Ann"),
        record_message("customers", external_id="b\u202ec", first_name=["Ann"]),
        schema_message(f"s{evil}", "id"),
    )
    if is_structured:
        (tmp_path / "log.yml").write_text(STRUCTURED)
        monkeypatch.setenv("SINGER_SDK_LOG_CONFIG", str(tmp_path / "log.yml"))
    ended = run_process(plugin_command("target_fieldpulse", target_config, tmp_path), singer_lines(*messages))
    lines = ended.stderr.splitlines()
    logged = [json.loads(line)["message"] for line in lines] if is_structured else lines
    assert any("cannot be written" in line for line in logged)
    assert ended.returncode == 2
    assert [line for line in logged if not line.isprintable()] == []
    assert not [line for line in logged if line.startswith("ERROR forged")]
