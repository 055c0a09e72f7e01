"""A run of a plugin in a process of its own, and what it cost by the operating system's accounting."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.processes import LAUNCH, Cost

_NAME = slice(len(b'{"type":"RECORD","stream":"'), 80)


class Expectation(NamedTuple):
    """How many records of a stream a run writes."""

    count: int
    or_less: bool = False


@dataclass
class Run:
    """What a run cost and wrote: the number of its records by stream, its last STATE, its log."""

    cost: Cost
    records: Counter[str] = field(default_factory=Counter)
    state: dict[str, Any] = field(default_factory=dict)
    log: str = ""
    what: str = ""
    rows: int = 0

    def checked(self, what: str, rows: int, expected: Mapping[str, Expectation]) -> Run:
        """Return this run with its name and the rows that it read. It ends the benchmark if it wrote other records."""
        self.what, self.rows = what, rows
        for stream, (count, or_less) in expected.items():
            written = self.records[stream]
            if written > count or (written < count and not or_less):
                raise SystemExit(f"{what}: {written} records of {stream} instead of {count}; no figure\n{self.log}")
        return self


def run_tap(folder: Path, config: dict[str, Any], catalog: dict[str, Any], state: dict[str, Any] | None = None) -> Run:
    """Run the tap, and read its output as it comes."""
    arguments = ["--config", _file(folder, "config", config), "--catalog", _file(folder, "catalog", catalog)]
    if state is not None:
        arguments += ["--state", _file(folder, "state", state)]
    return _run(folder, ["tap_fieldpulse", *arguments])


def run_target(folder: Path, config: dict[str, Any], lines: Iterable[bytes]) -> Run:
    """Run the target, and write its input while it reads."""
    return _run(folder, ["target_fieldpulse", "--config", _file(folder, "config", config)], lines)


def _run(folder: Path, arguments: list[str], lines: Iterable[bytes] = ()) -> Run:
    cost, log = folder / "cost", folder / "log"
    command = [sys.executable, "-S", str(LAUNCH), str(cost), sys.executable, "-m", *arguments]
    records, state = Counter[str](), {}
    with (
        log.open("wb") as errors,
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, cwd=folder) as process,
    ):
        if process.stdin is None or process.stdout is None:
            raise RuntimeError
        process.stdin.writelines(lines)
        process.stdin.close()
        for line in process.stdout:
            if line.startswith(b'{"type":"RECORD"'):
                records[line[_NAME].partition(b'"')[0].decode()] += 1
            elif not line.startswith(b'{"type":"SCHEMA"'):
                message = json.loads(line)
                state = message.get("value", message)  # the target writes states alone
    text = log.read_text("utf-8")
    if process.returncode:
        raise SystemExit(f"{arguments[0]} ended with status {process.returncode}:\n{text[-3000:]}")
    return Run(Cost(*json.loads(cost.read_text())), records, state, text)


def _file(folder: Path, name: str, content: dict[str, Any]) -> str:
    path = folder / f"{name}.json"
    path.write_text(json.dumps(content), "utf-8")
    return str(path)
