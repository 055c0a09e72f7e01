"""The stream `webhook_events` carries each delivery until the state behind it came back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator

from fieldpulse_sandbox.sandbox import Sandbox
from fieldpulse_sandbox.schema.table_shapes import COMPANY_ID
from tap_fieldpulse.tap import TapFieldPulse
from tap_fieldpulse.webhooks.inbox import Inbox
from tests.harness.receiver import (
    TOKEN,
    Json,
    age_deliveries,
    created_delivery,
    status_delivery,
    store_deliveries,
)
from tests.harness.results import RunResult
from tests.harness.tap_runner import run_tap

Config = dict[str, Any]
ACCOUNT = str(COMPANY_ID)
NAME = "webhook_events"


@pytest.fixture
def receiving(watching: Config) -> Config:
    """Return the configuration of a tap that has a receiver."""
    return watching | {"webhook_token": TOKEN}


def deliver(config: Config, *bodies: Json) -> None:
    store_deliveries(str(config["snapshot_url"]), *bodies)


def stored_ids(config: Config, account: str = ACCOUNT) -> list[int]:
    """Return the ids that the stored deliveries name."""
    inbox = Inbox(str(config["snapshot_url"]))
    object_ids = [row["object_id"] for row in inbox.read_after(account, 0)]
    inbox.close()
    return object_ids


def ids(emitted: RunResult) -> list[int]:
    """Return the ids that the deliveries name."""
    return [record["object_id"] for record in emitted.records[NAME]]


def test_each_delivery_is_a_record(receiving: Config) -> None:
    """In the order in which they came, and as the schema says."""
    unknown = created_delivery(9, account=ACCOUNT) | {"trigger": "Robot Created"}
    deliver(
        receiving, status_delivery(7, 5, account=ACCOUNT), created_delivery(3, noun="Invoice", account=ACCOUNT), unknown
    )
    deliver(receiving, status_delivery(7, 5, account=ACCOUNT), created_delivery(8, account="2"))
    emitted = run_tap(receiving, NAME)
    emitted_events = [
        (record["event"], record["object_type"], record["object_id"], record["deliveries"])
        for record in emitted.records[NAME]
    ]
    assert emitted_events == [
        ("job_workflow_custom_status_update", "job", 7, 2),
        ("invoice_created", "invoice", 3, 1),
        ("unknown", None, 9, 1),
    ]
    validator = Draft7Validator(emitted.schemas[NAME], format_checker=Draft7Validator.FORMAT_CHECKER)
    for record in emitted.records[NAME]:
        validator.validate(record)


def test_deliveries_come_until_their_state_came_back(receiving: Config, url: str) -> None:
    """Alike each time, by their keys; in PostgreSQL as in a file."""
    receiving |= {"snapshot_url": url}
    deliver(receiving, created_delivery(1, account=ACCOUNT), created_delivery(2, account=ACCOUNT))
    first, again = (run_tap(receiving, NAME) for _ in range(2))
    assert ids(first) == [1, 2]
    assert again.records == first.records
    deliver(receiving, created_delivery(3, account=ACCOUNT))
    second = run_tap(receiving, NAME, state=first.state)
    assert ids(second) == [3]
    assert ids(run_tap(receiving, NAME, state=second.state)) == []
    assert second.state["bookmarks"][NAME]["replication_key_value"] == second.records[NAME][0]["sequence"]


def test_a_start_date_is_no_number(receiving: Config) -> None:
    """The SDK would compare it with one."""
    deliver(receiving, created_delivery(1, account=ACCOUNT))
    assert ids(run_tap(receiving | {"start_date": "2026-01-01T00:00:00Z"}, NAME)) == [1]


@pytest.mark.parametrize(
    "bookmark",
    [
        {},
        {"replication_key": "sequence", "replication_key_value": "x"},
        {"a": 1},
        {"replication_key": "sequence", "replication_key_value": 10**30},
    ],
)
def test_a_state_that_names_no_number_reads_all(receiving: Config, bookmark: Json) -> None:
    """What comes again has the same key."""
    deliver(receiving, created_delivery(1, account=ACCOUNT))
    assert ids(run_tap(receiving, NAME, state={"bookmarks": {NAME: bookmark}})) == [1]


def test_a_store_that_was_lost_hides_nothing_that_comes_later(receiving: Config, tmp_path: Path) -> None:
    """The state's number is below those of the new one."""
    deliver(receiving, *(created_delivery(row_id, account=ACCOUNT) for row_id in (1, 2, 3)))
    state = run_tap(receiving, NAME).state
    for path in tmp_path.glob("*webhooks*"):
        path.unlink()
    deliver(receiving, created_delivery(4, account=ACCOUNT))
    assert ids(run_tap(receiving, NAME, state=state)) == [4]


@pytest.mark.parametrize(("streams", "remaining"), [((NAME,), [2]), (("jobs",), [2]), ((NAME, "jobs"), [2])])
def test_what_a_later_run_confirms_is_forgotten_after_a_week(
    box: Sandbox, receiving: Config, tmp_path: Path, streams: tuple[str, ...], remaining: list[int]
) -> None:
    """By the bookmark of the events, and where they were never read, by the hints'; never by the run that read it."""
    deliver(receiving, created_delivery(1, account=ACCOUNT))
    age_deliveries(tmp_path / "snapshot-webhooks.db", days=8)
    first = run_tap(receiving, *streams)
    deliver(receiving, created_delivery(2, account=ACCOUNT))
    age_deliveries(tmp_path / "snapshot-webhooks.db", days=8)
    assert stored_ids(receiving) == [1, 2]
    run_tap(receiving, *streams, state=first.state)
    assert stored_ids(receiving) == remaining


def test_events_that_are_no_longer_wanted_keep_nothing_back(receiving: Config, tmp_path: Path) -> None:
    """Their bookmark stays at its old number; hints then confirm."""
    deliver(receiving, created_delivery(1, account=ACCOUNT))
    state = run_tap(receiving, NAME, "jobs").state
    deliver(receiving, created_delivery(2, account=ACCOUNT))
    state = run_tap(receiving, "jobs", state=state).state
    age_deliveries(tmp_path / "snapshot-webhooks.db", days=8)
    run_tap(receiving, "jobs", state=state)
    assert stored_ids(receiving) == []


def test_events_that_are_new_are_not_what_hints_confirmed(receiving: Config, tmp_path: Path) -> None:
    """Who selects them later gets what is there."""
    deliver(receiving, created_delivery(1, account=ACCOUNT))
    state = run_tap(receiving, "jobs").state
    age_deliveries(tmp_path / "snapshot-webhooks.db", days=8)
    assert ids(run_tap(receiving, NAME, "jobs", state=state)) == [1]


def test_what_nobody_reads_is_deleted_after_a_month_and_told(
    receiving: Config, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Of whatever company it says that it is."""
    deliver(receiving, created_delivery(1, account="2"), created_delivery(2, account="3"))
    age_deliveries(tmp_path / "snapshot-webhooks.db", days=31)
    run_tap(receiving, NAME)
    assert "Deleted 2 unread webhook deliveries older than 30 days" in caplog.text
    assert stored_ids(receiving, "2") == []


def test_it_is_not_selected_unless_asked_for() -> None:
    """Most accounts have no receiver."""
    tap = TapFieldPulse(config={}, validate_config=False, setup_mapper=False)
    (entry,) = [each for each in tap.catalog_dict["streams"] if each["tap_stream_id"] == NAME]
    assert not entry["metadata"][-1]["metadata"].get("selected-by-default", False)
    assert entry["replication_key"] == "sequence"
    assert entry["key_properties"] == ["event_key"]
