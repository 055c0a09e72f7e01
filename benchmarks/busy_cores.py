"""The share of the rate limit that the tap uses while all cores are busy: `python -m benchmarks.busy_cores`.

The busy loops have the tap's own priority. The share is that of the pages, from the arrival of the first request to
that of the last: start-up takes longer on a busy machine, too, and says nothing of the rate limiter.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import httpx

from scripts.docs.tables import table
from tests.harness.arrivals import most_in_a_second

from .compare import LIMIT
from .processes import PACE, page_server
from .readers.builds import THIS_BUILD
from .readers.reader import OurTap
from .results import write_section


def main() -> None:
    """Measure with idle and with busy cores, in turn."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.busy_cores", description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--loops", type=int, default=2)
    parser.add_argument("--latency", type=int, default=100, metavar="MS")
    parser.add_argument("--write", action="store_true", help="write the result to RESULTS.md")
    options = parser.parse_args()
    rows = []
    with page_server(options.rows, options.latency) as url:
        for _ in range(options.rounds):
            for loops in (0, options.loops):
                with busy_loops(loops):
                    rows.append((f"{loops}", *_measured(url, options.rows)))
    text = table(("busy loops", f"of {PACE} requests/s", f"most in a second (limit {LIMIT})"), sorted(rows))
    print(text)
    if options.write:
        command = f"python -m benchmarks.busy_cores --rows {options.rows} --loops {options.loops} --write"
        about = f"{options.rows:,} jobs at {options.latency} ms, from the first request to the last."
        write_section("Busy cores", command, f"{about}\n\n{text}")


def _measured(url: str, rows: int) -> tuple[str, str]:
    httpx.get(f"{url}/arrivals")
    OurTap(THIS_BUILD).read(url, "jobs", rows)
    arrivals = sorted(httpx.get(f"{url}/arrivals", timeout=60).json())
    share = (len(arrivals) - 1) / (arrivals[-1] - arrivals[0]) / PACE
    return f"{share:.0%}", f"{most_in_a_second(arrivals)}"


@contextmanager
def busy_loops(count: int) -> Iterator[None]:
    """Keep `count` cores busy."""
    with ExitStack() as stack:
        for _ in range(count):
            process = stack.enter_context(subprocess.Popen([sys.executable, "-S", "-c", "while True: pass"]))
            stack.callback(process.kill)
        yield


if __name__ == "__main__":
    main()
