"""One run of the tap: what its streams share, and how the reading of each is put together."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta, tzinfo
from functools import cache, cached_property
from typing import Any

from fieldpulse_api.account_profile import AccountProfile
from fieldpulse_api.errors import (
    AuthenticationError,
    ConfigError,
    FieldPulseError,
    RecordError,
    UnexpectedResponse,
    got_and_allowed,
)
from fieldpulse_api.http.api_key import has_key
from fieldpulse_api.http.client import Client
from fieldpulse_api.http.responses import is_unknown_path
from fieldpulse_api.reading.account import read_account_id
from fieldpulse_api.reading.definitions import read_definitions
from fieldpulse_api.reading.pages import Pages, ReadOptions
from fieldpulse_api.resources.catalogue import BY_NAME
from fieldpulse_api.resources.model import Operation, Resource
from fieldpulse_api.values.custom_fields import CUSTOM_FIELDS_PROPERTY, CustomFieldDefinition
from fieldpulse_plugin.settings import account_profile, client_settings, time_zone
from tap_fieldpulse.changes.change_event import DEFAULT_EVENT_STREAMS
from tap_fieldpulse.changes.change_tracker import ChangeTracker
from tap_fieldpulse.changes.delete_detection import DeleteDetector
from tap_fieldpulse.changes.snapshot import Snapshot
from tap_fieldpulse.reading.bookmark import Bookmark, read_time
from tap_fieldpulse.reading.filters import Filters, read_filters
from tap_fieldpulse.reading.list_reader import ChildListReader, ChildRefreshPolicy, ListReader, ResourceListReader
from tap_fieldpulse.reading.name_index import NameIndex, read_name_index
from tap_fieldpulse.reading.row_details import RowDetails
from tap_fieldpulse.records.custom_field_values import CustomFieldValues
from tap_fieldpulse.records.discovery_sample import sample_unknown_fields
from tap_fieldpulse.records.record_builder import RecordBuilder
from tap_fieldpulse.webhooks.hinted_rows import HintedRows
from tap_fieldpulse.webhooks.inbox import UNREAD_DAYS, Inbox

from .stream_sync import State, StreamSync, StreamSyncParts

Schema = dict[str, Any]

_MOST_ROWS = 100  # on a page (D)


class SyncContext:
    """What is known of the account and of what is wanted of it. `catalog` are the schemas that the user gave.

    `has_state` says that a state was given, of whatever streams; `confirmed` is the delivery up to which it has read.
    """

    def __init__(self, config: Mapping[str, Any], catalog: Mapping[str, Schema] | None, logger: logging.Logger) -> None:
        self.config = config
        self.has_any_state, self.confirmed_sequence = False, 0
        self._catalog, self._logger = catalog, logger
        self._forms: dict[str, RecordBuilder] = {}
        self._index = cache(self._read_index)

    @cached_property
    def client(self) -> Client:
        """Return the one client of this run."""
        return Client(client_settings(self.config))

    @cached_property
    def profile(self) -> AccountProfile:
        """Return what was found out about the account before."""
        return account_profile(self.config)

    def is_unavailable(self, resource: Resource, logger: logging.Logger) -> bool:
        """Say whether the account lacks a list, if its profile says so: plans change, so it is asked for once."""
        if not self.profile.is_unavailable(resource):
            return False
        try:
            Pages(self.client, resource, self.read_options).read({}, 1, limit=1, count=False)
        except FieldPulseError as error:
            if is_unknown_path(error):
                logger.warning("%s: not read: this account lacks it, as its profile says", resource.name)
                return True
        return False

    @cached_property
    def zone(self) -> tzinfo:
        """Return the zone of times that come without one."""
        return time_zone(self.config)

    @cached_property
    def read_options(self) -> ReadOptions:
        """Return how lists are read."""
        return ReadOptions(
            page_size=self.config["page_size"],
            pages_in_flight=self.config["pages_in_flight"],
            check_completeness=self.config["completeness"] != "off",
            zone=self.zone,
        )

    @cached_property
    def account(self) -> str:
        """Return the account that the key belongs to."""
        return read_account_id(self.client)

    @cached_property
    def inbox(self) -> Inbox | None:
        """Return what webhooks have delivered; None where none are received."""
        if not self.config.get("webhook_token"):
            return None
        if not self.account.isdecimal():
            self._logger.warning("The company's id is not known: no delivery of a webhook can be told to be of it")
        inbox = Inbox(self.config["snapshot_url"])
        if unread := inbox.purge(self.account, self.confirmed_sequence):
            self._logger.warning("%d deliveries of webhooks were deleted unread, after %d days", unread, UNREAD_DAYS)
        return inbox

    @property
    def event_streams(self) -> list[str]:
        """Return the streams whose changes are wanted as events."""
        return sorted({*DEFAULT_EVENT_STREAMS, *self.config["change_event_streams"]})

    def record_builder(self, name: str) -> RecordBuilder:
        """Return the form of a stream's records; where the account has custom fields, it is asked for them, once."""
        if name not in self._forms:
            self._forms[name] = self._make_record_builder(BY_NAME[name])
        return self._forms[name]

    def stream_sync(
        self,
        name: str,
        state: State,
        logger: logging.Logger,
        *,
        is_incremental: bool,
        has_events: bool,
        has_deletes: bool,
        has_hints: bool,
    ) -> StreamSync:
        """Put together the reading of one stream."""
        resource, filters = BY_NAME[name], self._filters(BY_NAME[name])
        sweeps = has_deletes and Operation.GET in resource.operations
        if has_deletes and not sweeps:
            logger.info("%s: deleted rows are not looked for: FieldPulse has no path by id for it", name)
        memory = None
        if sweeps or has_events:
            memory = self._change_tracker(resource, filters, state, logger, has_events=has_events)
        must_be_whole = (sweeps and not resource.parent) or (
            memory is not None and has_events and memory.needs_full_comparison
        )
        percent = self.config["max_delete_percent"]
        parts = StreamSyncParts(
            client=self.client,
            read_options=self.read_options,
            resource=resource,
            record_builder=self.record_builder(name),
            filters=filters,
            list_reader=self._list_reader(
                resource,
                state,
                replace(filters, query={}) if has_events or must_be_whole else filters,  # to know what did not fit
                is_incremental=is_incremental,
                must_be_whole=must_be_whole,
                without_deleted=sweeps,
            ),
            details=RowDetails(self.client, resource, self.read_options)
            if name in self.config["detail_streams"]
            else None,
            tracker=memory,
            delete_detector=DeleteDetector(self.client, resource, self.read_options, logger, max_percent=percent)
            if sweeps
            else None,
            hinted_rows=self._hinted_rows(resource, state, logger) if has_hints else None,
            must_be_complete=self.config["completeness"] == "fail",
        )
        return StreamSync(parts, state, logger)

    def check_filters(self) -> None:
        """Raise BadSetting for filters that there are not."""
        offered = {one.name: {each.name for each in one.filters} for one in BY_NAME.values() if one.filters}
        for stream, given in self.config["filters"].items():
            for name, allowed in ((stream, offered), *((one, offered.get(stream, {})) for one in given)):
                if name not in allowed:
                    what = f"There is no such filter: {got_and_allowed(name, sorted(allowed))}."
                    raise ConfigError(what, where=f"setting filters.{stream}", hint="correct the setting")

    def close(self) -> None:
        """Close what was opened."""
        if "client" in vars(self):
            self.client.close()
        if "_snapshot" in vars(self):
            self._snapshot.close()
        if inbox := vars(self).get("inbox"):
            inbox.close()

    def _change_tracker(
        self, resource: Resource, filters: Filters, state: State, logger: logging.Logger, *, has_events: bool
    ) -> ChangeTracker:
        token = state.get("snapshot")
        snapshot = self._snapshot.open_stream(
            resource.name, token if type(token) is int else None, has_state=self.has_any_state
        )
        if snapshot.newer_than_state:
            logger.warning(
                "%s: the snapshot is ahead of the state: what it saw since then is not reported again. Give each "
                "pipeline and environment a snapshot_url of its own",
                resource.name,
            )
        return ChangeTracker(
            snapshot,
            resource,
            filters,
            tracks_changes=has_events,
            tracked_last_run=state.get("events") is True,
            filters_changed=state.get("filters") != filters.digest,
        )

    @cached_property
    def _snapshot(self) -> Snapshot:
        return Snapshot(self.config["snapshot_url"], self.account)

    def _hinted_rows(self, resource: Resource, state: State, logger: logging.Logger) -> HintedRows | None:
        if self.inbox is None or not HintedRows.supports(resource):
            return None
        named = self.inbox.named_rows(
            self.account, resource.singular, HintedRows.last_sequence(state), at_most=HintedRows.MAX_ROWS + 1
        )
        return HintedRows(named, self.client, resource, self.read_options, logger)

    @cached_property
    def _definitions(self) -> list[CustomFieldDefinition]:
        """Return the account's custom fields; none where its plan does not let them be read."""
        try:
            return read_definitions(self.client, self.read_options)
        except (RecordError, UnexpectedResponse, AuthenticationError) as error:  # of a bad key the first list will tell
            self._logger.warning("The custom fields have no names, and are carried by their ids: %s", error.one_line)
            return []

    def _list_reader(
        self,
        resource: Resource,
        state: State,
        filters: Filters,
        *,
        is_incremental: bool,
        must_be_whole: bool,
        without_deleted: bool,
    ) -> ListReader:
        reading = replace(self.read_options, query=dict(resource.with_custom_fields_params))
        if not resource.supports_page:  # what does not fit on the first page may never come
            reading = replace(reading, page_size=_MOST_ROWS)
        lookback_seconds = self.config["lookback_seconds"]
        if resource.parent:
            rounds = ChildRefreshPolicy(timedelta(days=self.config["contacts_full_refresh_days"]), lookback_seconds)
            resources = (resource, BY_NAME[resource.parent])
            return ChildListReader(
                self.client,
                resources,
                reading,
                state,
                rounds,
                must_read_all=must_be_whole,
                skip_deleted=without_deleted,
            )
        bookmark = since = None
        if is_incremental and resource.updated_column:
            bookmark = Bookmark.from_state(state, resource.updated_column, resource.name)
            if bookmark.previous and state.get("filters") != filters.digest:
                self._logger.info("%s: the filters were changed, so all rows count as new", resource.name)
                bookmark.previous = None
            since = bookmark.since(read_time(self.config.get("start_date"), "setting start_date"), lookback_seconds)
        return ResourceListReader(
            Pages(self.client, resource, reading),
            bookmark=bookmark,
            since=since,
            must_read_all=must_be_whole,
            skip_deleted=without_deleted,
            filters=filters,
        )

    def _filters(self, resource: Resource) -> Filters:
        given = self.config["filters"].get(resource.name) or {}
        return read_filters(resource, given, self._index, self.zone) if given else Filters()

    def _read_index(self, stream: str, columns: str) -> NameIndex:
        return read_name_index(self.client, self.read_options, stream, columns)

    def _make_record_builder(self, resource: Resource) -> RecordBuilder:
        given = (self._catalog or {}).get(resource.name, {}).get("properties", {})
        custom = None
        if resource.custom_field_object and self.config["custom_fields"] == "typed" and has_key(self.config):
            known = given.get(CUSTOM_FIELDS_PROPERTY, {}).get("properties", {})
            is_flat = bool(self.config.get("flattening_enabled"))
            custom = CustomFieldValues(self._definitions, resource.custom_field_object, known, is_flattened=is_flat)
            for change in custom.changes:
                self._logger.warning("%s: since the catalog was made, custom %s", resource.name, change)
        labels = {f"{one.column}_label" for one in resource.code_labels}
        known_names = {*resource.schema["properties"], CUSTOM_FIELDS_PROPERTY, *labels}
        more = {name: schema for name, schema in given.items() if name not in known_names}
        if self._catalog is None and self.config["sample_on_discovery"] and has_key(self.config):
            more = sample_unknown_fields(self.client, resource, self.read_options, self._logger)
        return RecordBuilder(
            resource, zone=self.zone, custom_fields=custom, extra_properties=more, add_labels=self.config["add_labels"]
        )
