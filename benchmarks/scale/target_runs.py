"""The target with records that its ledger has: it looks each of them up, and writes none."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from sqlalchemy import insert, select

from benchmarks.processes import KEY
from fieldpulse_sandbox.sandbox import Sandbox
from target_fieldpulse.ledger.database import LedgerDatabase
from target_fieldpulse.ledger.tables import ENTRIES

from .measured import Run, run_target

_ENTRIES_PER_STATEMENT = 10_000
_VALUES = {
    "first_name": "Ann",
    "last_name": "Benchmark",
    "company_name": "Benchmark Heating and Cooling",
    "address_1": "12 Long Street",
    "city": "Springfield",
    "state": "IL",
    "zip_code": "62701",
    "notes": "Rings twice. The gate is open from nine to five, and the dog is friendly.",
}


def known_records(folder: Path, rows: int, ledger_url: str, what: str) -> Run:
    """Return the run of the target that gets the record of each entry of a ledger.

    The target creates the first row. The entries of the others are copies of its entry, with keys of their own.
    """
    with Sandbox(customers=10, api_key=KEY) as sandbox:
        config = {"api_key": KEY, "api_url": sandbox.url, "ledger_url": ledger_url, "rejects_path": f"{folder}/rejects"}
        run_target(folder, config, _lines(1))
        _fill(ledger_url, rows)
        run = run_target(folder, config, _lines(rows))
    if f" {rows} unchanged " not in run.log or run.state != {"read": rows}:
        raise SystemExit(f"{what}: not all records were unchanged; no figure\n{run.log}")
    return run.checked(what, rows, {})


def _lines(count: int) -> Iterator[bytes]:
    properties: dict[str, Any] = {name: {} for name in ("external_id", *_VALUES)}
    schema = {"type": "SCHEMA", "stream": "customers", "schema": {"properties": properties}, "key_properties": []}
    yield json.dumps(schema).encode() + b"\n"
    values = json.dumps(_VALUES)[1:-1]
    for number in range(count):
        record = f'{{"external_id": "{number:09}", {values}}}'
        yield f'{{"type": "RECORD", "stream": "customers", "record": {record}}}\n'.encode()
    yield json.dumps({"type": "STATE", "value": {"read": count}}).encode() + b"\n"


def _fill(ledger_url: str, rows: int) -> None:
    """Add entries for all records but the first."""
    database = LedgerDatabase(ledger_url)
    with database.begin() as connection:
        entry = dict(connection.execute(select(ENTRIES)).mappings().one())
    numbers = iter(range(1, rows))
    while chunk := list(islice(numbers, _ENTRIES_PER_STATEMENT)):
        entries = [{**entry, "source_key": f"{number:09}", "row_id": entry["row_id"] + number} for number in chunk]
        with database.begin() as connection:
            connection.execute(insert(ENTRIES), entries)
    database.close()
