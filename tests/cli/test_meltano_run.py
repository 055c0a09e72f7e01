"""`fieldpulse meltano`. A script writes what Meltano 4.4.1 was seen to write; `make accounts` runs the real Meltano."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from fieldpulse_api.errors import ConfigError
from fieldpulse_cli.main import commands

FAILED = '{"err": "Extractor failed", "exit_codes": %s, "event": "Block run completed", "level": "error"}'
LOCKED = (
    '{"err": "Another \'dev:tap-to-target\' pipeline is already running which started at 2026-11-30 00:29:36+00:00. '
    "Wait until 2026-11-30 00:34:39.687646+00:00 when the job will be automatically cancelled if stale, or ignore this "
    'check using the \'--force\' option.", "exit_codes": {}, "event": "Block run completed", "level": "error"}'
)
NO_CATALOG = (
    "{\"err\": \"Cannot start plugin tap: Catalog discovery failed: command ['tap', '--discover'] returned 2 with "
    'stderr:\\n ", "exit_codes": {}, "event": "Block run completed", "level": "error"}'
)
GROUP = """#!{python}
import os, signal, subprocess, sys, time
plugin = '''
import pathlib, signal, sys, time
def end(*_):
    time.sleep(0.5)
    pathlib.Path("plugin").write_text("has ended")
    sys.exit(143)
signal.signal(signal.SIGTERM, end)
print("ready", flush=True)
time.sleep(60)
'''
child = subprocess.Popen([sys.executable, "-c", plugin], stdout=subprocess.PIPE)
child.stdout.readline()
print("started", flush=True)
signal.signal(signal.SIGTERM, lambda *_: os._exit(1))  # at once, without its plugin
time.sleep(60)
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the only folder of PATH, beside those of the system."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.delenv("MELTANO_CLI_LOG_FORMAT", raising=False)
    return tmp_path


def write_meltano(folder: Path, text: str) -> None:
    path = folder / "meltano"
    path.write_text(text)
    path.chmod(0o700)


def ended_by(folder: Path, lines: Sequence[str], status: int = 1) -> Result:
    """Run a Meltano that logs these lines and ends with a status."""
    (folder / "log").write_text("".join(f"{line}\n" for line in lines))
    write_meltano(folder, f'#!/bin/sh\necho "$@" > arguments\ncat log >&2\nexit {status}\n')
    return CliRunner().invoke(commands, ["meltano", "run", "tap", "target"], standalone_mode=False)


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        ([FAILED % '{"extractors": 3}'], 3),
        ([FAILED % '{"loaders": 4}'], 4),
        ([FAILED % '{"extractors": 1, "loaders": 2}'], 2),
        ([FAILED % '{"extractors": 3, "loaders": 4}'], 4),
        ([FAILED % '{"extractors": 4, "loaders": 1}'], 4),
        ([FAILED % '{"extractors": 1, "loaders": -9}'], 137),
        ([FAILED % '[{"map-x": 1}]'], 1),
        (['{"err": "", "exit_codes": {}, "event": "Block run completed"}', FAILED % '{"loaders": 3}'], 3),
        ([LOCKED], 4),
        ([NO_CATALOG], 2),
        (["Error: Block tap not found"], 1),
        ([FAILED % '"nonsense"'], 1),
        (["[1, 2]", "{", "null", '{"event": 1}'], 1),
    ],
)
def test_the_status_is_that_of_the_plugin(folder: Path, lines: list[str], status: int) -> None:
    """Meltano's own is 1 in all of these cases."""
    assert ended_by(folder, lines).return_value == status


@pytest.mark.parametrize("status", [0, 2, 3])
def test_another_status_of_meltano_is_its_own(folder: Path, status: int) -> None:
    """`meltano invoke` ends with the plugin's status, and a successful run with 0."""
    assert ended_by(folder, ['{"event": "Run completed"}'], status).return_value == status


@pytest.mark.parametrize("option", [["--state-id-suffix", "north"], ["--state-id-suffix=north"]])
def test_plugins_know_the_suffix_of_the_state_id(
    folder: Path, monkeypatch: pytest.MonkeyPatch, option: list[str]
) -> None:
    """The history tells accounts apart by it. Meltano hands its plugins no option, but its environment."""
    monkeypatch.setenv("MELTANO_RUN_STATE_ID_SUFFIX", "of another run")
    write_meltano(folder, '#!/bin/sh\necho "$*: $MELTANO_RUN_STATE_ID_SUFFIX" > seen\n')
    CliRunner().invoke(commands, ["meltano", "run", *option, "tap", "target"], standalone_mode=False)
    assert (folder / "seen").read_text() == f"--log-format json run {' '.join(option)} tap target: north\n"


def test_the_log_is_text_and_in_json_if_asked(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The plugin that wrote a line is named in it."""
    line = '{"event": "3 rows", "string_id": "tap", "level": "info", "timestamp": "2026-11-30T00:29:32.179850Z"}'
    assert ended_by(folder, [line, "plain"], 0).stderr == "2026-11-30T00:29:32Z info     tap: 3 rows\nplain\n"
    assert (folder / "arguments").read_text() == "--log-format json run tap target\n"
    monkeypatch.setenv("MELTANO_CLI_LOG_FORMAT", "json")
    assert ended_by(folder, [line, "plain"], 0).stderr == f"{line}\nplain\n"


def test_a_log_without_json_is_reported(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A `logging.yaml` of the project decides about the log; the status is then Meltano's."""
    assert ended_by(folder, ["failed"]).return_value == 1
    assert "not JSON" in caplog.text


def test_meltano_is_missing(folder: Path) -> None:
    """The error says where it was looked for."""
    assert not (folder / "meltano").exists()
    error: Any = CliRunner().invoke(commands, ["meltano", "run"], standalone_mode=False).exception
    assert isinstance(error, ConfigError)
    assert error.where == "PATH"


def test_a_signal_ends_the_plugins_too_and_is_waited_for(folder: Path) -> None:
    """Meltano ends before its plugin, which a container would then kill."""
    write_meltano(folder, GROUP.format(python=sys.executable))
    process = subprocess.Popen(
        [sys.executable, "-m", "fieldpulse_cli", "meltano", "run"],
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
        text=True,
    )
    assert process.stdout
    with process.stdout as output:
        assert output.readline() == "started\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 128 + signal.SIGTERM
    assert (folder / "plugin").read_text() == "has ended"
