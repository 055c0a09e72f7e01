"""The plugins as real processes, killed by a signal at a seeded moment.

Each is forked from a process that has the modules loaded, so that it starts at once.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import sys
import threading
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from fieldpulse_sandbox.sandbox import Sandbox
from fieldpulse_sandbox.server.recorded_request import RecordedRequest
from tests.harness.results import RunResult

from .plugins import Message, catalog_of

Config = dict[str, Any]
_TIMEOUT_SECONDS = 100


@dataclass
class Kill:
    """The signal that ends a process, `seconds` after its request number `after` has arrived."""

    signal: str
    sandbox: Sandbox
    after_requests: int
    seconds: float

    def run_until_killed(self, process: BaseProcess) -> None:
        """Run the process until the signal, or until it ends by itself."""
        left = self.after_requests

        def watch(_: RecordedRequest) -> None:
            nonlocal left
            left -= 1
            if left == 0:
                threading.Timer(self.seconds, end).start() if self.seconds else end()

        def end() -> None:
            if process.is_alive() and process.pid:
                os.kill(process.pid, getattr(signal, self.signal))

        self.sandbox.on_request = watch
        process.start()
        process.join(_TIMEOUT_SECONDS)
        self.sandbox.on_request = None
        if process.is_alive():
            process.kill()
            process.join()
            msg = "the process did not end"
            raise TimeoutError(msg)


def run_tap_process(
    config: Config, streams: tuple[str, ...], state: Message | None, kill: Kill, folder: Path
) -> RunResult:
    """Run the tap until it ends or is killed."""
    arguments = ["--catalog", _file(folder, "catalog", catalog_of(*streams))]
    arguments += ["--state", _file(folder, "state", state)] if state else []
    return _run("tap_fieldpulse", config, arguments, kill, folder)


def run_target_process(config: Config, text: str, kill: Kill, folder: Path) -> RunResult:
    """Run the target on an input until it ends or is killed."""
    (folder / "input").write_text(text)
    return _run("target_fieldpulse", config, ["--input", str(folder / "input")], kill, folder)


def _run(module: str, config: Config, arguments: list[str], kill: Kill, folder: Path) -> RunResult:
    line = [module, "--config", _file(folder, "config", config), *arguments]
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(
        ["tests.fault_matrix.plugins", "tap_fieldpulse.__main__", "target_fieldpulse.__main__"]
    )
    process = context.Process(target=_main, args=(line, str(folder)), daemon=True)
    kill.run_until_killed(process)
    log = (folder / "errors").read_text("utf-8", "replace")
    output = (folder / "output").read_text("utf-8")
    return RunResult(output, status=process.exitcode or 0, log_lines=tuple(log.splitlines()))


def _file(folder: Path, name: str, value: Any) -> str:
    path = folder / f"{name}.json"
    path.write_text(json.dumps(value))
    return str(path)


def _main(line: list[str], folder: str) -> None:
    """Run the command in the forked process."""
    for number, name in enumerate(("output", "errors"), start=1):
        os.dup2(os.open(f"{folder}/{name}", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), number)
    sys.argv = line
    if line[0] == "tap_fieldpulse":
        from tap_fieldpulse.__main__ import main  # noqa: PLC0415
    else:
        from target_fieldpulse.__main__ import main  # noqa: PLC0415
    main()
