"""Runs of the plugins: in this process where speed matters, as real processes where their end does."""

from __future__ import annotations

import io
import json
import logging
import re
import subprocess
import sys
import threading
import warnings
from collections import defaultdict
from collections.abc import Iterable, Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fieldpulse_plugin.exit_codes import report_error
from tap_fieldpulse.tap import TapFieldPulse
from target_fieldpulse.message_reader import Reader
from target_fieldpulse.target import TargetFieldPulse

Message = dict[str, Any]


@dataclass
class Emitted:
    """What a tap wrote."""

    records: dict[str, list[Message]] = field(default_factory=lambda: defaultdict(list))
    schemas: dict[str, Message] = field(default_factory=dict)
    states: list[Message] = field(default_factory=list)

    @classmethod
    def read(cls, text: str) -> Emitted:
        """Read the output of a tap."""
        emitted = cls()
        for message in map(json.loads, filter(None, text.split("\n"))):  # no other character ends a line
            if message["type"] == "RECORD":
                emitted.records[message["stream"]].append(message["record"])
            elif message["type"] == "SCHEMA":
                emitted.schemas[message["stream"]] = message["schema"]
            elif message["type"] == "STATE":
                emitted.states.append(message["value"])
        return emitted

    @property
    def state(self) -> Message:
        """Return the last state."""
        return self.states[-1]

    def ids(self, stream: str) -> list[int]:
        """Return the ids of a stream's records, in their order."""
        return [record["id"] for record in self.records[stream]]


def selected(tap: TapFieldPulse, streams: Iterable[str]) -> Message:
    """Return a catalog in which only these streams are selected."""
    catalog: Message = json.loads(tap.catalog_json_text)
    for entry in catalog["streams"]:
        root = next(one for one in entry["metadata"] if not one["breadcrumb"])
        root["metadata"]["selected"] = entry["tap_stream_id"] in set(streams)
    return catalog


def run_tap(
    config: Mapping[str, Any], *streams: str, state: Message | None = None, catalog: Message | None = None
) -> Emitted:
    """Run the tap in this process, on these streams, by this catalog, or on all."""
    catalog = selected(TapFieldPulse(config=dict(config)), streams) if streams else catalog
    tap = TapFieldPulse(config=dict(config), catalog=catalog, state=state)
    output = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    try:
        with redirect_stdout(output):
            tap.sync_all()
    finally:
        join_readers()
        tap.run.close()
    output.seek(0)
    return Emitted.read(output.read())


def join_readers() -> None:
    """Wait for pages that were asked for ahead and are not wanted any more: a process would end without them."""
    for thread in threading.enumerate():
        if thread.name.startswith("fieldpulse_"):
            thread.join(timeout=10)


def command(module: str, config: Mapping[str, Any], folder: Path, *words: str) -> list[str]:
    """Return the command line of a plugin as a process of its own."""
    path = folder / f"{module}.json"
    path.write_text(json.dumps(config))
    return [sys.executable, "-m", module, "--config", str(path), *words]


def run(line: list[str], given: str = "") -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(line, input=given, capture_output=True, text=True, timeout=120, check=False)


def singer(*parts: Message) -> str:
    """Return messages as the lines of a Singer stream."""
    return "".join(json.dumps(part) + "\n" for part in parts)


def schema(stream: str, *properties: str) -> Message:
    """Return a SCHEMA message."""
    return {
        "type": "SCHEMA",
        "stream": stream,
        "schema": {"properties": {name: {} for name in properties}},
        "key_properties": [],
    }


def record(stream: str, **values: Any) -> Message:
    """Return a RECORD message."""
    return {"type": "RECORD", "stream": stream, "record": values}


def state(value: Any) -> Message:
    """Return a STATE message."""
    return {"type": "STATE", "value": {"bookmarks": value}}


@dataclass
class Written:
    """What a run of the target left: its states, what it said, and how it ended."""

    states: list[Message]
    said: str
    status: int

    @property
    def counts(self) -> dict[str, int]:
        """Return the numbers of the last line, which add up."""
        last = self.said.strip().splitlines()[-1]
        found = re.search(r"read (\d+) = (.*)", last)
        assert found, last
        counts = {name: int(number) for number, name in (part.split() for part in found[2].split(" + "))}
        assert int(found[1]) == sum(counts.values()), last
        return {name: number for name, number in counts.items() if number}


@dataclass
class Ended:
    """How a command ended in this process: its status, what it wrote, and what it said."""

    status: int
    written: str
    said: str

    @property
    def is_foreseen(self) -> bool:
        """Say whether it ended well, or in the three parts of an error that was foreseen."""
        is_clear = self.status == 0 or "where:" in self.said or "read " in self.said
        return is_clear and "nobody foresaw" not in self.said and "Traceback" not in self.said


def end_of(plugin: type[TapFieldPulse | TargetFieldPulse], *words: str, given: bytes = b"") -> Ended:
    """Run a plugin's command in this process as its `main` does: a hundred times faster than one of its own."""
    written, said = io.TextIOWrapper(io.BytesIO(), encoding="utf-8"), io.StringIO()
    before, sys.stdin = sys.stdin, io.TextIOWrapper(io.BytesIO(given), encoding="utf-8")
    Reader.default_input, handlers = sys.stdin, list(logging.getLogger().handlers)
    try:
        with redirect_stdout(written), redirect_stderr(said), warnings.catch_warnings():
            try:
                returned = plugin.cli.main(list(words), standalone_mode=False)
                status = returned if isinstance(returned, int) else 0
            except BaseException as error:  # noqa: BLE001  as `exits.run` does
                status = report_error(error)
    finally:
        join_readers()
        sys.stdin = Reader.default_input = before
        sys.excepthook = sys.__excepthook__
        logging.captureWarnings(capture=False)
        logging.getLogger().handlers[:] = handlers
    written.seek(0)
    return Ended(status, written.read(), said.getvalue())


def run_target(config: Mapping[str, Any], given: str, folder: Path) -> Written:
    """Run the target on an input, as a process of its own."""
    ended = run(command("target_fieldpulse", config, folder), given)
    assert "Traceback" not in ended.stderr, ended.stderr
    return Written([json.loads(line) for line in ended.stdout.splitlines()], ended.stderr, ended.returncode)
