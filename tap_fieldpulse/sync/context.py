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
from fieldpulse_api.http.client import Client, is_unknown_path
from fieldpulse_api.reading.account import account_of
from fieldpulse_api.reading.pages import Pages, ReadOptions
from fieldpulse_api.reading.single_rows import Details
from fieldpulse_api.resources.catalogue import BY_NAME
from fieldpulse_api.resources.model import Operation, Resource
from fieldpulse_api.values.custom_fields import PROPERTY, CustomFields, Definition, read_definitions
from fieldpulse_api.values.text import NameIndex, read_name_index
from fieldpulse_plugin.settings import account_profile, client_settings, time_zone
from tap_fieldpulse.changes.change_event import ALWAYS_FOR
from tap_fieldpulse.changes.change_tracker import Memory
from tap_fieldpulse.changes.delete_detection import Sweep
from tap_fieldpulse.changes.snapshot import Snapshot
from tap_fieldpulse.reading.bookmark import Bookmark, read_time
from tap_fieldpulse.reading.filters import Filters, read_filters
from tap_fieldpulse.reading.list_reader import ChildList, List, OwnList, Rounds
from tap_fieldpulse.records.discovery_sample import sample
from tap_fieldpulse.records.record_builder import Form
from tap_fieldpulse.webhooks.hinted_rows import Hints
from tap_fieldpulse.webhooks.inbox import UNREAD_DAYS, Inbox

from .stream_sync import Parts, Source, State

Schema = dict[str, Any]

_MOST_ROWS = 100  # on a page (D)


