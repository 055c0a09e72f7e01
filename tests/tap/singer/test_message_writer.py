"""What leaves the tap while its output is full, as of a slow loader: whole lines, and in order."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import termios
from pathlib import Path
from typing import Any

import pytest

from tap_fieldpulse.tap import TapFieldPulse
from tests.harness.processes import plugin_command
from tests.harness.tap_runner import select_streams
from tests.target.shared import wait_until

PIPE_BYTES = 1 << 16
FULL = PIPE_BYTES * 3 // 4  # a line that does not fit waits whole


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_signal_leaves_whole_lines(config: dict[str, Any], tmp_path: Path, unbuffered: str) -> None:
    """A line that is cut would be an error of the loader, which says nothing of the signal. Containers unbuffer."""
    catalog = tmp_path / "catalog.json"
    catalog.write_text(json.dumps(select_streams(TapFieldPulse(config={}, validate_config=False), ["customers"])))
    line = plugin_command("tap_fieldpulse", config | {"page_size": 5}, tmp_path, "--catalog", str(catalog))
    environment = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment) as process:
        assert process.stdout
        descriptor = process.stdout.fileno()
        wait_until(lambda: waiting_bytes(descriptor) >= FULL)
        process.send_signal(signal.SIGTERM)
        output = process.stdout.read()
    assert process.returncode == 128 + signal.SIGTERM
    assert len(output) > FULL
    records = [message for message in map(json.loads, output.splitlines()) if message["type"] == "RECORD"]
    ids = [message["record"]["id"] for message in records]
    assert ids == sorted(set(ids))
    assert output.endswith(b"\n")


def waiting_bytes(descriptor: int) -> int:
    """Return how many bytes wait in a pipe."""
    return int.from_bytes(fcntl.ioctl(descriptor, termios.FIONREAD, bytes(4)), "little")
