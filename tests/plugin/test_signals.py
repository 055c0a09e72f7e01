"""SIGTERM ends a plugin soon, whatever it waits for: a store, the server, a pause, a reader, its input."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from fieldpulse_sandbox.faults.fault import Fault
from fieldpulse_sandbox.sandbox import Sandbox
from fieldpulse_sandbox.server.recorded_request import RecordedRequest
from tap_fieldpulse.tap import TapFieldPulse
from tests.harness.messages import Message, singer_lines, state_message
from tests.harness.processes import plugin_command
from tests.harness.silent_stores import silent_store
from tests.harness.tap_runner import select_streams
from tests.target.shared import CUSTOMERS, numbered_customer, numbered_customers, posts, wait_until

MAX_SECONDS = 20
MANY = 1_000_000
PIPE_BYTES = 65_536


class Plugin:
    """A plugin as a process, with its log. Its input never ends; its output is read if `is_read`."""

    def __init__(self, command: list[str], text: str = "", *, is_read: bool = True) -> None:
        self.log = ""
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert self.process.stdout
        works = [self._read_log, lambda: self._write(text), *([self.process.stdout.read] if is_read else [])]
        self._threads = [threading.Thread(target=work) for work in works]
        for thread in self._threads:
            thread.start()

    def wait(self) -> None:
        """Wait for the end of the process, and of its log."""
        self.process.wait(2 * MAX_SECONDS)
        self._threads[0].join()

    def close(self) -> None:
        """End the process, if it still runs."""
        self.process.kill()
        for thread in self._threads:
            thread.join()
        with suppress(BrokenPipeError), self.process:  # this closes its pipes
            pass

    def _read_log(self) -> None:
        assert self.process.stderr
        for line in self.process.stderr:
            self.log += line

    def _write(self, text: str) -> None:
        assert self.process.stdin
        with suppress(BrokenPipeError):  # the process has ended
            self.process.stdin.write(text)
            self.process.stdin.flush()


@pytest.fixture
def sandboxes() -> Iterator[Callable[..., Sandbox]]:
    """Return a function that starts an account with faults, for one plugin."""
    with ExitStack() as started:

        def start(*faults: Fault) -> Sandbox:
            sandbox = started.enter_context(Sandbox(customers=30))
            for fault in faults:
                sandbox.add_fault(fault)
            return sandbox

        yield start


def config_of(sandbox: Sandbox, folder: Path, **settings: Any) -> dict[str, Any]:
    folder.mkdir(exist_ok=True)
    files = {"ledger_url": f"sqlite:///{folder}/ledger.db", "rejects_path": str(folder / "rejects.singer")}
    return {"api_key": sandbox.key, "api_url": sandbox.url, "rate_limit_store": "memory", **files, **settings}


def target(sandbox: Sandbox, folder: Path, *messages: Message, is_read: bool = True, **settings: Any) -> Plugin:
    config = config_of(sandbox, folder, uncertain_create_timeout_seconds=600, **settings)
    text = singer_lines(CUSTOMERS, *messages) if messages else ""
    return Plugin(plugin_command("target_fieldpulse", config, folder), text, is_read=is_read)


def tap(sandbox: Sandbox, folder: Path, *, is_read: bool = True, **settings: Any) -> Plugin:
    config = {
        name: value
        for name, value in config_of(sandbox, folder, **settings).items()
        if name not in ("ledger_url", "rejects_path")
    }
    catalog = folder / "catalog.json"
    catalog.write_text(
        json.dumps(select_streams(TapFieldPulse(config={}, validate_config=False), ["customers", "deleted_rows"]))
    )
    return Plugin(plugin_command("tap_fieldpulse", config, folder, "--catalog", str(catalog)), is_read=is_read)


def assert_all_end(plugins: dict[str, Plugin]) -> None:
    """Send all plugins SIGTERM, and assert that they end in time, with their status and closing line."""
    began_at = time.monotonic()
    for plugin in plugins.values():
        plugin.process.send_signal(signal.SIGTERM)
    for name, plugin in plugins.items():
        plugin.wait()
        print(f"{name}: {time.monotonic() - began_at:.1f} s: {plugin.log.splitlines()[-1]}")  # noqa: T201
        assert time.monotonic() - began_at < MAX_SECONDS, name
        assert plugin.process.returncode == 128 + signal.SIGTERM, (name, plugin.log)
        assert "Stopped by SIGTERM" in plugin.log, name
        assert "Traceback" not in plugin.log, (name, plugin.log)
        assert re.search(r"read \d+ = |Run stopped early: ", plugin.log) or name == "no input", (name, plugin.log)


def test_sigterm_ends_a_plugin_whatever_it_waits_for(
    sandboxes: Callable[..., Sandbox], postgres: str, tmp_path: Path
) -> None:
    """All of them wait at the same time, so that the test takes as long as the slowest."""
    quiet, unread, ledgers = sandboxes(), sandboxes(), {name: sandboxes() for name in ("silent", "locked")}
    slow = sandboxes(Fault("slow_response", method="POST", seconds=600, times=MANY))
    lost = sandboxes(Fault("dropped_connection", method="POST"))
    throttle = Fault("throttle_past_reset", path="/customers*", times=MANY)
    records = [message for number in range(400) for message in (numbered_customer(number), state_message(number))]
    large_states = [record for number in range(20) for record in (numbered_customer(number), large_state(number))]
    stores = {"silent": postgres, "locked": f"sqlite:///{tmp_path}/ledger.db"}
    snapshots = stores | {"locked": f"sqlite:///{tmp_path}/snapshot.db"}
    snapshot_servers = {name: sandboxes() for name in stores}
    is_silent, has_asked = threading.Event(), {name: threading.Event() for name in stores}
    for name, server in snapshot_servers.items():
        server.on_request = partial(hold_customers, has_asked[name], is_silent)
    plugins = {
        "unread": target(unread, tmp_path / "a", *large_states, is_read=False),
        "no answer": target(slow, tmp_path / "b", *records),
        "uncertain": target(lost, tmp_path / "c", numbered_customer(1)),
        "no input": target(quiet, tmp_path / "d"),
        "idle input": target(quiet, tmp_path / "e", numbered_customer(1)),
        "tap unread": tap(sandboxes(), tmp_path / "f", is_read=False),
    }
    for name, url in stores.items():
        server, folder = ledgers[name], tmp_path / f"ledger-{name}"
        plugins[name] = target(server, folder, *records, ledger_url=url, requests_per_second=10)
        server, folder = snapshot_servers[name], tmp_path / f"snapshot-{name}"
        plugins[f"tap {name}"] = tap(server, folder, detect_deletes=True, snapshot_url=snapshots[name])
    with ExitStack() as resources:
        for plugin in plugins.values():
            resources.callback(plugin.close)
        for name in stores:
            wait_until(has_asked[name].is_set)
            wait_until(lambda name=name: len(numbered_customers(ledgers[name])) > 2)  # type: ignore[misc]
        for url in {*stores.values(), *snapshots.values()}:
            resources.enter_context(silent_store(url))
        is_silent.set()
        plugins["throttled"] = target(sandboxes(throttle), tmp_path / "g", *records)
        plugins["tap throttled"] = tap(sandboxes(throttle), tmp_path / "h")
        for name in ("throttled", "tap throttled"):
            resources.callback(plugins[name].close)
        for name in stores:
            wait_until(lambda name=name: "Waiting for the ledger" in plugins[name].log)  # type: ignore[misc]
            wait_until(lambda name=name: "Waiting for the snapshot" in plugins[f"tap {name}"].log)  # type: ignore[misc]
        wait_until(lambda: posts(slow) and numbered_customers(quiet) and numbered_customers(unread))
        wait_until(lambda: "may still happen" in plugins["uncertain"].log)
        wait_until(lambda: "again in" in plugins["throttled"].log and "again in" in plugins["tap throttled"].log)
        assert_all_end(plugins)


def hold_customers(has_asked: threading.Event, until: threading.Event, request: RecordedRequest) -> None:
    """Hold a tap's first page of customers, so that nothing of it is in its snapshot yet."""
    if request.path == "/customers":
        has_asked.set()
        until.wait(120)


def large_state(number: int) -> Message:
    """Return a STATE that fills a pipe."""
    return {"type": "STATE", "value": {"bookmarks": number, "text": "x" * PIPE_BYTES}}
