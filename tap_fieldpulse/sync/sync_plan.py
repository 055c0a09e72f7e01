"""Decides how one stream is read in one run. Pure, so that every combination can be tested in a table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from enum import Enum
from typing import Any

from typing_extensions import override

from fieldpulse_api.resources.catalogue import BY_NAME
from fieldpulse_api.resources.model import Operation, Resource, WritableResource
from tap_fieldpulse.reading.bookmark import Bookmark
from tap_fieldpulse.settings import MAX_CLOCK_SKEW, TapSettings, parse_time


class ReadMode(Enum):
    """Which rows are read."""

    FULL = "full scan"
    INCREMENTAL = "incremental scan"
    ALL_CHILDREN = "children of all parents"
    CHANGED_CHILDREN = "children of changed parents"


class Tracking(Enum):
    """What the snapshot keeps of each row, for later runs to compare with."""

    NOTHING = "nothing"
    IDS = "ids"  # enough to detect deletes
    CONTENTS = "contents"  # needed for change events, and to tell what a target of ours has changed


@dataclass(frozen=True, kw_only=True)
class StreamSelection:
    """What the catalog asks of a stream. A connection test must leave no database behind."""

    is_incremental: bool
    has_change_events: bool
    is_connection_test: bool = False


@dataclass(frozen=True, kw_only=True)
class SyncPlan:
    """How one stream is read in one run.

    `bookmark` and `since` belong to the parent resource in the two child modes. `since` is None for all rows.
    `start_date` is from when on rows were ever read, and `ignores_start_date` says that the setting is earlier now.
    `reports_changes` says that the snapshot holds the full list of an earlier run: without it, every row would look
    created. After a change of filters, `discards_bookmark` reads the stream from the start, and `reports_created` is
    False: an unknown row need not be new then. `reads_deleted_list`: the server lists deleted rows, so that the list of
    all others is not needed to find them.
    `skips_echoes` leaves out what a target of ours wrote. `has_seen_rows`: the state continues a run that kept the
    contents of the rows that it emitted; without it, as after a full refresh, each row is taken for new.
    """

    mode: ReadMode
    bookmark: Bookmark | None = None
    since: datetime | None = None
    start_date: datetime | None = None
    ignores_start_date: bool = False
    children_full_at: datetime | None = None
    discards_bookmark: bool = False
    sends_filters: bool = True
    tracking: Tracking = Tracking.NOTHING
    compares_unchanged_rows: bool = False
    reports_changes: bool = False
    skips_echoes: bool = False
    has_seen_rows: bool = False
    reports_created: bool = True
    detects_deletes: bool = False
    reads_deleted_list: bool = False
    reads_details: bool = False
    reads_webhook_hints: bool = False

    @property
    def reads_full_list(self) -> bool:
        """Return whether no row is left out on purpose."""
        return self.mode in (ReadMode.FULL, ReadMode.ALL_CHILDREN)

    @override
    def __str__(self) -> str:
        flags = [field.name for field in fields(self) if getattr(self, field.name) is True]
        since = f" since {self.since.isoformat()}" if self.since and not self.reads_full_list else ""
        return f"{self.mode.value}{since}, tracks {self.tracking.value}, {', '.join(flags) or 'no options'}"


def tracking_for(resource: Resource, settings: TapSettings, selection: StreamSelection) -> Tracking:
    """Return what the snapshot keeps of the stream's rows."""
    if selection.is_connection_test:
        return Tracking.NOTHING
    if _reports_events(resource, settings, selection) or _skips_echoes(resource, settings):
        return Tracking.CONTENTS
    return Tracking.IDS if _detects_deletes(resource, settings, selection) else Tracking.NOTHING


