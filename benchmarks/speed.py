"""Speed and memory of tap and target against the sandbox. `make bench`.

Both run as real processes against a sandbox process with latency and a hard limit of 50 requests in any second.
The figures depend on the machine: compare ratios, such as the used share of the rate limit.
"""

from __future__ import annotations

import json
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

RATE = 45
KEY = "bench-key"


def main() -> None:
    """Measure reading at a latency of 100 ms, and writing at 120 ms."""
    folder = Path(tempfile.mkdtemp(prefix="fieldpulse-bench-"))
    stream = sys.argv[1] if len(sys.argv) > 1 else "jobs"
    customers = int(sys.argv[2]) if len(sys.argv) > 2 else 40_000  # noqa: PLR2004
    with sandbox(customers=customers, latency_ms=100) as url:
        read(folder, url, stream)
    with sandbox(customers=100, latency_ms=120) as url:
        write(folder, url, 900)


def read(folder: Path, url: str, stream: str) -> None:
    """Measure the full read of one stream."""
    config = _file(folder, "tap.json", {"api_key": KEY, "api_url": url, "requests_per_second": RATE})
    tap = [sys.executable, "-m", "tap_fieldpulse"]
    catalog = json.loads(subprocess.run([*tap, "--discover"], capture_output=True, check=True, text=True).stdout)
    for entry in catalog["streams"]:
        root = next(metadata for metadata in entry["metadata"] if not metadata["breadcrumb"])
        root["metadata"]["selected"] = entry["tap_stream_id"] == stream
    command = [*tap, "--config", config, "--catalog", _file(folder, "catalog.json", catalog)]
    started = time.monotonic()
    ended = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=True, text=True)
    seconds = time.monotonic() - started
    match = re.search(r"records=(\d+) pages=(\d+)", ended.stderr)
    records, pages = (int(number) for number in match.groups()) if match else (0, 0)
    print(
        f"read  {stream}: {records:,} records, {pages} requests in {seconds:.1f} s with start-up: "
        f"{records / seconds:,.0f} records/s, {pages / seconds / RATE:.0%} of the limit, peak memory {_peak():.0f} MiB"
    )


def write(folder: Path, url: str, records: int) -> None:
    """Measure creating customers, and sending the same records again."""
    settings = {"api_key": KEY, "api_url": url, "requests_per_second": RATE}
    paths = {"ledger_url": f"sqlite:///{folder}/ledger.db", "rejects_path": f"{folder}/rejects.singer"}
    config = _file(folder, "target.json", settings | paths)
    properties = {"external_id": {}, "first_name": {}}
    lines = [{"type": "SCHEMA", "stream": "customers", "schema": {"properties": properties}, "key_properties": []}]
    lines += [
        {"type": "RECORD", "stream": "customers", "record": {"external_id": str(number), "first_name": f"B{number}"}}
        for number in range(records)
    ]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    for action in ("create", "unchanged"):
        started = time.monotonic()
        command = [sys.executable, "-m", "target_fieldpulse", "--config", config]
        ended = subprocess.run(command, input=text, capture_output=True, check=True, text=True)
        seconds = time.monotonic() - started
        print(
            f"write {action}: {records:,} records in {seconds:.1f} s with start-up, "
            f"{records / seconds:,.0f} records/s, "
            f"{records / seconds / RATE:.0%} of the limit · {ended.stderr.strip().splitlines()[-1].split('| ')[-1]}"
        )


@contextmanager
def sandbox(*, customers: int, latency_ms: int) -> Iterator[str]:
    """Run a sandbox process and yield its address once it listens."""
    options = [
        "--port",
        "0",
        "--api-key",
        KEY,
        "--customers",
        str(customers),
        "--latency-ms",
        str(latency_ms),
        "--quiet",
    ]
    command = [sys.executable, "-m", "fieldpulse_sandbox", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            match = re.search(r"url=(\S+)", process.stdout.readline() if process.stdout else "")
            if not match:
                raise SystemExit("the sandbox did not start")
            yield match[1]
        finally:
            process.terminate()


def _peak() -> float:
    """Return the largest resident size of an ended child in MiB: the tap's, since the sandbox still runs."""
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024


def _file(folder: Path, name: str, content: object) -> str:
    path = folder / name
    path.write_text(json.dumps(content))
    return str(path)


if __name__ == "__main__":
    main()
