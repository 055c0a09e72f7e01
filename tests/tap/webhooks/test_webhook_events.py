"""The stream `webhook_events`: it emits each delivery until its state is returned."""

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
def webhook_config(snapshot_config: Config) -> Config:
    """Return the configuration of a tap with a webhook receiver."""
    return snapshot_config | {"webhook_token": TOKEN}


def deliver(config: Config, *bodies: Json) -> None:
    store_deliveries(str(config["snapshot_url"]), *bodies)


def stored_ids(config: Config, account: str = ACCOUNT) -> list[int]:
    """Return the ids that the stored deliveries name."""
    inbox = Inbox(str(config["snapshot_url"]))
    object_ids = [row["object_id"] for row in inbox.read_after(account, 0)]
    inbox.close()
    return object_ids


def ids(emitted: RunResult) -> list[int]:
    """Return the ids that the emitted deliveries name."""
    return [record["object_id"] for record in emitted.records[NAME]]


def test_each_delivery_is_a_record(webhook_config: Config) -> None:
    """Records are emitted in the order of arrival, and are valid by the schema."""
    unknown = created_delivery(9, account=ACCOUNT) | {"trigger": "Robot Created"}
    deliver(
        webhook_config,
        status_delivery(7, 5, account=ACCOUNT),
        created_delivery(3, noun="Invoice", account=ACCOUNT),
        unknown,
    )
    deliver(webhook_config, status_delivery(7, 5, account=ACCOUNT), created_delivery(8, account="2"))
    emitted = run_tap(webhook_config, NAME)
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


def test_deliveries_are_repeated_until_their_state_is_returned(webhook_config: Config, url: str) -> None:
    """They have the same keys each time, in PostgreSQL and in a file."""
    webhook_config |= {"snapshot_url": url}
    deliver(webhook_config, created_delivery(1, account=ACCOUNT), created_delivery(2, account=ACCOUNT))
    first, again = (run_tap(webhook_config, NAME) for _ in range(2))
    assert ids(first) == [1, 2]
    assert again.records == first.records
    deliver(webhook_config, created_delivery(3, account=ACCOUNT))
    second = run_tap(webhook_config, NAME, state=first.state)
    assert ids(second) == [3]
    assert ids(run_tap(webhook_config, NAME, state=second.state)) == []
    assert second.state["bookmarks"][NAME]["replication_key_value"] == second.records[NAME][0]["sequence"]


def test_a_start_date_does_not_apply_to_deliveries(webhook_config: Config) -> None:
    """The SDK would compare the date with a sequence number."""
    deliver(webhook_config, created_delivery(1, account=ACCOUNT))
    assert ids(run_tap(webhook_config | {"start_date": "2026-01-01T00:00:00Z"}, NAME)) == [1]


@pytest.mark.parametrize(
    "bookmark",
    [
        {},
        {"replication_key": "sequence", "replication_key_value": "x"},
        {"a": 1},
        {"replication_key": "sequence", "replication_key_value": 10**30},
    ],
)
def test_an_invalid_sequence_in_the_state_reads_all_deliveries(webhook_config: Config, bookmark: Json) -> None:
    """A repeated delivery has the same key."""
    deliver(webhook_config, created_delivery(1, account=ACCOUNT))
    assert ids(run_tap(webhook_config, NAME, state={"bookmarks": {NAME: bookmark}})) == [1]


def test_a_lost_store_hides_no_later_delivery(webhook_config: Config, tmp_path: Path) -> None:
    """The number in the state is below those of the new store."""
    deliver(webhook_config, *(created_delivery(row_id, account=ACCOUNT) for row_id in (1, 2, 3)))
    state = run_tap(webhook_config, NAME).state
    for path in tmp_path.glob("*webhooks*"):
        path.unlink()
    deliver(webhook_config, created_delivery(4, account=ACCOUNT))
    assert ids(run_tap(webhook_config, NAME, state=state)) == [4]


@pytest.mark.parametrize(("streams", "remaining"), [((NAME,), [2]), (("jobs",), [2]), ((NAME, "jobs"), [2])])
def test_confirmed_deliveries_are_deleted_after_a_week(
    sandbox: Sandbox, webhook_config: Config, tmp_path: Path, streams: tuple[str, ...], remaining: list[int]
) -> None:
    """A later run confirms them: by the bookmark of the events, or of the hints if events were never read."""
    deliver(webhook_config, created_delivery(1, account=ACCOUNT))
    age_deliveries(tmp_path / "snapshot-webhooks.db", days=8)
    first = run_tap(webhook_config, *streams)
    deliver(webhook_config, created_delivery(2, account=ACCOUNT))
    age_deliveries(tmp_path / "snapshot-webhooks.db", days=8)
    assert stored_ids(webhook_config) == [1, 2]
    run_tap(webhook_config, *streams, state=first.state)
    assert stored_ids(webhook_config) == remaining


def test_deselected_events_do_not_block_the_purge(webhook_config: Config, tmp_path: Path) -> None:
    """Their bookmark no longer moves, so the hints confirm deliveries."""
    deliver(webhook_config, created_delivery(1, account=ACCOUNT))
    state = run_tap(webhook_config, NAME, "jobs").state
    deliver(webhook_config, created_delivery(2, account=ACCOUNT))
    state = run_tap(webhook_config, "jobs", state=state).state
    age_deliveries(tmp_path / "snapshot-webhooks.db", days=8)
    run_tap(webhook_config, "jobs", state=state)
    assert stored_ids(webhook_config) == []


def test_newly_selected_events_include_deliveries_that_hints_confirmed(webhook_config: Config, tmp_path: Path) -> None:
    """A user who selects them later receives what is still stored."""
    deliver(webhook_config, created_delivery(1, account=ACCOUNT))
    state = run_tap(webhook_config, "jobs").state
    age_deliveries(tmp_path / "snapshot-webhooks.db", days=8)
    assert ids(run_tap(webhook_config, NAME, "jobs", state=state)) == [1]


def test_unread_deliveries_are_deleted_after_a_month_and_logged(
    webhook_config: Config, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Deliveries of every company are deleted."""
    deliver(webhook_config, created_delivery(1, account="2"), created_delivery(2, account="3"))
    age_deliveries(tmp_path / "snapshot-webhooks.db", days=31)
    run_tap(webhook_config, NAME)
    assert "Deleted 2 unread webhook deliveries older than 30 days" in caplog.text
    assert stored_ids(webhook_config, "2") == []


def test_the_stream_is_not_selected_by_default() -> None:
    """Most accounts have no receiver."""
    tap = TapFieldPulse(config={}, validate_config=False, setup_mapper=False)
    (entry,) = [each for each in tap.catalog_dict["streams"] if each["tap_stream_id"] == NAME]
    assert not entry["metadata"][-1]["metadata"].get("selected-by-default", False)
    assert entry["replication_key"] == "sequence"
    assert entry["key_properties"] == ["event_key"]
