"""A history of many runs, written at once."""

from __future__ import annotations

import json
import uuid
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import insert

from fieldpulse_api.http.traffic import TrafficFacts
from fieldpulse_plugin.history.facts import StreamFacts, now
from fieldpulse_plugin.history.tables import METADATA, RUNS, STORE, STREAMS, history_url
from fieldpulse_plugin.stores.database import open_database

CANARY = "Canary Name"
"""Stands for a value of a record."""
TRAFFIC = TrafficFacts(
    requests=900,
    retries=7,
    throttled=5,
    failed=2,
    bytes=12_345_678,
    latency_p50=0.11,
    latency_p95=0.32,
    latency_p99=0.9,
    latency_max=1.4,
    over_time=[(40 + number % 6, number % 9 // 8) for number in range(20)],
)


def write_runs(store_url: str, count: int, streams: list[StreamFacts], **columns: Any) -> None:
    """Write runs that began every five minutes until now; `columns` differ from those of a run that succeeded."""
    engine = open_database(history_url(store_url), METADATA, store=STORE)
    runs, rows = [], []
    for number in range(count):
        began = now() - timedelta(minutes=5 * number + 5)
        run_id = uuid.uuid4().hex
        runs.append({**_SUCCESS, **asdict(TRAFFIC), "run_id": run_id, "began_at": began, "seen_at": began, **columns})
        if not columns.get("is_open"):
            runs[-1]["ended_at"] = began + timedelta(seconds=21)
        rows += [{**asdict(stream), "run_id": run_id, "began_at": began} for stream in streams]
    with engine.begin() as connection:
        connection.execute(insert(RUNS), runs)
        if rows:
            connection.execute(insert(STREAMS), rows)
    engine.dispose()


def write_example(folder: Path) -> None:
    """Write histories and a plan with something of all that the page shows, and with names that are HTML."""
    names = ("customers", "jobs", "invoices", "estimates", "payments", "items", "teams", "users", "tags", "projects")
    lists = [
        StreamFacts(
            name=name,
            records=900 - 50 * number,
            requests=10 + number,
            server_count=900 - 50 * number + 5 * (name == "teams"),
            verdict="incomplete" if name == "teams" else "complete",
            new=number,
            changed=2 * number,
            deleted=number // 5,
            bookmark="2026-11-29T12:30:00+00:00",
            drift=["`status` has a code that the catalogue does not know: <9>"] * (name == "jobs"),
        )
        for number, name in enumerate(names)
    ]
    outcomes = [
        StreamFacts(name="customers", records=110, outcomes={"created": 60, "unchanged": 45, "rejected": 5}),
        StreamFacts(name="jobs", records=40, outcomes={"created": 30, "uncertain": 2, "unchanged": 8}),
    ]
    snapshot, ledger = (f"sqlite:///{folder}/{store}.db" for store in ("snapshot", "ledger"))
    target = {"plugin": "target-fieldpulse", "exit_status": 1}
    write_runs(snapshot, 100, lists, pipeline="tap-fieldpulse")
    write_runs(ledger, 60, outcomes, pipeline="tap-csv → target-fieldpulse", open_rejects=5, **target)
    html = "<script>alert(1)</script>"
    write_runs(ledger, 2, [], pipeline=html, reason=f"FieldPulse rejected it. ({html})", **target)
    plan = [
        {
            "action": "update",
            "stream": "customers",
            "key": f"lead-{number}",
            "fields": {
                "first_name": {"old": CANARY, "new": f"{CANARY} {html}"},
                "status": {"old": 2, "new": 3},
                "notes": {"old": CANARY, "new": None},
            },
            "words": {"status": {"old": "Quoted", "new": "Contacted"}},
            "id": number,
            "actions": {},
            "requests": 1,
        }
        for number in range(30)
    ]
    totals = {"action": "total", "update": 30, "requests": 30, "look_ups": 2, "seconds": 0.7, "timezone": "UTC"}
    (folder / "plan.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in [*plan, totals]))


_SUCCESS = {
    "plugin": "tap-fieldpulse",
    "pipeline": "tap-fieldpulse",
    "version": "0.1.0",
    "account": "42",
    "is_dry": False,
    "host": "elsewhere",
    "process_id": 1,
    "process_began": "1",
    "exit_status": 0,
    "reason": None,
    "requests_per_second": 45.0,
    "open_rejects": 0,
}
