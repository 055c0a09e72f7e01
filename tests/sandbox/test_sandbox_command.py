"""The command: what it prints, how it serves, how it ends."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import fieldpulse_sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(fieldpulse_sandbox.__file__).parent.parent


@contextmanager
def _running(*options: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-W", "error", "-m", "fieldpulse_sandbox", "--port", "0", "--customers", "5", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT) as process:
        try:
            yield process
        finally:
            process.kill()


def _get(url: str) -> int:
    request = urllib.request.Request(f"{url}/jobs?limit=1", headers={"x-api-key": "k"})
    with urllib.request.urlopen(request, timeout=10) as reply:
        return int(reply.status)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_the_command_serves_prints_each_request_and_ends_cleanly(number: signal.Signals) -> None:
    """It says that it is a belief, prints a line for each request, and exits with 0 and no complaint."""
    with _running("--api-key", "k") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        first = process.stdout.readline()
        assert "not the API" in first
        assert "key=k" in first
        url = re.findall(r"http://127\.0\.0\.1:\d+", first)[0]
        assert _get(url) == 200
        assert re.fullmatch(r"GET /jobs\?limit=1 200 \d+\.\d ms\n", process.stdout.readline())
        process.send_signal(number)
        assert process.wait(timeout=10) == 0
        assert process.stdout.read() == ""
        assert process.stderr.read() == ""


def test_the_quiet_command_prints_no_requests() -> None:
    """With --quiet there is only the first line."""
    with _running("--api-key", "k", "--quiet") as process:
        assert process.stdout is not None
        url = re.findall(r"http://127\.0\.0\.1:\d+", process.stdout.readline())[0]
        assert _get(url) == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=10) == 0
        assert process.stdout.read() == ""


def test_a_port_in_use_is_said_in_one_line() -> None:
    """A second sandbox on the same port ends with a message, not a traceback."""
    with _running("--api-key", "k") as process:
        assert process.stdout is not None
        port = re.findall(r"127\.0\.0\.1:(\d+)", process.stdout.readline())[0]
        with _running("--port", port) as second:
            assert second.wait(timeout=10) == 1
            assert second.stderr is not None
            assert re.fullmatch(r"fieldpulse-sandbox: cannot listen on .*\n", second.stderr.read())