class Run:
    """What is known of the account and of what is wanted of it. `catalog` are the schemas that the user gave.

    `has_state` says that a state was given, of whatever streams; `confirmed` is the delivery up to which it has read.
    """

    def __init__(self, config: Mapping[str, Any], catalog: Mapping[str, Schema] | None, logger: logging.Logger) -> None:
        self.config = config
        self.has_state, self.confirmed = False, 0
        self._catalog, self._logger = catalog, logger
        self._forms: dict[str, Form] = {}
        self._index = cache(self._read_index)

    @cached_property
    def client(self) -> Client:
        """Return the one client of this run."""
        return Client(client_settings(self.config))

    @cached_property
    def profile(self) -> AccountProfile:
        """Return what was found out about the account before."""
        return account_profile(self.config)

    def lacks(self, resource: Resource, logger: logging.Logger) -> bool:
        """Say whether the account lacks a list, if its profile says so: plans change, so it is asked for once."""
        if not self.profile.lacks(resource):
            return False
        try:
            Pages(self.client, resource, self.reading).read({}, 1, limit=1, count=False)
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
    def reading(self) -> ReadOptions:
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
        return account_of(self.client)

    @cached_property
    def inbox(self) -> Inbox | None:
        """Return what webhooks have delivered; None where none are received."""
        if not self.config.get("webhook_token"):
            return None
        if not self.account.isdecimal():
            self._logger.warning("The company's id is not known: no delivery of a webhook can be told to be of it")
        inbox = Inbox(self.config["snapshot_url"])
        if unread := inbox.forget(self.account, self.confirmed):
            self._logger.warning("%d deliveries of webhooks were deleted unread, after %d days", unread, UNREAD_DAYS)
        return inbox

    @property
    def watched(self) -> list[str]:
        """Return the streams whose changes are wanted as events."""
        return sorted({*ALWAYS_FOR, *self.config["change_event_streams"]})

    def form(self, name: str) -> Form:
        """Return the form of a stream's records; where the account has custom fields, it is asked for them, once."""
        if name not in self._forms:
            self._forms[name] = self._make_form(BY_NAME[name])
        return self._forms[name]

    def source(
        self,
        name: str,
        state: State,
        logger: logging.Logger,
        *,
        is_incremental: bool,
        has_events: bool,
        has_deletes: bool,
        has_hints: bool,
    ) -> Source:
        """Put together the reading of one stream."""
        resource, filters = BY_NAME[name], self._filters(BY_NAME[name])
        sweeps = has_deletes and Operation.GET in resource.operations
        if has_deletes and not sweeps:
            logger.info("%s: deleted rows are not looked for: FieldPulse has no path by id for it", name)
        memory = None
        if sweeps or has_events:
            memory = self._memory(resource, filters, state, logger, has_events=has_events)
        must_be_whole = (sweeps and not resource.parent) or (memory is not None and has_events and memory.wants_old)
        percent = self.config["max_delete_percent"]
        parts = Parts(
            client=self.client,
            reading=self.reading,
            resource=resource,
            form=self.form(name),
            filters=filters,
            list=self._list(
                resource,
                state,
                replace(filters, query={}) if has_events or must_be_whole else filters,  # to know what did not fit
                is_incremental=is_incremental,
                must_be_whole=must_be_whole,
                without_deleted=sweeps,
            ),
            details=Details(self.client, resource, self.reading) if name in self.config["detail_streams"] else None,
            memory=memory,
            sweep=Sweep(self.client, resource, self.reading, logger, most_percent=percent) if sweeps else None,
            hints=self._hints(resource, state, logger) if has_hints else None,
            must_be_complete=self.config["completeness"] == "fail",
        )
        return Source(parts, state, logger)

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

    def _memory(
        self, resource: Resource, filters: Filters, state: State, logger: logging.Logger, *, has_events: bool
    ) -> Memory:
        token = state.get("snapshot")
        snapshot = self._snapshot.stream(resource.name, token if type(token) is int else None, has_state=self.has_state)
        if snapshot.is_ahead:
            logger.warning(
                "%s: the snapshot is ahead of the state: what it saw since then is not reported again. Give each "
                "pipeline and environment a snapshot_url of its own",
                resource.name,
            )
        return Memory(
            snapshot,
            resource,
            filters,
            has_events=has_events,
            is_gapless=state.get("events") is True,
            is_refiltered=state.get("filters") != filters.digest,
        )

    @cached_property
    def _snapshot(self) -> Snapshot:
        return Snapshot(self.config["snapshot_url"], self.account)

    def _hints(self, resource: Resource, state: State, logger: logging.Logger) -> Hints | None:
        if self.inbox is None or not Hints.are_for(resource):
            return None
        named = self.inbox.named(self.account, resource.singular, Hints.since(state), at_most=Hints.MOST + 1)
        return Hints(named, self.client, resource, self.reading, logger)

    @cached_property
    def _definitions(self) -> list[Definition]:
        """Return the account's custom fields; none where its plan does not let them be read."""
        try:
            return read_definitions(self.client, self.reading)
        except (RecordError, UnexpectedResponse, AuthenticationError) as error:  # of a bad key the first list will tell
            self._logger.warning("The custom fields have no names, and are carried by their ids: %s", error.one_line)
            return []

    def _list(
        self,
        resource: Resource,
        state: State,
        filters: Filters,
        *,
        is_incremental: bool,
        must_be_whole: bool,
        without_deleted: bool,
    ) -> List:
        reading = replace(self.reading, query=dict(resource.with_custom_fields_params))
        if not resource.supports_page:  # what does not fit on the first page may never come
            reading = replace(reading, page_size=_MOST_ROWS)
        lookback_seconds = self.config["lookback_seconds"]
        if resource.parent:
            rounds = Rounds(timedelta(days=self.config["contacts_full_refresh_days"]), lookback_seconds)
            resources = (resource, BY_NAME[resource.parent])
            return ChildList(
                self.client,
                resources,
                reading,
                state,
                rounds,
                must_be_whole=must_be_whole,
                without_deleted=without_deleted,
            )
        bookmark = since = None
        if is_incremental and resource.updated_column:
            bookmark = Bookmark.of(state, resource.updated_column, resource.name)
            if bookmark.old and state.get("filters") != filters.digest:
                self._logger.info("%s: the filters were changed, so all rows count as new", resource.name)
                bookmark.old = None
            since = bookmark.since(read_time(self.config.get("start_date"), "setting start_date"), lookback_seconds)
        return OwnList(
            Pages(self.client, resource, reading),
            bookmark=bookmark,
            since=since,
            must_be_whole=must_be_whole,
            without_deleted=without_deleted,
            filters=filters,
        )

    def _filters(self, resource: Resource) -> Filters:
        given = self.config["filters"].get(resource.name) or {}
        return read_filters(resource, given, self._index, self.zone) if given else Filters()

    def _read_index(self, stream: str, columns: str) -> NameIndex:
        return read_name_index(self.client, self.reading, stream, columns)

    def _make_form(self, resource: Resource) -> Form:
        given = (self._catalog or {}).get(resource.name, {}).get("properties", {})
        custom = None
        if resource.custom_field_object and self.config["custom_fields"] == "typed" and has_key(self.config):
            known = given.get(PROPERTY, {}).get("properties", {})
            is_flat = bool(self.config.get("flattening_enabled"))
            custom = CustomFields(self._definitions, resource.custom_field_object, known, is_flat=is_flat)
            for change in custom.changes:
                self._logger.warning("%s: since the catalog was made, custom %s", resource.name, change)
        labels = {f"{one.column}_label" for one in resource.code_labels}
        known_names = {*resource.schema["properties"], PROPERTY, *labels}
        more = {name: schema for name, schema in given.items() if name not in known_names}
        if self._catalog is None and self.config["sample_on_discovery"] and has_key(self.config):
            more = sample(self.client, resource, self.reading, self._logger)
        return Form(resource, zone=self.zone, custom=custom, more=more, has_labels=self.config["add_labels"])
