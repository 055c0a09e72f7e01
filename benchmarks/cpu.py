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
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from .page_server import STREAMS
from .readers.reader import ROOT, Cost, Dlt, OurTap, Output, Reader

THIS_BUILD = "this build"
SHORT = 100


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
    with worktree(options.commit) as folder, page_server(options.rows) as url:
        readers: list[Reader] = [OurTap(options.commit, tree=folder), OurTap(THIS_BUILD)]
        readers += [Dlt("dlt", python=options.dlt)] if options.dlt else []
        print(f"{'stream':10} {'reader':12} {'least µs':>10} {'median µs':>10} {'this build is':>14}")
        for stream in options.streams:
            _measure(readers, url, stream, options)


def _measure(readers: list[Reader], url: str, stream: str, options: argparse.Namespace) -> None:
    costs: dict[str, list[float]] = {reader.name: [] for reader in readers}
    for _ in range(options.rounds):
        outputs = {}
        for reader in readers:
            start_up, _ = read(reader, url, stream, SHORT)
            cost, outputs[reader.name] = read(reader, url, stream, options.rows)
            costs[reader.name].append((cost.cpu_seconds - start_up.cpu_seconds) / (options.rows - SHORT))
        if len({output.ids for output in outputs.values()}) > 1:
            raise SystemExit(f"{stream}: no ratio, because the runs read different rows")
    for name, others in costs.items():
        ratios = [own / other for own, other in zip(costs[THIS_BUILD], others, strict=True)]
        ratio = f"{median(ratios):.2f} of it" if name != THIS_BUILD else ""
        figures = f"{min(others) * 1e6:10.1f} {median(others) * 1e6:10.1f}"
        print(f"{stream:10} {name[:12]:12} {figures} {ratio:>14}", flush=True)
    if options.same_output and len({outputs[name].everything for name in (options.commit, THIS_BUILD)}) > 1:
        raise SystemExit(f"{stream}: the output differs from that of {options.commit}")


def read(reader: Reader, url: str, stream: str, rows: int) -> tuple[Cost, Output]:
    """Let a reader read the list of `rows` rows, in a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="fieldpulse-bench-") as folder:
        return reader.read(f"{url}/{rows}", stream, Path(folder))


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
    command = [sys.executable, "-m", "benchmarks.page_server", str(rows), str(latency_ms)]
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
