"""Signals at the start of a command, and those that come after the first."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fieldpulse_sandbox.sandbox import Sandbox
from tests.harness.messages import singer_lines
from tests.harness.processes import run_process
from tests.harness.results import RunResult
from tests.target.shared import CUSTOMERS, numbered_customer, numbered_customers, running_target, wait_until

INTERRUPTED_AT_IMPORT = """
import os, signal
from fieldpulse_plugin.start import quiet_interrupts
with quiet_interrupts():
    print("importing", flush=True)
    os.kill(os.getpid(), signal.SIGINT)
"""
INTERRUPTED_LATER = """
import os, signal
from fieldpulse_plugin.start import quiet_interrupts
with quiet_interrupts():
    pass
try:
    os.kill(os.getpid(), signal.SIGINT)
except KeyboardInterrupt:
    print("cleaned up")
"""
INTERRUPTED_COMMAND = """
import os, runpy, signal, sys
class Interrupt:
    def find_spec(self, name, path, target=None):
        if name == "httpx":
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Interrupt())
sys.argv = [sys.argv[1], "--help"]
runpy.run_module(sys.argv[0], run_name="__main__")
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


@pytest.mark.parametrize("package", ["tap_fieldpulse", "target_fieldpulse", "fieldpulse_cli"])
def test_an_interrupted_command_prints_no_traceback(package: str) -> None:
    """It is interrupted while it imports what it needs."""
    ended = run_process([sys.executable, "-c", INTERRUPTED_COMMAND, package])
    assert (ended.returncode, ended.stdout, ended.stderr) == (-signal.SIGINT, "", "")


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
