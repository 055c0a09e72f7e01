"""Plans the list of a stream: which rows of it are read, and what reads them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timezone
from functools import cache

from fieldpulse_api.errors import ConfigError
from fieldpulse_api.http.client import Client
from fieldpulse_api.reading.child_lists import ChildLists
from fieldpulse_api.reading.pages import Pages
from fieldpulse_api.resources.catalogue import BY_NAME
from fieldpulse_api.resources.model import Resource
from tap_fieldpulse.reading.child_list_reader import ChildListReader
from tap_fieldpulse.reading.filters import Filters, read_filters
from tap_fieldpulse.reading.list_reader import ListReader, ResourceListReader
from tap_fieldpulse.reading.name_index import NameIndex, read_name_index
from tap_fieldpulse.settings import TapSettings

from .read_ahead import PlannedList
from .stream_sync import State
from .sync_plan import StreamSelection, SyncPlan, Tracking, decide, tracking_for

_MAX_PAGE_SIZE = 100  # documented


class ListPlanner:
    """Plans the lists of one run. `client` returns its client."""

    def __init__(self, client: Callable[[], Client], settings: TapSettings) -> None:
        self._client, self._settings = client, settings
        self._name_index = cache(self._read_name_index)

    def plan(self, resource: Resource, state: State, selection: StreamSelection, *, has_baseline: bool) -> PlannedList:
        """Return the list of a stream whose turn has come; no request for its rows is sent yet.

        Raises: ConfigError for a state or a filter that is not valid; what reading the names in filters raises.
        """
        filters = self._filters(resource)
        plan = decide(
            resource,
            self._settings,
            state,
            selection=selection,
            filters_digest=filters.digest,
            has_baseline=has_baseline,
            now=datetime.now(timezone.utc),
        )
        reader = self._list_reader(resource, plan, filters)
        return PlannedList(plan, filters, reader, reader.rows())

    def plan_ahead(self, resource: Resource, state: State, selection: StreamSelection) -> PlannedList | None:
        """Return the list of a stream whose turn is still to come.

        None if its rows depend on when they are read (beside a snapshot, behind webhooks), on another list (names in
        filters), or if it may not exist.
        """
        settings = self._settings
        has_to_wait = (
            tracking_for(resource, settings, selection) is not Tracking.NOTHING
            or settings.webhook_token
            or settings.filters.get(resource.name)
            or settings.profile.is_unavailable(resource)
            or selection.is_connection_test
        )
        if has_to_wait:
            return None
        try:
            return self.plan(resource, state, selection, has_baseline=False)
        except ConfigError:  # the state is not valid, which ends the run when its turn comes
            return None

    def _list_reader(self, resource: Resource, plan: SyncPlan, filters: Filters) -> ListReader:
        options = replace(self._settings.read_options, query=dict(resource.with_custom_fields_params))
        if not resource.supports_page:  # rows beyond the first page may be out of reach
            options = replace(options, page_size=_MAX_PAGE_SIZE)
        if resource.parent and plan.bookmark:
            parents = Pages(self._client(), BY_NAME[resource.parent], replace(options, query={}))
            return ChildListReader(
                ChildLists(self._client(), resource, options, parents),
                bookmark=plan.bookmark,
                since=plan.since,
                full_at=plan.children_full_at,
                reads_full_list=plan.reads_full_list,
                skip_deleted=plan.detects_deletes,
            )
        return ResourceListReader(
            Pages(self._client(), resource, options),
            bookmark=plan.bookmark,
            since=plan.since,
            reads_full_list=plan.reads_full_list,
            skip_deleted=plan.detects_deletes,
            filters=filters if plan.sends_filters else replace(filters, query={}),
        )

    def _filters(self, resource: Resource) -> Filters:
        filters = self._settings.filters.get(resource.name) or {}
        return read_filters(resource, filters, self._name_index, self._settings.zone) if filters else Filters()

    def _read_name_index(self, stream: str, columns: str) -> NameIndex:
        return read_name_index(self._client(), self._settings.read_options, stream, columns)
