"""The plugins as real processes, forked from a process that has the modules loaded, so that they start at once."""

from __future__ import annotations

import json
import multiprocessing
import os
import resource
import sys
from contextlib import suppress
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from tests.harness.results import RunResult

from .plugins import Message, catalog_of

Config = dict[str, Any]
_TIMEOUT_SECONDS = 100


def tap_command(config: Config, streams: tuple[str, ...], state: Message | None, folder: Path) -> list[str]:
    """Return the command line of a run of the tap; its files are written into the folder."""
    command = ["tap_fieldpulse", "--config", _file(folder, "config", config)]
    command += ["--catalog", _file(folder, "catalog", catalog_of(*streams))]
    return command + (["--state", _file(folder, "state", state)] if state else [])


def target_command(config: Config, text: str, folder: Path) -> list[str]:
    """Return the command line of a run of the target on an input; its files are written into the folder."""
    (folder / "input").write_text(text)
    return ["target_fieldpulse", "--config", _file(folder, "config", config), "--input", str(folder / "input")]


class PluginProcess:
    """One run of a plugin. `max_file_bytes` is the size at which its files are full, as a disk would be."""

    def __init__(self, command: list[str], folder: Path, name: str = "run", *, max_file_bytes: int = -1) -> None:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["tests.fault_matrix.plugins", "tap_fieldpulse.tap", "target_fieldpulse.target"])
        self._output, self._errors = folder / f"{name}.output", folder / f"{name}.errors"
        arguments = (command, str(self._output), str(self._errors), max_file_bytes)
        self._process: BaseProcess = context.Process(target=_main, args=arguments, daemon=True)

    def start(self) -> None:
        """Start the process."""
        self._process.start()

    @property
    def is_alive(self) -> bool:
        """Return whether the process runs, or is suspended."""
        return self._process.is_alive()

    def send(self, signal_number: int) -> None:
        """Send a signal, unless the process has ended."""
        with suppress(ProcessLookupError):
            if self.is_alive and self._process.pid:
                os.kill(self._process.pid, signal_number)

    def result(self) -> RunResult:
        """Wait until the process has ended, and return its result. Raises: TimeoutError."""
        self._process.join(_TIMEOUT_SECONDS)
        if self.is_alive:
            self._process.kill()
            self._process.join()
            msg = "the process did not end"
            raise TimeoutError(msg)
        log = self._errors.read_text("utf-8", "replace")
        return RunResult(
            self._output.read_text("utf-8"),
            stderr=log if "where:" in log else "",  # as in this process: the error that ended the run
            status=self._process.exitcode or 0,
            log_lines=tuple(log.splitlines()),
        )


def _file(folder: Path, name: str, value: Any) -> str:
    path = folder / f"{name}.json"
    path.write_text(json.dumps(value))
    return str(path)


def _main(command: list[str], output: str, errors: str, max_file_bytes: int) -> None:
    """Run the command in the forked process."""
    for number, name in enumerate((output, errors), start=1):
        os.dup2(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), number)
    resource.setrlimit(resource.RLIMIT_FSIZE, (max_file_bytes, -1))
    sys.argv = command
    if command[0] == "tap_fieldpulse":
        from tap_fieldpulse.__main__ import main  # noqa: PLC0415
    else:
        from target_fieldpulse.__main__ import main  # noqa: PLC0415
    main()
