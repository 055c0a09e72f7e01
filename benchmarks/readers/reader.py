"""One reader of a list, as a process of an environment of its own, and what its run cost."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import NamedTuple

from benchmarks.processes import KEY, ROOT, Cost, measured

FOLDER = Path(__file__).parent
SHORT = 100
"""Rows of a list whose reading costs little beside the start-up of a program."""
_TIME_EXTRACTED = re.compile(rb'"time_extracted":"[^"]*"')


class Output(NamedTuple):
    """What a run read: a digest of the ids in their order, and of all bytes but for times of extraction."""

    ids: str
    everything: str


@dataclass(frozen=True)
class Reader:
    """A program that reads a list. `python` is that of its environment, with what `variables` add."""

    name: str
    python: str = sys.executable
    variables: Mapping[str, str] = field(default_factory=dict, hash=False)

    def read(self, url: str, stream: str, rows: int) -> tuple[Cost, Output]:
        """Read the list of `rows` rows of a server of pages. The process has a home folder of its own."""
        url = f"{url}/{rows}"
        with tempfile.TemporaryDirectory(prefix="fieldpulse-bench-") as name:
            folder = Path(name)
            command = [self.python, *self._arguments(url, stream, folder)]
            cost = measured(command, self._environment(folder), folder / "output")
            ids, lines = self._output(url, stream, folder)
            return cost, Output(_digest([json.dumps(ids).encode()]), _digest(lines))

    def _arguments(self, url: str, stream: str, folder: Path) -> list[str]:
        raise NotImplementedError

    def _output(self, url: str, stream: str, folder: Path) -> tuple[list[int], Iterable[bytes]]:  # noqa: ARG002
        lines = (folder / "output").read_bytes().splitlines()
        records = [json.loads(line)["record"] for line in lines if line.startswith(b'{"type":"RECORD"')]
        return [record.get("data", record)["id"] for record in records], [
            _TIME_EXTRACTED.sub(b"", line) for line in lines
        ]

    def _environment(self, folder: Path) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        return {**inherited, "HOME": str(folder), **self.variables}


@dataclass(frozen=True)
class OurTap(Reader):
    """The tap of the source tree `tree`."""

    tree: Path = ROOT

    def _environment(self, folder: Path) -> dict[str, str]:
        return {**super()._environment(folder), "PYTHONPATH": str(self.tree)}

    def _arguments(self, url: str, stream: str, folder: Path) -> list[str]:
        (folder / "catalog.json").write_text(_catalog(self.python, self.tree, stream))
        (folder / "config.json").write_text(json.dumps({"api_key": KEY, "api_url": url}))
        return ["-m", "tap_fieldpulse", "--config", f"{folder}/config.json", "--catalog", f"{folder}/catalog.json"]


@dataclass(frozen=True)
class StockTap(Reader):
    """A tap of the stock singer-sdk, with the schema of ours."""

    def _arguments(self, url: str, stream: str, folder: Path) -> list[str]:
        schema = folder / "schema.json"
        schema.write_text((ROOT / "fieldpulse_api" / "resources" / "schemas" / f"{stream}.json").read_text())
        return [str(FOLDER / "stock_tap.py"), url, stream, str(schema)]

    def _output(self, url: str, stream: str, folder: Path) -> tuple[list[int], Iterable[bytes]]:  # noqa: ARG002
        messages = [json.loads(line) for line in (folder / "output").read_bytes().splitlines()]
        return [message["record"]["id"] for message in messages if message["type"] == "RECORD"], []


@dataclass(frozen=True)
class Dlt(Reader):
    """The extract step of dlt's REST API source; it normalizes and loads nothing."""

    def _arguments(self, url: str, stream: str, folder: Path) -> list[str]:
        return [str(FOLDER / "dlt_extract.py"), url, stream, str(folder)]

    def _output(self, url: str, stream: str, folder: Path) -> tuple[list[int], Iterable[bytes]]:
        command = [self.python, *self._arguments(url, stream, folder), "--ids"]
        ended = subprocess.run(command, capture_output=True, check=True, env=self._environment(folder))
        return json.loads(ended.stdout), []


@dataclass(frozen=True)
class Airbyte(Reader):
    """Airbyte's runtime with a plain declarative manifest."""

    def _arguments(self, url: str, stream: str, folder: Path) -> list[str]:
        configured = {
            "stream": {"name": "rows", "json_schema": {}, "supported_sync_modes": ["full_refresh"]},
            "sync_mode": "full_refresh",
            "destination_sync_mode": "append",
        }
        (folder / "config.json").write_text(json.dumps({"url": url, "list": stream}))
        (folder / "catalog.json").write_text(json.dumps({"streams": [configured]}))
        program = str(Path(self.python).with_name("source-declarative-manifest"))
        files = ["--config", f"{folder}/config.json", "--catalog", f"{folder}/catalog.json"]
        return [program, "read", *files, "--manifest-path", str(FOLDER / "airbyte_manifest.yaml")]


@cache
def _catalog(python: str, tree: Path, stream: str) -> str:
    """Return the catalog of our tap, with one stream selected."""
    environment = {**os.environ, "PYTHONPATH": str(tree)}
    command = [python, "-m", "tap_fieldpulse", "--discover"]
    ended = subprocess.run(command, capture_output=True, check=True, env=environment, cwd="/")
    catalog = json.loads(ended.stdout)
    for entry in catalog["streams"]:
        root = next(metadata for metadata in entry["metadata"] if not metadata["breadcrumb"])
        root["metadata"]["selected"] = entry["tap_stream_id"] == stream
    return json.dumps(catalog)


def _digest(lines: Iterable[bytes]) -> str:
    return hashlib.sha256(b"\n".join(lines)).hexdigest()
