"""Nights in which the clock of an account is put back: every change comes in the run after it."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from fieldpulse_sandbox.behaviour.switches import Behaviour
from fieldpulse_sandbox.sandbox import Sandbox
from tap_fieldpulse.tap import TapFieldPulse
from tests.harness.tap_runner import run_tap, select_streams

_BEFORE, _MINUTES = timedelta(minutes=70), 140


@pytest.mark.parametrize(
    ("zone", "transition"),
    [
        ("America/Chicago", "2026-11-01T07:00"),
        ("Australia/Lord_Howe", "2027-04-03T15:00"),
    ],
)
def test_a_change_is_never_behind_its_bookmark(zone: str, transition: str, tmp_path: Path) -> None:
    """A row changes every minute, each another one, and the tap runs every ten minutes.

    A time without a zone may then be one of two moments, half an hour apart in Lord Howe.
    """
    at = datetime.fromisoformat(transition).replace(tzinfo=timezone.utc)
    clock = [(at - _BEFORE).timestamp()]
    with Sandbox(customers=150, behaviour=Behaviour(time_zone=zone), clock=lambda: clock[0]) as sandbox:
        config = {"api_key": sandbox.key, "api_url": sandbox.url, "rate_limit_store": "memory", "timezone": zone}
        config |= {"lookback_seconds": 0, "snapshot_url": f"sqlite:///{tmp_path}/snapshot.db"}
        catalog = select_streams(TapFieldPulse(config=config), ["customers", "change_events"])
        state = run_tap(config, catalog=catalog).messages[-1]["value"]
        unchanged = iter([row["id"] for row in sandbox.rows("customers")])
        changed: dict[int, str] = {}
        for minute in range(1, _MINUTES + 1):
            clock[0] += 60
            row_id = next(unchanged)
            changed[row_id] = f"changed in minute {minute}"
            sandbox.store.update("customers", row_id, {"notes": changed[row_id]})
            if minute % 10 == 0:
                result = run_tap(config, catalog=catalog, state=state)
                state = result.messages[-1]["value"]
                emitted = {row["id"]: row["notes"] for row in result.records["customers"]}
                assert changed.items() <= emitted.items()
                assert changed.keys() <= {event["object_id"] for event in result.records["change_events"]}
                changed.clear()


@pytest.mark.parametrize("minutes", [-1, 0, 29, 59])
def test_a_start_date_in_the_repeated_hour_reads_all_of_it(minutes: int) -> None:
    """The first run has no bookmark, and must not take a row of the second hour for older than its start."""
    start = datetime(2026, 11, 1, 7, tzinfo=timezone.utc) + timedelta(minutes=minutes)
    zone, now = "America/Chicago", (start + timedelta(seconds=30)).timestamp()
    with Sandbox(customers=5, behaviour=Behaviour(time_zone=zone), clock=lambda: now) as sandbox:
        row = sandbox.store.update("customers", sandbox.rows("customers")[0]["id"], {"notes": "changed"})
        config = {"api_key": sandbox.key, "api_url": sandbox.url, "rate_limit_store": "memory", "timezone": zone}
        result = run_tap(config | {"start_date": start.isoformat()}, "customers")
    assert row["id"] in [record["id"] for record in result.records["customers"]]
