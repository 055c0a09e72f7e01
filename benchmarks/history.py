"""Time and memory of `fieldpulse status` and `fieldpulse runs` on a long history: 10,000 runs of 30 streams in SQLite.

`python -m benchmarks.history [RUNS]`. The figures depend on the machine; an empty history is measured for comparison.
"""

from __future__ import annotations

import random
import resource
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import insert

from fieldpulse_api.resources.catalogue import RESOURCES
from fieldpulse_plugin.history.facts import now
from fieldpulse_plugin.history.tables import METADATA, RUNS, STORE, STREAMS, history_url
from fieldpulse_plugin.stores.database import open_database

MINUTES_BETWEEN_RUNS = 10
STREAMS_PER_RUN = 30


def main() -> None:
    """Write a history of the tap, and run the commands on it."""
    folder = Path(tempfile.mkdtemp(prefix="fieldpulse-history-"))
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    write_history(f"sqlite:///{folder}/snapshot.db", count)
    megabytes = (folder / "snapshot-history.db").stat().st_size / 1_000_000
    print(f"{count:,} runs of {STREAMS_PER_RUN} streams: {megabytes:.0f} MB in {folder}")
    for store in ("none", "snapshot"):
        for command in (["status"], ["runs"], ["runs", "--last", "1000"], ["runs", "--last", "1000", "--json"]):
            measure(
                command, [f"--snapshot-url=sqlite:///{folder}/{store}.db", f"--ledger-url=sqlite:///{folder}/no.db"]
            )


def write_history(url: str, count: int) -> None:
    """Write runs that end well, but for every hundredth."""
    engine = open_database(history_url(url), METADATA, store=STORE)
    with engine.begin() as connection:
        for number in range(count):
            run = _run(
                now() - timedelta(minutes=MINUTES_BETWEEN_RUNS * (count - number)), is_incomplete=not number % 100
            )
            connection.execute(insert(RUNS).values(**run))
            connection.execute(insert(STREAMS), list(_streams(run)))
    engine.dispose()


def measure(command: list[str], stores: list[str]) -> None:
    """Run a command, and print its time and the memory of the largest so far."""
    started = time.monotonic()
    ended = subprocess.run(
        [sys.executable, "-m", "fieldpulse_cli", *command, *stores], capture_output=True, check=False
    )
    seconds = time.monotonic() - started
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(
        f"{' '.join(command):25} status {ended.returncode}, {seconds:.2f} s, {len(ended.stdout):,} bytes, "
        f"at most {peak:.0f} MiB"
    )


def _run(began_at: datetime, *, is_incomplete: bool) -> dict[str, Any]:
    return {
        "run_id": uuid.uuid4().hex,
        "plugin": "tap-fieldpulse",
        "pipeline": "tap-fieldpulse",
        "version": "0.1.0",
        "account": "42",
        "is_dry": False,
        "host": "bench",
        "process_id": 1,
        "process_began": "",
        "began_at": began_at,
        "seen_at": began_at + timedelta(seconds=60),
        "ended_at": began_at + timedelta(seconds=60),
        "exit_status": int(is_incomplete),
        "reason": "2 lists are incomplete." if is_incomplete else None,
        "requests_per_second": 45,
        "requests": 900,
        **dict.fromkeys(("retries", "throttled", "failed"), 1),
        "bytes": 10_000_000,
        **dict.fromkeys(("latency_p50", "latency_p95", "latency_p99", "latency_max"), 0.2),
        "interval_seconds": 1,
        "over_time": [[random.randint(0, 45), 0] for _ in range(60)],
        "open_rejects": 0,
    }


def _streams(run: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for resource_ in RESOURCES[:STREAMS_PER_RUN]:
        yield {
            "run_id": run["run_id"],
            "name": resource_.name,
            "began_at": run["began_at"],
            "ended_at": run["ended_at"],
            **dict.fromkeys(("records", "requests", "server_count", "new", "changed", "deleted"), 12),
            "verdict": "complete",
            "bookmark": f"{run['began_at']:%Y-%m-%dT%H:%M:%SZ}",
            "drift": [],
            "outcomes": {},
            "error": None,
        }


if __name__ == "__main__":
    main()
