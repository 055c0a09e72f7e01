"""The tap on a list of any length: a full read, and runs that compare it with the snapshot of the run before."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.processes import KEY

from .job_server import BLOCK, CHANGED
from .measured import Expectation, Run, run_tap

_LOOKED_BACK_AT = 7  # rows that an incremental run emits again: those of the last minute before the bookmark


def full_read(folder: Path, address: str, rows: int) -> Iterator[Run]:
    """Yield a full scan, and an incremental scan from a date before all rows: each row becomes a record."""
    catalog = _catalog("jobs")
    run = run_tap(folder, _config(address, rows, 0), catalog)
    yield run.checked("full read", rows, {"jobs": Expectation(rows)})
    run = run_tap(folder, _config(address, rows, 0) | {"start_date": "2024-01-01T00:00:00Z"}, catalog)
    yield run.checked("full read by `start_date`", rows, {"jobs": Expectation(rows)})


def runs_with_snapshot(folder: Path, address: str, rows: int) -> Iterator[Run]:
    """Yield the runs of a pipeline with change events and delete detection: each reads the whole list."""
    catalog = _catalog("jobs", "change_events", "deleted_rows")
    stores = {"snapshot_url": f"sqlite:///{folder}/snapshot.db", "detect_deletes": True}
    changed, deleted = rows // BLOCK * len(CHANGED), rows // BLOCK
    again, none = Expectation(_LOOKED_BACK_AT, or_less=True), Expectation(0)
    run = run_tap(folder, _config(address, rows, 0) | stores, catalog)
    yield run.checked("with events and deletes: first", rows, {"jobs": Expectation(rows), "change_events": none})
    run = run_tap(folder, _config(address, rows, 0) | stores, catalog, run.state)
    yield run.checked("nothing has changed", rows, {"jobs": again, "change_events": none})
    run = run_tap(folder, _config(address, rows, 1) | stores, catalog, run.state)
    expected = {
        "jobs": Expectation(changed + _LOOKED_BACK_AT, or_less=True),
        "change_events": Expectation(changed + deleted),
        "deleted_rows": Expectation(deleted),
    }
    yield run.checked("1 % has changed, some are deleted", rows, expected)
    config = _config(address, rows, 1) | stores | {"detect_deletes": False}
    run = run_tap(folder, config, catalog, run.state)
    yield run.checked("with events alone: nothing has changed", rows, {"jobs": again, "change_events": none})


def _config(address: str, rows: int, day: int) -> dict[str, Any]:
    return {"api_key": KEY, "api_url": f"{address}/{rows}/{day}", "rate_limit_store": "memory"}


def _catalog(*streams: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "tap_fieldpulse", "--discover"]
    ended = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True, cwd="/")
    catalog: dict[str, Any] = json.loads(ended.stdout)
    for entry in catalog["streams"]:
        root = next(metadata for metadata in entry["metadata"] if not metadata["breadcrumb"])
        root["metadata"]["selected"] = entry["tap_stream_id"] in streams
    return catalog
