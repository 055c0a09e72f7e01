"""Writes per second of the target against the sandbox, at 120 ms: `python -m benchmarks.writes`.

Both are real processes, and the sandbox rejects the 51st request of any second. The records are sent twice: the second
time they are all known, and nothing is sent. Start-up is included.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from scripts.docs.tables import table

from .processes import KEY, PACE, sandbox
from .results import write_section

LATENCY_MS = 120


def main() -> None:
    """Measure creating customers, and sending the same records again."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.writes", description=__doc__.splitlines()[0])
    parser.add_argument("--records", type=int, default=2_700)
    parser.add_argument("--write", action="store_true", help="write the result to RESULTS.md")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, sandbox(customers=100, latency_ms=LATENCY_MS) as url:
        rows = [_measured(Path(folder), url, what, options.records) for what in ("create", "unchanged")]
    text = table(("records are", "seconds", "records/s", f"of {PACE} requests/s", "the target says"), rows)
    print(text)
    if options.write:
        command = f"python -m benchmarks.writes --records {options.records} --write"
        write_section("Writes", command, f"{options.records:,} customers at {LATENCY_MS} ms, with start-up.\n\n{text}")


def _measured(folder: Path, url: str, what: str, records: int) -> tuple[str, ...]:
    config = {
        "api_key": KEY,
        "api_url": url,
        "ledger_url": f"sqlite:///{folder}/ledger.db",
        "rejects_path": f"{folder}/rejects.singer",
    }
    (folder / "target.json").write_text(json.dumps(config))
    properties: dict[str, object] = {"external_id": {}, "first_name": {}}
    lines = [{"type": "SCHEMA", "stream": "customers", "schema": {"properties": properties}, "key_properties": []}]
    lines += [
        {"type": "RECORD", "stream": "customers", "record": {"external_id": str(number), "first_name": f"B{number}"}}
        for number in range(records)
    ]
    began_at = time.monotonic()
    ended = subprocess.run(
        [sys.executable, "-m", "target_fieldpulse", "--config", str(folder / "target.json")],
        input="".join(json.dumps(line) + "\n" for line in lines),
        capture_output=True,
        check=True,
        text=True,
    )
    seconds = time.monotonic() - began_at
    rate = records / seconds
    closing = ended.stderr.strip().splitlines()[-1].split(maxsplit=3)[-1]
    share = f"{rate / PACE:.0%}" if what == "create" else "no requests"
    return what, f"{seconds:.1f}", f"{rate:,.0f}", share, f"`{closing}`"


if __name__ == "__main__":
    main()