def decide(
    resource: Resource,
    settings: TapSettings,
    state: Mapping[str, Any],
    *,
    selection: StreamSelection,
    filters_digest: str | None,
    has_baseline: bool,
    now: datetime,
) -> SyncPlan:
    """Return how the stream is read. `has_baseline` says that the snapshot holds the full list of an earlier run.

    The full list is needed to detect deletes, unless the profile says that the server lists deleted rows and the
    snapshot has a baseline. It is also needed as a baseline for change events. If the last run did not keep
    contents, the rows that changed then are unknown: all rows are compared once. A filtered request is only sent if
    neither deletes nor changes are looked for, since rows that stop matching a filter must be seen.

    Raises: ConfigError for a state that holds no valid time.
    """
    tracking = tracking_for(resource, settings, selection)
    detects_deletes = _detects_deletes(resource, settings, selection)
    tracks_contents = tracking is Tracking.CONTENTS
    skips_echoes = _skips_echoes(resource, settings) and not selection.is_connection_test
    missed_changes = tracks_contents and state.get("events") is not True
    compares_unchanged_rows = tracking is not Tracking.NOTHING and (not has_baseline or missed_changes)
    needs_baseline = tracks_contents and compares_unchanged_rows
    filters_changed = state.get("filters") != filters_digest

    bookmark, since, children_full_at, start_date = None, None, None, None
    discards_bookmark = reads_deleted_list = ignores_start_date = False
    if resource.parent:
        bookmark = _parent_bookmark(resource, state)
        since = bookmark.since(None, settings.lookback_seconds, settings.zone)
        children_full_at = parse_time(state.get("full_at"), f"state · stream {resource.name}")
        reads_all = needs_baseline or since is None or _is_refresh_due(children_full_at, settings, now)
        mode = ReadMode.ALL_CHILDREN if reads_all else ReadMode.CHANGED_CHILDREN
    else:
        if selection.is_incremental and resource.updated_column:
            bookmark = Bookmark.from_state(state, resource.updated_column, resource.name)
            discards_bookmark = filters_changed and bookmark.previous is not None
            if discards_bookmark:
                bookmark.previous = None
            since = bookmark.since(settings.start_date, settings.lookback_seconds, settings.zone)
            start_date, ignores_start_date = _first_start(state, settings, bookmark)
        reads_deleted_list = detects_deletes and has_baseline and settings.profile.lists_deleted_rows is True
        reads_all = needs_baseline or (detects_deletes and not reads_deleted_list) or since is None
        mode = ReadMode.FULL if reads_all else ReadMode.INCREMENTAL

    return SyncPlan(
        mode=mode,
        bookmark=bookmark,
        since=since,
        start_date=start_date,
        ignores_start_date=ignores_start_date,
        children_full_at=children_full_at,
        discards_bookmark=discards_bookmark,
        sends_filters=not tracks_contents and not detects_deletes,
        tracking=tracking,
        compares_unchanged_rows=compares_unchanged_rows,
        reports_changes=_reports_events(resource, settings, selection) and has_baseline,
        skips_echoes=skips_echoes,
        has_seen_rows=skips_echoes and bookmark is not None and bookmark.previous is not None and not missed_changes,
        reports_created=not filters_changed,
        detects_deletes=detects_deletes,
        reads_deleted_list=reads_deleted_list,
        reads_details=resource.name in settings.detail_streams,
        reads_webhook_hints=bool(settings.webhook_token)
        and not selection.is_connection_test
        and _can_read_by_id_alone(resource),
    )


def _first_start(state: Mapping[str, Any], settings: TapSettings, bookmark: Bookmark) -> tuple[datetime | None, bool]:
    """Return the earliest `start_date` so far, and whether the setting now asks for rows that were never read."""
    if bookmark.previous is None:
        return settings.start_date, False
    first = parse_time(state.get("start_date"), f"state · stream {bookmark.stream}")
    return first, first is not None and (settings.start_date is None or settings.start_date < first)


def _reports_events(resource: Resource, settings: TapSettings, selection: StreamSelection) -> bool:
    is_wanted = selection.has_change_events and resource.name in settings.event_streams
    return is_wanted and not selection.is_connection_test


def _skips_echoes(resource: Resource, settings: TapSettings) -> bool:
    return bool(settings.skip_written_by) and isinstance(resource, WritableResource)


def _detects_deletes(resource: Resource, settings: TapSettings, selection: StreamSelection) -> bool:
    can_read_by_id = Operation.GET in resource.operations
    return settings.detect_deletes and can_read_by_id and not selection.is_connection_test


def _can_read_by_id_alone(resource: Resource) -> bool:
    return resource.item_path is not None and resource.parent is None and Operation.GET in resource.operations


def _parent_bookmark(resource: Resource, state: Mapping[str, Any]) -> Bookmark:
    column = str(BY_NAME[str(resource.parent)].updated_column)
    parents = state.get("parents")
    return Bookmark.from_state(parents if isinstance(parents, dict) else {}, column, resource.name)


def _is_refresh_due(full_at: datetime | None, settings: TapSettings, now: datetime) -> bool:
    """Return whether the children of all parents are due; a `full_at` in the future is not trusted."""
    if full_at is None:
        return True
    return not -MAX_CLOCK_SKEW <= now - full_at < timedelta(days=settings.contacts_full_refresh_days)
