"""One request for a page of a list, from the query to the answer, with what may befall it on the way."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from random import Random
from typing import TYPE_CHECKING

from fieldpulse_sandbox.data.conditions import Condition
from fieldpulse_sandbox.data.custom_field_values import encoded_with_definitions
from fieldpulse_sandbox.faults.concurrent_edits import edit_row
from fieldpulse_sandbox.faults.fault import END_FAULT
from fieldpulse_sandbox.responses.envelope import ResponseBuilder
from fieldpulse_sandbox.responses.row_format import row_format

from .paging import last_page, page_of
from .query import read_query

if TYPE_CHECKING:
    from fieldpulse_api.resources.model import Resource
    from fieldpulse_sandbox.behaviour.switches import Behaviour
    from fieldpulse_sandbox.data.store import Store
    from fieldpulse_sandbox.faults.fault import Fault
    from fieldpulse_sandbox.faults.fault_queue import FaultQueue
    from fieldpulse_sandbox.responses.bodies import HttpResponse
    from fieldpulse_sandbox.seed import Row


@dataclass(frozen=True)
class ListRequest:
    """A request for a page: its path, its query as text and as pairs, and the fault that met it on the way."""

    path: str
    query_string: str
    items: list[tuple[str, str]]
    fault: Fault | None


class ListEndpoint:
    """The pages of every list."""

    def __init__(self, store: Store, behaviour: Behaviour, faults: FaultQueue) -> None:
        """Read from this store."""
        self._store, self._behaviour, self._faults = store, behaviour, faults
        self._envelope = ResponseBuilder(behaviour)
        self._times: Counter[str] = Counter()

    def respond(self, resource: Resource, asked: ListRequest, parent: Row | None) -> HttpResponse:
        """Return the page that was asked for, below `parent` where the path says so.

        Raises: Refused, BackendError.
        """
        query = read_query(self._store, resource, asked.items, self._behaviour)
        selection, fault = query.selection, asked.fault
        if parent is not None:
            own = Condition("customer_id", "=", str(parent["id"]))
            selection = replace(selection, conditions=(own, *selection.conditions))
        table = self._store.tables[resource.name]
        if fault and fault.kind == "concurrent_edit":
            edit_row(self._store, resource.name, table.select(selection), fault)
        if fault and fault.kind == "previous_page":
            query = replace(query, page=max(1, query.page - 1))
        ids = table.select(selection)
        count = len(ids) if query.is_counted else None
        if self._behaviour.shuffle_unsorted and not selection.sorts and ids:
            ids = self._slid(ids, asked)
        is_endless = query.page > last_page(ids, query) and self._is_endless(asked)
        page = page_of(ids, query, self._behaviour, is_endless=is_endless)
        if page is None:
            return self._envelope.page(None, count)
        form = row_format(self._behaviour)
        rows = (
            encoded_with_definitions(self._store, resource.name, page, form)
            if query.with_custom_values
            else table.encoded(page, form)
        )
        return self._envelope.page(rows, count)

    def _slid(self, ids: list[int], asked: ListRequest) -> list[int]:
        """Return ids in another order; which one follows from the request and how often it came, so that it replays."""
        target = f"{asked.path}?{asked.query_string}"
        self._times[target] += 1
        start = Random(f"{target} {self._times[target]}").randrange(len(ids))
        return ids[start:] + ids[:start]

    def _is_endless(self, asked: ListRequest) -> bool:
        fault = asked.fault or self._faults.next_at_end(asked.path)
        return fault is not None and fault.kind == END_FAULT
