"""The pages of one list: asked for ahead, handed on in order, each checked to be a list of rows with ids."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone, tzinfo
from itertools import count as count_from
from typing import Any, Literal

from fieldpulse_api.errors import UnexpectedResponse
from fieldpulse_api.http.client import Client
from fieldpulse_api.http.responses import ApiResponse
from fieldpulse_api.resources.model import Direction, Resource
from fieldpulse_api.values.scalars import optional_int

from .prefetch import map_in_order

Row = dict[str, Any]
Verdict = Literal["complete", "unproven", "incomplete"]


@dataclass(frozen=True)
class ReadOptions:
    """How to read. `pages_in_flight` bounds the requests under way and the pages in memory.

    `prove` reads again where a first pass proves nothing; `zone` is that of times without one; `query`
    goes with every request.
    """

    page_size: int = 100
    pages_in_flight: int = 16
    check_completeness: bool = True
    zone: tzinfo = timezone.utc
    query: Mapping[str, str] = field(default_factory=dict)


@dataclass
class ScanStats:
    """What a walk saw. `repeats` are rows that came twice in one pass; `began` is the server's clock."""

    records: int = 0
    pages: int = 0
    duplicates: int = 0
    server_count: int | None = None
    vanished: int = 0
    verdict: Verdict = "unproven"
    started_at: datetime | None = None
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Page:
    """One page: its rows, their ids in the same order, the server's count if it sent one, and the whole reply."""

    rows: list[Row]
    ids: list[int]
    server_count: int | None
    response: ApiResponse


class Pages:
    """Ask for the pages of one list.

    Raises: what `Client.get` raises; UnexpectedReply for a reply that is no list of rows with ids.
    """

    def __init__(self, client: Client, resource: Resource, options: ReadOptions, path: str | None = None) -> None:
        self.resource, self.options, self.stats = resource, options, ScanStats()
        self._client, self.path = client, path or resource.path

    def without(self, query: Mapping[str, str]) -> Pages:
        """Return the same list without some of its query, and with a tally of its own."""
        kept = {name: value for name, value in self.options.query.items() if name not in query}
        return Pages(self._client, self.resource, replace(self.options, query=kept), self.path)

    def sort_params(self, column: str, direction: Direction) -> dict[str, str]:
        """Return the query for an order; empty if none is documented or this account ignores sorting by the column."""
        does_sort = self._client.settings.profile.facts_for(self.resource).sorts_by.get(column, True)
        return self.resource.sort_params(column, direction) if does_sort else {}

    def read(self, order: Mapping[str, str], number: int, *, limit: int | None = None, count: bool = True) -> Page:
        """Read page `number`, from 1. `count` asks for the server's count where that is documented."""
        params = {"page": str(number), "limit": str(limit or self.options.page_size), **order, **self.options.query}
        if count and self.resource.supports_count:
            params["calculate_count"] = "true"
        reply = self._client.get(self.path, params)
        rows = [] if reply.data is None else reply.data  # whether an empty page is a list or null is not known
        if not isinstance(rows, list):
            raise self._unexpected("no list of rows", number)
        self.stats.pages += 1
        self.stats.started_at = self.stats.started_at or reply.date
        if reply.server_count is not None:
            self.stats.server_count = reply.server_count
        ids = [self._id(row, number) for row in rows]
        return Page(rows, ids, reply.server_count, reply)

    def read_after(
        self, first: Page, order: Mapping[str, str], room: Callable[[int], int], *, count: bool
    ) -> Iterator[Page]:
        """Yield `first`, and then the pages behind it without end, `room(n)` ahead once n were handed on."""
        yield first
        yield from map_in_order(
            lambda number: self.read(order, number, count=count),
            count_from(2),
            at_most=self.options.pages_in_flight,
            room=lambda handed_on: max(1, room(handed_on + 1)),
        )

    def _id(self, row: object, number: int) -> int:
        identity = optional_int(row.get("id")) if isinstance(row, dict) else None
        if identity is None:
            raise self._unexpected("a row without an id", number)
        return identity

    def _unexpected(self, what: str, number: int) -> UnexpectedResponse:
        return UnexpectedResponse(
            f"FieldPulse answered with {what}.",
            where=f"GET {self.path} page {number} · stream {self.resource.name}",
            hint="run again; if it stays, the API has changed: report it",
        )
