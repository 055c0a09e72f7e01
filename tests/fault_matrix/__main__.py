"""Check every point of the fault matrix on all processors: `python -m tests.fault_matrix`. `--point` replays one."""

from __future__ import annotations

import argparse
import multiprocessing
import os
import re
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed

from tqdm import tqdm

from .points import Point, all_points, sample_points
from .results import RESULT, MatrixResult
from .runner import check_point, check_point_safely


def main() -> int:
    """Check points and print what did not hold. Return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.fault_matrix", description=__doc__)
    parser.add_argument("--point", type=Point.parse, help="check this point only: profile/scenario/operation/seed")
    parser.add_argument("--only", default="", help="only points whose name matches this regular expression")
    parser.add_argument("--slice", action="store_true", help="only the sample that `make test` checks")
    parser.add_argument(
        "--seed", type=int, default=0, help="another seed gives other faults, accounts and records (default: 0)"
    )
    parser.add_argument(
        "--jobs", type=int, default=os.cpu_count(), help="number of processes (default: one for each processor)"
    )
    parser.add_argument(
        "--write", action="store_true", help=f"write the result to {RESULT.name}: the whole matrix only"
    )
    arguments = parser.parse_args()
    if arguments.write and (arguments.only or arguments.slice or arguments.point):
        parser.error("--write needs the whole matrix")
    if arguments.point:
        return _print_failures(arguments.point, check_point(arguments.point))
    points = all_points(arguments.seed)
    points = [
        point
        for point in (sample_points(points) if arguments.slice else points)
        if re.search(arguments.only, str(point))
    ]
    print(f"{len(points)} points, seed {arguments.seed}, {arguments.jobs} processes", flush=True)
    started = time.monotonic()
    failed = [point for point, failures in _check_all(points, arguments.jobs) if _print_failures(point, failures)]
    seconds = time.monotonic() - started
    _print_summary(points)
    print(f"{len(points)} points, {len(failed)} failed, in {seconds:.0f} s")
    if arguments.write:
        MatrixResult.of(points, failed, seed=arguments.seed, seconds=seconds).write()
    return 1 if failed else 0


def _check_all(points: list[Point], jobs: int) -> Iterator[tuple[Point, list[str]]]:
    """Yield each point with its failures, as they are finished."""
    signal.signal(
        signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM)
    )  # else the worker processes would be left behind
    pool = ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn"))
    try:
        futures = {pool.submit(check_point_safely, point): point for point in points}
        wait = 0.1 if sys.stderr.isatty() else 60  # seconds between lines
        for future in tqdm(as_completed(futures), total=len(points), unit=" points", mininterval=wait):
            yield futures[future], future.result()
    finally:
        pool.shutdown(cancel_futures=True)


def _print_failures(point: Point, failures: list[str]) -> int:
    if failures:
        print(point.command, *failures[:8], sep="\n    ", flush=True)
    return 1 if failures else 0


def _print_summary(points: Iterable[Point]) -> None:
    for kind, name in (("profile", "profile"), ("fault", "scenario"), ("operation", "operation")):
        counts = Counter(getattr(point, name) for point in points)
        print(f"by {kind}:", ", ".join(f"{value} {number}" for value, number in counts.items()))


if __name__ == "__main__":
    sys.exit(main())
