"""CPU per record of the tap, beside another commit of it and dlt's extract step: `python -m benchmarks.cpu COMMIT`.

All read the same prepared pages (`benchmarks.page_server`) in processes of their own, in turn, so that a busy machine
slows all of them. CPU is what the operating system accounts to the process, and the ratio is the median of the rounds'
ratios. A short list is read as well: what it costs is start-up, and is subtracted. No ratio is printed for runs that
read different rows.

`--dlt PYTHON` names a Python that has dlt. `--same-output` demands that both builds write the same bytes, but for
`time_extracted`.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from statistics import median
from typing import NamedTuple

from .page_server import KEY, STREAMS

ROOT = Path(__file__).parent.parent
SHORT = 100
_TIME_EXTRACTED = re.compile(rb'"time_extracted":"[^"]*"')
_DLT = Path(__file__).with_name("dlt_extract.py")


class Output(NamedTuple):
    """What a run read: a digest of the ids in their order, and of all bytes but for times of extraction."""

    ids: str
    everything: str


@dataclass(frozen=True)
class Reader:
    """A program that reads a list: the tap in `folder`, or dlt with the Python `python`."""

    name: str
    folder: Path
    python: str = sys.executable

    def seconds(self, url: str, stream: str, rows: int) -> tuple[float, Output]:
        """Read a list of `rows` rows. Return the CPU seconds of the process, and what it read."""
        with tempfile.TemporaryDirectory(prefix="fieldpulse-cpu-") as name:
            folder, environment = Path(name), {**os.environ, "HOME": name}
            if self.name == "dlt":
                environment.pop("PYTHONPATH", None)
                command = [self.python, str(_DLT), f"{url}/{rows}", stream, name]
                seconds = _run(command, environment, folder / "out")
                ids = subprocess.run([*command, "--ids"], capture_output=True, check=True, env=environment).stdout
                return seconds, Output(_digest([ids.strip()]), "")
            environment["PYTHONPATH"] = str(self.folder)
            command = [self.python, "-m", "tap_fieldpulse"]
            (folder / "catalog.json").write_text(_catalog(self, stream))
            config = {"api_key": KEY, "api_url": f"{url}/{rows}"}
            (folder / "config.json").write_text(json.dumps(config))
            files = ["--config", f"{name}/config.json", "--catalog", f"{name}/catalog.json"]
            seconds = _run([*command, *files], environment, folder / "out")
            return seconds, _output(folder / "out")


def main() -> None:
    """Measure each stream, and print a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cpu", description=__doc__.splitlines()[0])
    parser.add_argument("commit", help="the commit to compare with")
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--streams", nargs="+", default=STREAMS, choices=STREAMS)
    parser.add_argument("--dlt", metavar="PYTHON")
    parser.add_argument("--same-output", action="store_true")
    options = parser.parse_args()
    with _worktree(options.commit) as folder, _server(options.rows) as url:
        readers = [Reader(options.commit, folder), Reader("this build", ROOT)]
        readers += [Reader("dlt", ROOT, options.dlt)] if options.dlt else []
        print(f"{'stream':10} {'reader':12} {'least µs':>10} {'median µs':>10} {'this build is':>14}")
        for stream in options.streams:
            _measure(readers, url, stream, options)


def _measure(readers: list[Reader], url: str, stream: str, options: argparse.Namespace) -> None:
    costs: dict[str, list[float]] = {reader.name: [] for reader in readers}
    for _ in range(options.rounds):
        outputs = {}
        for reader in readers:
            start_up, _ = reader.seconds(url, stream, SHORT)
            seconds, outputs[reader.name] = reader.seconds(url, stream, options.rows)
            costs[reader.name].append((seconds - start_up) / (options.rows - SHORT))
        if len({output.ids for output in outputs.values()}) > 1:
            raise SystemExit(f"{stream}: no ratio, because the runs read different rows")
    for name, others in costs.items():
        ratios = [own / other for own, other in zip(costs["this build"], others, strict=True)]
        ratio = f"{median(ratios):.2f} of it" if name != "this build" else ""
        figures = f"{min(others) * 1e6:10.1f} {median(others) * 1e6:10.1f}"
        print(f"{stream:10} {name[:12]:12} {figures} {ratio:>14}", flush=True)
    if options.same_output and len({outputs[name].everything for name in (options.commit, "this build")}) > 1:
        raise SystemExit(f"{stream}: the output differs from that of {options.commit}")


def _run(command: list[str], environment: Mapping[str, str], path: Path) -> float:
    """Run a program into a file. Return its CPU seconds, user and system."""
    with path.open("wb") as file:
        process = subprocess.Popen(command, stdout=file, stderr=subprocess.PIPE, env=environment, cwd=path.parent)
        assert process.stderr
        errors = process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{' '.join(command)}\n{errors.decode()}")
    return usage.ru_utime + usage.ru_stime


@cache
def _catalog(reader: Reader, stream: str) -> str:
    """Return the catalog of a tap, with one stream selected."""
    command = [reader.python, "-m", "tap_fieldpulse", "--discover"]
    environment = {**os.environ, "PYTHONPATH": str(reader.folder)}
    ended = subprocess.run(command, capture_output=True, check=True, env=environment, cwd="/")
    catalog = json.loads(ended.stdout)
    for entry in catalog["streams"]:
        root = next(metadata for metadata in entry["metadata"] if not metadata["breadcrumb"])
        root["metadata"]["selected"] = entry["tap_stream_id"] == stream
    return json.dumps(catalog)


def _output(path: Path) -> Output:
    lines = path.read_bytes().splitlines()
    records = [json.loads(line)["record"] for line in lines if line.startswith(b'{"type":"RECORD"')]
    ids = json.dumps([record["id"] for record in records]).encode()
    return Output(_digest([ids]), _digest(_TIME_EXTRACTED.sub(b"", line) for line in lines))


def _digest(lines: Iterator[bytes] | list[bytes]) -> str:
    return hashlib.sha256(b"\n".join(lines)).hexdigest()


@contextmanager
def _worktree(commit: str) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="fieldpulse-baseline-") as folder:
        git = ["git", "-C", str(ROOT), "worktree"]
        subprocess.run([*git, "add", "--quiet", "--force", "--detach", folder, commit], check=True)
        try:
            yield Path(folder)
        finally:
            subprocess.run([*git, "remove", "--force", folder], check=True)


@contextmanager
def _server(rows: int) -> Iterator[str]:
    command = [sys.executable, "-m", "benchmarks.page_server", str(rows)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        try:
            line = process.stdout.readline() if process.stdout else ""
            if not line:
                raise SystemExit("the server of pages did not start")
            yield line.strip().removeprefix("url=")
        finally:
            process.terminate()


if __name__ == "__main__":
    main()
