"""The plugins as real processes that a signal ends at a seeded moment.

Each is forked from a server that has the modules loaded, so that it begins at once.
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
from fieldpulse_sandbox.server.gateway import Request
from tests.harness.results import RunResult

from .plugins import Message, catalog_of

Config = dict[str, Any]
_PATIENCE_SECONDS = 100


@dataclass
class Death:
    """The signal that ends a process, `seconds` after its request number `after` has arrived."""

    signal: str
    box: Sandbox
    after: int
    seconds: float

    def await_moment(self, process: BaseProcess) -> None:
        """End the process when its time has come, or let it end by itself before."""
        left = self.after

        def watch(_: Request) -> None:
            nonlocal left
            left -= 1
            if left == 0:
                threading.Timer(self.seconds, end).start() if self.seconds else end()

        def end() -> None:
            if process.is_alive() and process.pid:
                os.kill(process.pid, getattr(signal, self.signal))

        self.box.watch = watch
        process.start()
        process.join(_PATIENCE_SECONDS)
        self.box.watch = None
        if process.is_alive():
            process.kill()
            process.join()
            msg = "the process did not end"
            raise TimeoutError(msg)


def tap(config: Config, streams: tuple[str, ...], state: Message | None, death: Death, folder: Path) -> RunResult:
    """Run the tap until its end."""
    words = ["--catalog", _file(folder, "catalog", catalog_of(*streams))]
    words += ["--state", _file(folder, "state", state)] if state else []
    return _run("tap_fieldpulse", config, words, death, folder)


def target(config: Config, text: str, death: Death, folder: Path) -> RunResult:
    """Run the target on an input until its end."""
    (folder / "input").write_text(text)
    return _run("target_fieldpulse", config, ["--input", str(folder / "input")], death, folder)


def _run(module: str, config: Config, words: list[str], death: Death, folder: Path) -> RunResult:
    line = [module, "--config", _file(folder, "config", config), *words]
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(
        ["tests.fault_matrix.plugins", "tap_fieldpulse.__main__", "target_fieldpulse.__main__"]
    )
    process = context.Process(target=_main, args=(line, str(folder)), daemon=True)
    death.await_moment(process)
    log = (folder / "errors").read_text("utf-8", "replace")
    output = (folder / "output").read_text("utf-8")
    return RunResult(output, status=process.exitcode or 0, log_lines=tuple(log.splitlines()))


def _file(folder: Path, name: str, value: Any) -> str:
    path = folder / f"{name}.json"
    path.write_text(json.dumps(value))
    return str(path)


def _main(line: list[str], folder: str) -> None:
    """Be the command, in the process that was forked."""
    for number, name in enumerate(("output", "errors"), start=1):
        os.dup2(os.open(f"{folder}/{name}", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), number)
    sys.argv = line
    if line[0] == "tap_fieldpulse":
        from tap_fieldpulse.__main__ import main  # noqa: PLC0415
    else:
        from target_fieldpulse.__main__ import main  # noqa: PLC0415
    main()
