"""The objects that the streams of one run share: client, account, snapshot, webhook inbox."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import cached_property
from typing import Any

from fieldpulse_api.errors import AuthenticationError, ConfigError, FieldPulseError
from fieldpulse_api.http.client import Client
from fieldpulse_api.http.responses import is_unknown_path
from fieldpulse_api.http.traffic import TrafficFacts
from fieldpulse_api.reading.account import read_account_id
from fieldpulse_api.reading.pages import Pages
from fieldpulse_api.resources.catalogue import BY_NAME
from fieldpulse_api.resources.model import Resource
from fieldpulse_plugin.history.facts import RunFacts
from fieldpulse_plugin.settings import client_settings
from fieldpulse_plugin.stores.urls import url_beside
from fieldpulse_plugin.written_rows import WrittenRows, open_written_rows
from tap_fieldpulse.changes.change_tracker import ChangeTracker
from tap_fieldpulse.changes.delete_detection import DeleteDetector
from tap_fieldpulse.changes.snapshot import Snapshot, StreamSnapshot
from tap_fieldpulse.reading.event_names import EventNames
from tap_fieldpulse.reading.row_details import RowDetails
from tap_fieldpulse.records.record_builders import RecordBuilders
from tap_fieldpulse.settings import TapSettings
from tap_fieldpulse.webhooks.hinted_rows import HintedRows
from tap_fieldpulse.webhooks.inbox import UNREAD_DAYS, Inbox

from .list_planner import ListPlanner
from .read_ahead import ReadAhead
from .row_batches import StreamSyncParts
from .run_summary import RunSummary
from .stream_sync import State, StreamSync
from .sync_plan import StreamSelection, SyncPlan, Tracking, tracking_for

Schema = dict[str, Any]


class SyncContext:
    """What one run shares between its streams. Parts are opened when they are first used.

    `catalog` holds the schemas of the catalog that the user gave. `has_any_state` says that the run was given a state.
    `confirmed_sequence` is the last webhook delivery that this state has read. `consumer` names a reader that has a
    snapshot of its own beside the tap's: neither takes changes away from the other. `read_ahead` holds the lists that
    are read before their turn.
    """

    def __init__(
        self,
        settings: TapSettings,
        catalog: Mapping[str, Schema] | None,
        logger: logging.Logger,
        *,
        consumer: str | None = None,
    ) -> None:
        self.settings, self.summary = settings, RunSummary()
        self.has_any_state, self.confirmed_sequence = False, 0
        self._logger, self._consumer = logger, consumer
        self.read_ahead = ReadAhead([], lambda _: None, max_lists=0)
        self.record_builders = RecordBuilders(lambda: self.client, settings, catalog, logger)
        self.lists = ListPlanner(lambda: self.client, settings)

    @cached_property
    def client(self) -> Client:
        """Return the one client of this run. Raises: ConfigError without an API key."""
        return Client(self.settings.client or client_settings({}))

    @cached_property
    def account(self) -> str:
        """Return the account that the key belongs to."""
        return read_account_id(self.client)

    @cached_property
    def inbox(self) -> Inbox | None:
        """Return the stored webhook deliveries; None if none are received."""
        if not self.settings.webhook_token:
            return None
        if not self.account.isdecimal():
            self._logger.warning("The company's id is unknown, so no webhook delivery can be assigned to it")
        inbox = Inbox(self.settings.snapshot_url)
        if unread := inbox.purge(self.account, self.confirmed_sequence):
            self._logger.warning("Deleted %d unread webhook deliveries older than %d days", unread, UNREAD_DAYS)
        return inbox

    @cached_property
    def _event_names(self) -> EventNames:
        return EventNames(self.client, self.settings.read_options, self.settings.event_zone)

    @cached_property
    def _snapshot(self) -> Snapshot:
        url = self.settings.snapshot_url
        if self._consumer:
            return Snapshot(url_beside(url, self._consumer), f"{self.account}.{self._consumer}")
        return Snapshot(url, self.account)

    @cached_property
    def _written_rows(self) -> WrittenRows:
        """Return the rows that the target of the setting skip_written_by wrote. Raises: ConfigError."""
        url = str(self.settings.skip_written_by)
        written_rows = open_written_rows(url, self.account, self.settings.zone)
        if not written_rows.exists:
            self._logger.warning(
                "The ledger of the setting skip_written_by does not exist yet, or an older version wrote it: nothing "
                "is left out. After a run of the target, check the setting"
            )
        return written_rows

    def is_unavailable(self, resource: Resource, logger: logging.Logger) -> bool:
        """Return whether the account lacks the list. What the profile says is checked, since plans change."""
        if not self.settings.profile.is_unavailable(resource):
            return False
        try:
            Pages(self.client, resource, self.settings.read_options).read_at_once({}, 1, 1)
        except FieldPulseError as error:
            if is_unknown_path(error):
                logger.warning(
                    "%s: skipped, because this account does not have the list (setting profile_path)", resource.name
                )
                return True
        return False

    def check_key(self) -> None:
        """Check that FieldPulse accepts the API key. A list alone may be one that the key must not read.

        Raises: AuthenticationError; what `Client.get` raises.
        """
        try:
            self.client.get("/customers", {"limit": "1"})
        except AuthenticationError:
            self.client.get("/jobs", {"limit": "1"})

    def stream_sync(self, name: str, state: State, logger: logging.Logger, *, selection: StreamSelection) -> StreamSync:
        """Return the sync of one stream, planned and wired. `logger` is that of the stream which emits the result."""
        resource, settings = BY_NAME[name], self.settings
        snapshot = None
        if tracking_for(resource, settings, selection) is not Tracking.NOTHING:
            snapshot = self._open_snapshot(resource, state, logger)
        # Before the key is accepted, one list alone has to find out whether it is.
        planned = self.read_ahead.take(name, begins_next=self.client.has_accepted_key) or self.lists.plan(
            resource, state, selection, has_baseline=snapshot is not None and snapshot.has_baseline
        )
        plan, filters = planned.plan, planned.filters
        logger.debug("%s: plan: %s", name, plan)
        if settings.detect_deletes and not plan.detects_deletes and not selection.is_connection_test:
            logger.info("%s: cannot detect deletes, because the API cannot read its rows by id", name)
        if plan.ignores_start_date and plan.start_date:
            logger.warning(
                "%s: start_date was moved back, but the bookmark stands: rows that last changed before %s were never "
                "read. Remove the stream from the state to read them",
                name,
                plan.start_date.isoformat(),
            )
        if plan.discards_bookmark:
            logger.info("%s: the filters have changed, so the stream is read from the start", name)
        tracker = None
        if snapshot:
            tracker = ChangeTracker(
                snapshot,
                resource,
                filters,
                keeps_contents=plan.tracking is Tracking.CONTENTS,
                reports_changes=plan.reports_changes,
                reports_created=plan.reports_created,
            )
        return StreamSync(
            plan,
            StreamSyncParts(
                resource=resource,
                record_builder=self.record_builders.of(name),
                filters=filters,
                list_reader=planned.reader,
                rows=planned.rows,
                details=RowDetails(self.client, resource, settings.read_options) if plan.reads_details else None,
                tracker=tracker,
                delete_detector=self._delete_detector(resource, plan, logger) if plan.detects_deletes else None,
                hinted_rows=self._hinted_rows(resource, state, logger) if plan.reads_webhook_hints else None,
                event_names=self._event_names,
                written_rows=self._written_rows if plan.skips_echoes else None,
            ),
            state,
            settings=settings,
            summary=self.summary,
            logger=logger,
        )

    def facts(self) -> RunFacts:
        """Return what the run has come to, for its history. May be called by another thread."""
        client = vars(self).get("client")
        return RunFacts(
            account=vars(self).get("account"),
            requests_per_second=self.settings.client.requests_per_second if self.settings.client else 0,
            traffic=client.traffic_facts() if client else TrafficFacts(),
            streams=list(self.summary.streams.values()),
        )

    def raise_if_lock_lost(self) -> None:
        """Raise RunLocked if another run has begun to use the snapshot of this one."""
        if snapshot := vars(self).get("_snapshot"):
            snapshot.raise_if_lock_lost()

    def close(self) -> None:
        """Close the databases that were opened, and release their locks. A next run opens and counts again.

        The client stays open: prefetched pages may still be under way, and would fail and be retried.
        """
        self.read_ahead.close()
        for name in ("_snapshot", "inbox", "_written_rows"):
            if database := vars(self).pop(name, None):
                database.close()
        self.record_builders.clear()

    def _open_snapshot(self, resource: Resource, state: State, logger: logging.Logger) -> StreamSnapshot:
        generation = state.get("snapshot")
        snapshot = self._snapshot.open_stream(
            resource.name, generation if type(generation) is int else None, has_state=self.has_any_state
        )
        if snapshot.is_lost:
            self._report_lost_snapshot(resource, snapshot, logger)
        if snapshot.newer_than_state:
            logger.warning(
                "%s: the snapshot is newer than the state; changes that it already holds are not reported again. "
                "Use one snapshot_url per pipeline and environment",
                resource.name,
            )
        return snapshot

    def _report_lost_snapshot(self, resource: Resource, snapshot: StreamSnapshot, logger: logging.Logger) -> None:
        error = ConfigError(
            f"The snapshot does not hold what the last run of stream {resource.name} stored: it is missing, or an old "
            "copy. Deletes and changes since then would not be reported.",
            where="setting snapshot_url",
            hint="restore it, keep it between runs, or set on_lost_snapshot to `warn` to begin a new one",
        )
        if self.settings.on_lost_snapshot == "fail":
            snapshot.close()
            raise error
        logger.warning("%s", error.one_line)

    def _delete_detector(self, resource: Resource, plan: SyncPlan, logger: logging.Logger) -> DeleteDetector:
        settings = self.settings
        return DeleteDetector(
            self.client,
            resource,
            settings.read_options,
            logger,
            max_percent=settings.max_delete_percent,
            reads_deleted_list=plan.reads_deleted_list,
        )

    def _hinted_rows(self, resource: Resource, state: State, logger: logging.Logger) -> HintedRows | None:
        if self.inbox is None:
            return None
        sequence = HintedRows.last_sequence(state)
        named = self.inbox.named_rows(self.account, resource.singular, sequence, at_most=HintedRows.MAX_ROWS + 1)
        return HintedRows(named, self.client, resource, self.settings.read_options, logger)
