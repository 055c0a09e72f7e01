"""Writes per second of the target against the sandbox, at 120 ms: `python -m benchmarks.writes`.

Both are real processes, and the sandbox rejects the 51st request of any second. The records are sent twice: the second
time they are all known, and nothing is sent. The ledger is a file, and then a PostgreSQL server at a distance. Start-up
is included.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from scripts.docs.tables import table

from .distant_postgres import distant_postgres
from .processes import KEY, PACE, sandbox
from .results import write_section

LATENCY_MS = 120
LEDGER_LATENCY_MS = 2


def main() -> None:
    """Measure creating customers, and sending the same records again."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.writes", description=__doc__.splitlines()[0])
    parser.add_argument("--records", type=int, default=2_700)
    parser.add_argument("--write", action="store_true", help="write the result to RESULTS.md")
    options = parser.parse_args()
    with distant_postgres(LEDGER_LATENCY_MS) as distant, tempfile.TemporaryDirectory() as name:
        ledgers = {"a file": f"sqlite:///{name}/ledger.db", f"PostgreSQL at {LEDGER_LATENCY_MS} ms": distant}
        rows = [row for ledger in ledgers.items() for row in _rows(Path(name), ledger, options.records)]
    text = table(("ledger", "records are", "seconds", "records/s", f"of {PACE} requests/s", "the target says"), rows)
    print(text)
    if options.write:
        command = f"python -m benchmarks.writes --records {options.records} --write"
        write_section("Writes", command, f"{options.records:,} customers at {LATENCY_MS} ms, with start-up.\n\n{text}")


def _rows(folder: Path, ledger: tuple[str, str], records: int) -> Iterator[tuple[str, ...]]:
    where, ledger_url = ledger
    with sandbox(customers=100, latency_ms=LATENCY_MS) as url:
        config = {"api_key": KEY, "api_url": url, "ledger_url": ledger_url, "rejects_path": f"{folder}/rejects.singer"}
        for what in ("create", "unchanged"):
            yield where, *_measured(folder, config, what, records)


def _measured(folder: Path, config: dict[str, str], what: str, records: int) -> tuple[str, ...]:
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
