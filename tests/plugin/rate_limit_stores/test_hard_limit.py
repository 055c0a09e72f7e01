"""Taps that share a key, against a server with a hard limit, while they are in trouble."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from fieldpulse_sandbox.sandbox import Sandbox
from tap_fieldpulse.tap import TapFieldPulse
from tests.harness.processes import plugin_command
from tests.harness.tap_runner import select_streams
from tests.target.shared import wait_until

LIMIT, PACE = 14, 9  # requests per second: a loaded machine sends few, and its server sees them late
SECONDS, TAPS = 4, 3


@pytest.mark.parametrize("store", ["file", "redis_url", "postgres"])
def test_taps_that_are_stopped_resumed_and_killed_stay_below_the_limit(
    store: str, key: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """What a process had reserved or was about to send when it was stopped does not come as a burst when it goes on."""
    order = random.Random(17)
    with Sandbox(customers=100, api_key=key, rate_limit=LIMIT, latency_ms=50) as sandbox, ExitStack() as stack:
        config = {
            "api_key": key,
            "api_url": sandbox.url,
            "page_size": 1,
            "requests_per_second": PACE,
            "history_days": 0,
        }
        config["rate_limit_store"] = store if store == "file" else request.getfixturevalue(store)
        catalog = tmp_path / "catalog.json"
        catalog.write_text(json.dumps(select_streams(TapFieldPulse(config={}, validate_config=False), ["customers"])))
        command = plugin_command("tap_fieldpulse", config, tmp_path, "--catalog", str(catalog))
        taps = [stack.enter_context(_tap(command, tmp_path)) for _ in range(TAPS)]
        wait_until(lambda: len(sandbox.requests) > 2 * TAPS)
        taps[0].kill()
        taps[0] = stack.enter_context(_tap(command, tmp_path))
        ends_at = time.monotonic() + SECONDS
        while time.monotonic() < ends_at:
            tap = order.choice(taps)
            tap.send_signal(signal.SIGSTOP)
            time.sleep(order.uniform(0.02, 0.4))
            tap.send_signal(signal.SIGCONT)
        sent = list(sandbox.requests)
    assert {tap.returncode for tap in taps} == {-signal.SIGKILL}, "a tap has ended by itself"
    assert len(sent) > SECONDS * PACE / 3
    assert [each.path for each in sent if each.status == 429] == []


@contextmanager
def _tap(command: list[str], folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a tap until the block is left; it reads a page for each customer."""
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder) as process:
        try:
            yield process
        finally:
            process.kill()
