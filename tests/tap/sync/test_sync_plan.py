"""The plan of a stream: it follows from the resource, the settings, the state and the snapshot."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from fieldpulse_api.resources.catalogue import BY_NAME, RESOURCES
from fieldpulse_api.resources.model import Operation
from tap_fieldpulse.settings import TAP_SETTINGS, TapSettings
from tap_fieldpulse.sync.sync_plan import ReadMode, StreamSelection, SyncPlan, Tracking, decide

NOW = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)
BOOKMARK = {"replication_key": "updated_at", "replication_key_value": "2026-02-01T00:00:00Z"}
CHILD_BOOKMARK = {"parents": BOOKMARK, "full_at": "2026-02-27T00:00:00Z"}
DEFAULTS = {name: schema["default"] for name, schema in TAP_SETTINGS.items() if "default" in schema}
FULL, INCREMENTAL = ReadMode.FULL, ReadMode.INCREMENTAL
ALL, CHANGED = ReadMode.ALL_CHILDREN, ReadMode.CHANGED_CHILDREN
EVENTS = StreamSelection(is_incremental=True, has_change_events=True)


def plan_for(
    stream: str = "jobs",
    settings: dict[str, Any] | None = None,
    state: dict[str, Any] | None = None,
    *,
    selection: StreamSelection | None = None,
    filters_digest: str | None = None,
    has_baseline: bool = False,
) -> SyncPlan:
    return decide(
        BY_NAME[stream],
        TapSettings.from_config({**DEFAULTS, **(settings or {})}),
        state or {},
        selection=selection or StreamSelection(is_incremental=True, has_change_events=False),
        filters_digest=filters_digest,
        has_baseline=has_baseline,
        now=NOW,
    )


@pytest.mark.parametrize(
    ("mode", "stream", "settings", "state"),
    [
        (FULL, "jobs", {}, {}),
        (INCREMENTAL, "jobs", {}, BOOKMARK),
        (INCREMENTAL, "jobs", {"start_date": "2026-01-01T00:00:00Z"}, {}),
        (FULL, "jobs", {}, {**BOOKMARK, "replication_key": "created_at"}),
        (FULL, "jobs", {"detect_deletes": True}, BOOKMARK),
        (FULL, "lead_sources", {}, BOOKMARK),
        (ALL, "customer_contacts", {}, {}),
        (CHANGED, "customer_contacts", {}, CHILD_BOOKMARK),
        (CHANGED, "customer_contacts", {"detect_deletes": True}, CHILD_BOOKMARK),
        (ALL, "customer_contacts", {}, {**CHILD_BOOKMARK, "full_at": None}),
        (ALL, "customer_contacts", {"contacts_full_refresh_days": 2}, CHILD_BOOKMARK),
        (ALL, "customer_contacts", {}, {**CHILD_BOOKMARK, "full_at": "2027-01-01T00:00:00Z"}),
        (ALL, "customer_contacts", {}, {"full_at": CHILD_BOOKMARK["full_at"]}),
    ],
)
def test_the_read_mode_follows_from_settings_and_state(
    mode: ReadMode, stream: str, settings: dict[str, Any], state: dict[str, Any]
) -> None:
    """A bookmark or a start date makes a scan incremental, unless deletes are detected or all children are due."""
    assert plan_for(stream, settings, state).mode is mode


def test_a_full_table_stream_has_no_bookmark() -> None:
    """A bookmark of an earlier, incremental run is ignored."""
    plan = plan_for(state=BOOKMARK, selection=StreamSelection(is_incremental=False, has_change_events=False))
    assert (plan.mode, plan.bookmark, plan.since) == (FULL, None, None)


def test_the_lookback_moves_since_before_the_bookmark() -> None:
    """The scan starts at `since`, and the bookmark itself does not change."""
    plan = plan_for(settings={"lookback_seconds": 3600}, state=BOOKMARK)
    bookmark = datetime(2026, 2, 1, tzinfo=timezone.utc)
    assert plan.bookmark is not None
    assert (plan.bookmark.previous, plan.since) == (bookmark, bookmark - timedelta(hours=1))


@pytest.mark.parametrize(
    ("has_baseline", "state", "mode", "compares", "reports"),
    [
        (False, {}, FULL, True, False),
        (False, BOOKMARK, FULL, True, False),
        (True, BOOKMARK, FULL, True, True),
        (True, {**BOOKMARK, "events": True}, INCREMENTAL, False, True),
        (False, {**BOOKMARK, "events": True}, FULL, True, False),
    ],
)
def test_change_events_need_a_baseline_and_a_last_run_that_tracked_them(
    has_baseline: bool, state: dict[str, Any], mode: ReadMode, compares: bool, reports: bool
) -> None:
    """Otherwise all rows are compared once. Without a baseline no change is reported."""
    plan = plan_for(state=state, selection=EVENTS, has_baseline=has_baseline)
    assert plan.tracking is Tracking.CONTENTS
    assert (plan.mode, plan.compares_unchanged_rows, plan.reports_changes) == (mode, compares, reports)


@pytest.mark.parametrize(
    ("settings", "selection", "sends_filters"),
    [({}, None, True), ({"detect_deletes": True}, None, False), ({}, EVENTS, False)],
)
def test_filters_are_sent_only_if_other_rows_need_not_be_read(
    settings: dict[str, Any], selection: StreamSelection | None, sends_filters: bool
) -> None:
    """A row that stops matching is neither deleted nor unchanged."""
    assert plan_for(settings=settings, selection=selection).sends_filters is sends_filters


def test_changed_filters_discard_the_bookmark_and_report_no_created_rows() -> None:
    """An unknown row may only be new to the filters."""
    state = {**BOOKMARK, "filters": "old", "events": True}
    plan = plan_for(state=state, selection=EVENTS, filters_digest="new", has_baseline=True)
    assert plan.discards_bookmark
    assert plan.since is None
    assert not plan.reports_created
    same = plan_for(state=state, selection=EVENTS, filters_digest="old", has_baseline=True)
    assert not same.discards_bookmark
    assert same.reports_created


def test_the_first_run_with_filters_has_no_bookmark_to_discard() -> None:
    """The log therefore does not report changed filters."""
    assert not plan_for(filters_digest="new").discards_bookmark


@pytest.mark.parametrize("stream", [resource.name for resource in RESOURCES])
def test_deletes_are_detected_for_every_stream_that_can_be_read_by_id(stream: str) -> None:
    """In other streams, a deleted row looks the same as a row that the list skipped."""
    plan = plan_for(stream, {"detect_deletes": True})
    can_read_by_id = Operation.GET in BY_NAME[stream].operations
    assert plan.detects_deletes is can_read_by_id
    assert plan.tracking is (Tracking.IDS if can_read_by_id else Tracking.NOTHING)


@pytest.mark.parametrize(
    ("stream", "uses_hints"), [("jobs", True), ("customer_contacts", False), ("lead_sources", False)]
)
def test_webhook_hints_are_read_for_streams_that_an_id_alone_identifies(stream: str, uses_hints: bool) -> None:
    """Without a token no hints are read."""
    assert plan_for(stream, {"webhook_token": "t" * 32}).reads_webhook_hints is uses_hints
    assert not plan_for(stream).reads_webhook_hints


def test_a_connection_test_uses_no_database() -> None:
    """It opens neither the snapshot nor the inbox."""
    selection = StreamSelection(is_incremental=True, has_change_events=True, is_connection_test=True)
    plan = plan_for(settings={"detect_deletes": True, "webhook_token": "t" * 32}, selection=selection)
    assert plan.tracking is Tracking.NOTHING
    assert not plan.detects_deletes
    assert not plan.reads_webhook_hints


def test_events_of_a_stream_outside_the_setting_are_not_tracked() -> None:
    """`change_event_streams` adds to the four default streams."""
    assert plan_for("users", selection=EVENTS).tracking is Tracking.NOTHING
    assert plan_for("users", {"change_event_streams": ["users"]}, selection=EVENTS).tracking is Tracking.CONTENTS


def test_the_plan_in_the_log_names_mode_and_options() -> None:
    """The plan is one line per stream, at DEBUG."""
    plan = plan_for(settings={"detail_streams": ["jobs"]}, state=BOOKMARK)
    options = "sends_filters, reports_created, reads_details"
    assert str(plan) == f"incremental scan since 2026-01-31T23:59:00+00:00, tracks nothing, {options}"
