"""`python -m tests.fault_matrix`: every point of the fault matrix, on all processors; `--point` replays one."""

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

from .points import Point, slice_of, whole
from .runner import visit, visited


def main() -> int:
    """Visit points, and say what did not hold, and where. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.fault_matrix", description=__doc__)
    parser.add_argument("--point", type=Point.read, help="one point: profile/fault/operation/seed")
    parser.add_argument("--only", default="", help="only points in whose names this regular expression is found")
    parser.add_argument("--slice", action="store_true", help="only those that `make test` takes")
    parser.add_argument("--seed", type=int, default=0, help="other places, accounts and records (default: 0)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes (default: one for each processor)")
    given = parser.parse_args()
    if given.point:
        return _show(given.point, visit(given.point))
    points = whole(given.seed)
    points = [one for one in (slice_of(points) if given.slice else points) if re.search(given.only, str(one))]
    print(f"{len(points)} points, seed {given.seed}, {given.jobs} processes", flush=True)
    began = time.monotonic()
    wrong = sum(_show(point, found) for point, found in _all(points, given.jobs))
    _sum_up(points)
    print(f"{len(points)} points, {wrong} of them wrong, in {time.monotonic() - began:.0f} s")
    return 1 if wrong else 0


def _all(points: list[Point], jobs: int) -> Iterator[tuple[Point, list[str]]]:
    """Yield each point and what did not hold there, as they come."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # else the processes would be left behind
    pool = ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn"))
    try:
        under_way = {pool.submit(visited, point): point for point in points}
        for one in tqdm(as_completed(under_way), total=len(points), unit=" points", disable=None):
            yield under_way[one], one.result()
    finally:
        pool.shutdown(cancel_futures=True)


def _show(point: Point, found: list[str]) -> int:
    if found:
        print(point.command, *found[:8], sep="\n    ", flush=True)
    return 1 if found else 0


def _sum_up(points: Iterable[Point]) -> None:
    for kind, name in (("profile", "profile"), ("fault", "trouble"), ("operation", "operation")):
        counts = Counter(getattr(one, name) for one in points)
        print(f"by {kind}:", ", ".join(f"{value} {number}" for value, number in counts.items()))


if __name__ == "__main__":
    sys.exit(main())
