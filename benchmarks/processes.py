"""The processes of benchmarks: servers, other builds, and programs whose cost is measured."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
KEY = "bench-key"
PACE = 45
"""Requests per second of our builds."""
LAUNCH = Path(__file__).with_name("launch.py")


class Cost(NamedTuple):
    """What a run cost, by the operating system. `memory_mb` is the largest resident size, in MB."""

    wall_seconds: float
    cpu_seconds: float
    memory_mb: float


def measured(command: list[str], environment: Mapping[str, str], path: Path) -> Cost:
    """Run a program in the folder of `path`, the file for its output, and return what it cost."""
    errors_path = path.with_suffix(".errors")
    launch = [sys.executable, "-S", str(LAUNCH), str(path.with_suffix(".cost")), *command]
    with path.open("wb") as file, errors_path.open("wb") as errors:
        ended = subprocess.run(launch, stdout=file, stderr=errors, env=environment, cwd=path.parent, check=False)
    if ended.returncode:
        raise SystemExit(f"{' '.join(command)}\n{errors_path.read_text()}")
    return Cost(*json.loads(path.with_suffix(".cost").read_text()))


@contextmanager
def worktree(commit: str) -> Iterator[Path]:
    """Yield a working tree of a commit."""
    with tempfile.TemporaryDirectory(prefix="fieldpulse-baseline-") as folder:
        git = ["git", "-C", str(ROOT), "worktree"]
        subprocess.run([*git, "add", "--quiet", "--force", "--detach", folder, commit], check=True)
        try:
            yield Path(folder)
        finally:
            subprocess.run([*git, "remove", "--force", folder], check=True)


@contextmanager
def page_server(rows: int, latency_ms: int = 0) -> Iterator[str]:
    """Serve prepared pages of lists of up to `rows` rows, and yield the address."""
    with server("benchmarks.page_server", rows, latency_ms) as url:
        yield url


@contextmanager
def sandbox(*, customers: int, latency_ms: int) -> Iterator[str]:
    """Run a sandbox, and yield its address."""
    options = {"--port": 0, "--api-key": KEY, "--customers": customers, "--latency-ms": latency_ms}
    with server("fieldpulse_sandbox", *chain(*options.items()), "--quiet") as url:
        yield url


@contextmanager
def server(module: str, *arguments: object) -> Iterator[str]:
    """Run a server that prints `url=` and its address once it listens; yield the address."""
    command = [sys.executable, "-m", module, *map(str, arguments)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        try:
            match = re.search(r"url=(\S+)", process.stdout.readline() if process.stdout else "")
            if not match:
                raise SystemExit(f"{module} did not start")
            yield match[1]
        finally:
            process.terminate()
