"""The list endpoint: from one request for a page to its response.

Faults that concern lists happen here, because they depend on the rows of the page.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random

import msgspec

from fieldpulse_api.resources.model import Resource
from fieldpulse_sandbox.behaviour.switches import Behaviour
from fieldpulse_sandbox.data.conditions import Condition
from fieldpulse_sandbox.data.custom_field_values import DEFINITIONS_KEY, with_definitions
from fieldpulse_sandbox.data.store import Store
from fieldpulse_sandbox.faults.concurrent_edits import edit_row
from fieldpulse_sandbox.faults.fault import END_FAULT, Fault
from fieldpulse_sandbox.faults.fault_queue import FaultQueue
from fieldpulse_sandbox.responses.bodies import HttpResponse
from fieldpulse_sandbox.responses.envelope import ResponseBuilder
from fieldpulse_sandbox.responses.row_format import RowFormat, row_format
from fieldpulse_sandbox.schema.table_shapes import Row

from .query import ListQuery, read_query
from .relations import RELATIONS, related_rows


@dataclass(frozen=True)
class ListRequest:
    """A request for a page: its path, its query as text and as pairs, and the fault that the gateway chose for it."""

    path: str
    query_string: str
    items: list[tuple[str, str]]
    fault: Fault | None


class ListEndpoint:
    """The pages of every list."""

    def __init__(self, store: Store, behaviour: Behaviour, faults: FaultQueue) -> None:
        """Read the rows of `store`; read `behaviour` again for each request."""
        self._store, self._behaviour, self._faults = store, behaviour, faults
        self._responses = ResponseBuilder(behaviour)
        self._request_counts: Counter[str] = Counter()

    def respond(self, resource: Resource, request: ListRequest, parent: Row | None) -> HttpResponse:
        """Return the requested page, with the rows of `parent` only where the path names a parent.

        Raises: ValidationFailed, BackendError.
        """
        query = read_query(self._store, resource, request.items, self._behaviour)
        selection, fault = query.selection, request.fault
        if parent is not None:
            of_parent = Condition("customer_id", "=", str(parent["id"]))
            selection = replace(selection, conditions=(of_parent, *selection.conditions))
        table = self._store.tables[resource.name]
        if fault and fault.kind == "concurrent_edit":
            edit_row(self._store, resource.name, table.select(selection), fault)
        if fault and fault.kind == "previous_page":
            query = replace(query, page=max(1, query.page - 1))
        row_ids = table.select(selection)
        count = len(row_ids) if query.is_counted else None
        if self._behaviour.shuffle_unsorted and not selection.sorts and row_ids:
            row_ids = self._rotated(row_ids, request)
        repeats_last = query.page > last_page(row_ids, query) and self._repeats_last_page(request)
        page = page_of(row_ids, query, self._behaviour, repeats_last=repeats_last)
        response = self._responses.page(None if page is None else self._encoded(resource, page, query, request), count)
        headers = count_headers(row_ids, query) if self._behaviour.count_headers else {}
        return replace(response, headers=response.headers | headers)

    def _encoded(self, resource: Resource, page: list[int], query: ListQuery, request: ListRequest) -> list[bytes]:
        """Return the rows of a page as JSON, with what the request asks for beside their own columns."""
        name, form = resource.name, row_format(self._behaviour)
        if query.with_custom_values:
            return encoded_with_definitions(self._store, name, page, form)
        parameters = [parameter for parameter, _ in request.items if parameter in RELATIONS.get(name, {})]
        rows = self._store.tables[name].encoded(page, form)
        if not parameters:
            return rows
        related = [related_rows(self._store, name, self._store.get(name, row_id), parameters) for row_id in page]
        return [
            row[:-1] + b"," + msgspec.json.encode(form.nested("rel", more))[1:]
            for row, more in zip(rows, related, strict=True)
        ]

    def _rotated(self, row_ids: list[int], request: ListRequest) -> list[int]:
        """Return the ids in a rotated order.

        The rotation follows from the request and the number of times it was sent, so that a run can be replayed.
        """
        target = f"{request.path}?{request.query_string}"
        self._request_counts[target] += 1
        start = Random(f"{target} {self._request_counts[target]}").randrange(len(row_ids))
        return row_ids[start:] + row_ids[:start]

    def _repeats_last_page(self, request: ListRequest) -> bool:
        fault = request.fault or self._faults.next_at_end(request.path)
        return fault is not None and fault.kind == END_FAULT


def count_headers(row_ids: list[int], query: ListQuery) -> dict[str, str]:
    """Return the headers of the vendor's host. The total was 1 for 5 rows there, so it is wrong here (observed)."""
    last = last_page(row_ids, query)
    return {
        "FieldPulse-Total-Results": str(min(1, len(row_ids))),
        "FieldPulse-Total-Pages": str(last),
        "FieldPulse-Limit": str(query.limit),
        "FieldPulse-Current-Page": str(query.page),
        "FieldPulse-Next-Page": str(min(query.page + 1, last)),
    }


def last_page(row_ids: list[int], query: ListQuery) -> int:
    """Return the number of the last page. An empty list has one page."""
    return max(1, -(-len(row_ids) // query.limit))


def page_of(
    row_ids: list[int], query: ListQuery, behaviour: Behaviour, *, repeats_last: bool = False
) -> list[int] | None:
    """Return the ids on the requested page, or None if the response is null instead of a list."""
    page_number, last = query.page, last_page(row_ids, query)
    if page_number > last:
        past_the_end = "last" if repeats_last else behaviour.past_the_end
        if past_the_end == "null":
            return None
        page_number = {"last": last, "first": 1}.get(past_the_end, page_number)
    start = (page_number - 1) * query.limit
    return row_ids[start : start + query.limit]


def encoded_with_definitions(store: Store, name: str, row_ids: Sequence[int], form: RowFormat) -> list[bytes]:
    """Return rows as JSON, each with its custom values and their definitions.

    The values are appended to the rows that the table caches. This is cheap, and a cache of its own would have to
    notice every change of a definition.
    """
    table = store.tables[name]
    rows = [table.rows.get(row_id) or table.deleted[row_id] for row_id in row_ids]
    values = [msgspec.json.encode(form.nested(DEFINITIONS_KEY, with_definitions(store, row))) for row in rows]
    key = DEFINITIONS_KEY.encode()
    return [
        b'%s,"%s":%s}' % (row[:-1], key, value) for row, value in zip(table.encoded(row_ids, form), values, strict=True)
    ]
