"""The start of a command: answers without imports, signals while it imports, and those that come after the first."""

from __future__ import annotations

import platform
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from fieldpulse_cli.main import commands
from fieldpulse_plugin.start import ANSWER_WIDTH, ANSWERS
from fieldpulse_sandbox.sandbox import Sandbox
from tap_fieldpulse.tap import TapFieldPulse
from tests.harness.messages import singer_lines
from tests.harness.processes import run_process
from tests.harness.results import RunResult
from tests.target.shared import CUSTOMERS, numbered_customer, numbered_customers, running_target, wait_until

INTERRUPTED_AT_IMPORT = """
import os, signal
from fieldpulse_plugin.start import importing
with importing():
    print("importing", flush=True)
    os.kill(os.getpid(), signal.SIGINT)
"""
INTERRUPTED_LATER = """
import os, signal
from fieldpulse_plugin.start import importing
with importing():
    pass
try:
    os.kill(os.getpid(), signal.SIGINT)
except KeyboardInterrupt:
    print("cleaned up")
"""
ANSWERED_WITHOUT_MODULES = """
import runpy, sys
sys.modules["singer_sdk"] = sys.modules["sqlalchemy"] = None  # an import of them fails
runpy.run_module("{package}", run_name="__main__", alter_sys=True)
"""
INTERRUPTED_COMMAND = """
import os, runpy, signal, sys
class Interrupt:
    def find_spec(self, name, path, target=None):
        if name == "httpx":
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Interrupt())
sys.argv = sys.argv[1:]
runpy.run_module(sys.argv[0], run_name="__main__")
"""
ARENAS_OF_THREADS = """
import ctypes, os, runpy, sys, threading
def allocate():
    buffer = bytearray(50_000)
    have_allocated.wait()
def print_arenas():
    for _ in range(8):
        threading.Thread(target=allocate).start()
    have_allocated.wait()
    libc = ctypes.CDLL(None)
    libc.fdopen.restype = ctypes.c_void_p
    output = ctypes.c_void_p(libc.fdopen(1, b"w"))
    libc.malloc_info(0, output)
    libc.fflush(output)
    os._exit(0)
class AtFirstImport:
    def find_spec(self, name, path, target=None):
        if name == "singer_sdk":
            print_arenas()
have_allocated = threading.Barrier(9)
sys.meta_path.insert(0, AtFirstImport())
runpy.run_module("{package}", run_name="__main__", alter_sys=True)
"""
MORE_SIGNALS = """
import os, signal
from fieldpulse_plugin.exit_codes import EndedBySignal, end_by_signal
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, end_by_signal)
try:
    os.kill(os.getpid(), signal.SIGTERM)
except EndedBySignal:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        os.kill(os.getpid(), number)
    print("closed")
"""


@pytest.mark.parametrize(
    ("program", "status", "output"),
    [
        (INTERRUPTED_AT_IMPORT, -signal.SIGINT, "importing\n"),
        (INTERRUPTED_LATER, 0, "cleaned up\n"),
        (MORE_SIGNALS, 0, "closed\n"),
    ],
    ids=["at import", "later", "more signals"],
)
def test_an_interrupt_prints_no_traceback(program: str, status: int, output: str) -> None:
    """A runner and a terminal may both send signals, within milliseconds: the first one counts."""
    ended = run_process([sys.executable, "-c", program])
    assert (ended.returncode, ended.stdout, ended.stderr) == (status, output, "")


@pytest.mark.parametrize("command", ["tap_fieldpulse --discover", "target_fieldpulse", "fieldpulse_cli status --help"])
def test_an_interrupted_command_prints_no_traceback(command: str) -> None:
    """It is interrupted while it imports what it needs."""
    ended = run_process([sys.executable, "-c", INTERRUPTED_COMMAND, *command.split()])
    assert (ended.returncode, ended.stdout, ended.stderr) == (-signal.SIGINT, "", "")


@pytest.mark.parametrize("arguments", ANSWERS, ids=" ".join)
@pytest.mark.parametrize(("package", "command"), [("tap_fieldpulse", TapFieldPulse.cli), ("fieldpulse_cli", commands)])
def test_a_question_about_a_command_is_answered_without_its_modules(
    package: str,
    command: click.Command,
    arguments: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The answer is the text that the command itself prints, which a narrow terminal gets."""
    monkeypatch.setenv("COLUMNS", str(ANSWER_WIDTH))
    with pytest.raises(SystemExit) as full:
        command.main(list(arguments), prog_name=f"python -m {package}")
    printed = capsys.readouterr().out
    program = ANSWERED_WITHOUT_MODULES.format(package=package)
    ended = run_process([sys.executable, "-c", program, *arguments])
    if full.value.code:
        assert ended.returncode != 0  # `fieldpulse` has no --about
    else:
        assert (ended.stdout, ended.stderr) == (printed, "")


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has arenas")
@pytest.mark.parametrize("package", ["tap_fieldpulse", "target_fieldpulse"])
def test_all_threads_allocate_from_one_arena(package: str) -> None:
    """Each arena more would be left with the holes of other pages."""
    ended = run_process([sys.executable, "-c", ARENAS_OF_THREADS.format(package=package), "--discover"])
    assert ended.stdout.count("<heap nr=") == 1


def test_a_question_is_answered_the_long_way_on_a_narrow_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its lines are shorter there."""
    monkeypatch.setenv("COLUMNS", "60")
    ended = run_process([sys.executable, "-m", "tap_fieldpulse", "--help"])
    assert max(map(len, ended.stdout.splitlines())) <= 60


@pytest.fixture
def without_nohup() -> Iterator[None]:
    """Let processes that are started take SIGHUP, also where `nohup` runs the tests."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.usefixtures("without_nohup")
def test_the_end_of_the_terminal_closes_a_run(sandbox: Sandbox, target_config: dict[str, Any], tmp_path: Path) -> None:
    """SIGHUP is handled as SIGTERM is: the run ends with its sum, and the next one need not look for its creates."""
    config = target_config | {"requests_per_second": 20}
    messages = singer_lines(CUSTOMERS, *map(numbered_customer, range(60)))
    with running_target(config, messages, tmp_path) as process:
        wait_until(lambda: numbered_customers(sandbox))
        process.send_signal(signal.SIGHUP)
        assert process.stderr
        errors = process.stderr.read()
    assert process.returncode == 128 + signal.SIGHUP
    assert "Stopped by SIGHUP." in errors
    assert RunResult("", errors).counts["created"] == len(numbered_customers(sandbox))
