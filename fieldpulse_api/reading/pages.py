"""The pages of one list, prefetched and yielded in order, each checked to hold rows with ids."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone, tzinfo
from itertools import chain
from itertools import count as count_from
from typing import Any, Literal

from fieldpulse_api.errors import ServiceError, UnexpectedResponse
from fieldpulse_api.http.client import Client
from fieldpulse_api.http.page_size import PageSize
from fieldpulse_api.http.responses import ApiResponse
from fieldpulse_api.http.retry import may_be_too_large
from fieldpulse_api.resources.model import Direction, Resource
from fieldpulse_api.values.scalars import optional_int

from .prefetch import map_in_order

Row = dict[str, Any]
Verdict = Literal["complete", "unproven", "incomplete"]
_LOGGER = logging.getLogger(__name__)
_ID_LIMIT = 2**63  # of a 64-bit column, as the snapshot and loaders have it


@dataclass(frozen=True)
class ReadOptions:
    """How to read a list.

    `page_size` is the number of rows of a page; heavy rows come in several requests. `pages_in_flight` limits the
    requests in flight, and with them the pages in memory. With `check_completeness`, a
    list is read again while a pass proves nothing. `zone` is the time zone of timestamps that carry none. `query` is
    sent with every request.
    """

    page_size: int = 100
    pages_in_flight: int = 16
    check_completeness: bool = True
    zone: tzinfo = timezone.utc
    query: Mapping[str, str] = field(default_factory=dict)


@dataclass
class ScanStats:
    """What a scan read, and what it proved.

    `records` are the rows that it yielded; `duplicates` came more than once in a pass. `server_count` is the latest
    count that the server sent, `started_at` its clock at the first response. `vanished_parents` were deleted before
    their child list was read. `notes` are for the user.
    """

    records: int = 0
    pages: int = 0
    duplicates: int = 0
    server_count: int | None = None
    vanished_parents: int = 0
    verdict: Verdict = "unproven"
    started_at: datetime | None = None
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Page:
    """One page: its rows, their ids in the same order, and the server's count of the list if it sent one.

    It came in requests for `request_size` rows each. `may_follow_gap`: rows may be missing between the page before and
    this one.
    """

    rows: list[Row]
    ids: list[int]
    server_count: int | None
    response: ApiResponse
    request_size: int
    is_one_response: bool = True
    may_follow_gap: bool = False


class Pages:
    """The pages of one list of an account, with the statistics of reading them.

    Raises: what `Client.get` raises; UnexpectedResponse for a response that is not a list of rows with ids.
    """

    def __init__(self, client: Client, resource: Resource, options: ReadOptions, path: str | None = None) -> None:
        self.resource, self.options, self.stats = resource, options, ScanStats()
        self._in_flight = options.pages_in_flight
        self._client, self.path = client, path or resource.path

    def limit_in_flight(self, limit: int | None) -> None:
        """Let at most `limit` pages be in flight from now on; None for what the options allow."""
        self._in_flight = limit or self.options.pages_in_flight

    def without(self, query: Mapping[str, str]) -> Pages:
        """Return the same list without these parameters, with statistics of its own."""
        remaining = {name: value for name, value in self.options.query.items() if name not in query}
        return Pages(self._client, self.resource, replace(self.options, query=remaining), self.path)

    def sort_params(self, column: str, direction: Direction) -> dict[str, str]:
        """Return the query for an order; empty if none is documented or this account ignores sorting by the column."""
        does_sort = self._client.settings.profile.facts_for(self.resource).sorts_by.get(column, True)
        return self.resource.sort_params(column, direction) if does_sort else {}

    def read(self, order: Mapping[str, str], page_number: int, *, count: bool = True) -> Page:
        """Read one page, in several requests if its rows are too heavy for one.

        `page_number` starts at 1. `count` asks for the server's count, if the list documents that.
        """
        size = self._page_size(self.options.page_size)
        failure: ServiceError | None = None
        while True:
            request_size = size.current
            try:
                parts = list(self._read_parts(order, page_number, size, request_size, count=count))
            except ServiceError as error:
                if not may_be_too_large(error) or not size.shrink(request_size):
                    raise
                failure = error
                continue
            if failure:
                _LOGGER.info(
                    "%s: reading %d rows at a time, because more did not come: %s",
                    self.resource.name,
                    request_size,
                    failure.what,
                )
            return _joined(parts, request_size)

    def read_at_once(self, order: Mapping[str, str], page_number: int, limit: int, *, count: bool = False) -> Page:
        """Read page `page_number` of pages of `limit` rows, with one request."""
        params = {"page": str(page_number), "limit": str(limit), **order, **self.options.query}
        if count and self.resource.supports_count:
            params["calculate_count"] = "true"
        response = self._client.get(self.path, params, smaller_is_possible=limit > 1)
        rows = [] if response.data is None else response.data  # an empty page may be null instead of a list
        if not isinstance(rows, list):
            raise self._unexpected_response("no list of rows", page_number)
        self.stats.pages += 1
        self.stats.started_at = self.stats.started_at or response.date
        if response.server_count is not None:
            self.stats.server_count = response.server_count
        ids = [self._id_of(row, page_number) for row in rows]
        return Page(rows, ids, response.server_count, response, limit)

    def read_on(
        self, first: Page, order: Mapping[str, str], pages_ahead: Callable[[int], int], *, count: bool
    ) -> Iterator[Page]:
        """Yield `first` and the pages after it, without end; prefetch `pages_ahead(n)` pages after n were yielded.

        Pages that were requested in different sizes fit together only if the server honours each size. If one of them
        is shorter than asked for and another follows, it does not: then `may_follow_gap` is set.
        """
        size = self._page_size(self.options.page_size)
        later_pages = map_in_order(
            lambda page_number: self.read(order, page_number, count=count),
            count_from(2),
            max_in_flight=self.options.pages_in_flight,
            # Heavy rows are limited in memory, too.
            in_flight_after=lambda yielded: max(
                1, min(pages_ahead(yielded + 1), self._in_flight * size.current // size.largest)
            ),
        )
        request_sizes: set[int] = set()
        had_short_page = False
        for page in chain([first], later_pages):
            request_sizes.add(page.request_size)
            if page.ids and had_short_page and len(request_sizes) > 1:
                size.stop_growing()
                yield replace(page, may_follow_gap=True)
            else:
                yield page
            had_short_page |= len(page.ids) < size.largest

    def _page_size(self, largest: int) -> PageSize:
        facts = self._client.settings.profile.facts_for(self.resource)
        start = facts.page_size or self.resource.page_size
        return self._client.page_sizes.setdefault((self.resource.name, largest), PageSize(largest, start))

    def _read_parts(
        self, order: Mapping[str, str], page_number: int, size: PageSize, request_size: int, *, count: bool
    ) -> Iterator[Page]:
        """Yield a page in parts of `request_size` rows. It ends early only at the end of the list."""
        parts_per_page = size.largest // request_size
        for number in range((page_number - 1) * parts_per_page + 1, page_number * parts_per_page + 1):
            part = self.read_at_once(order, number, request_size, count=count)
            size.observe(len(part.ids), part.response.body_bytes, part.response.seconds)
            yield part
            if not part.ids:
                return

    def _id_of(self, row: object, page_number: int) -> int:
        row_id = optional_int(row.get("id")) if isinstance(row, dict) else None
        if row_id is None:
            raise self._unexpected_response("a row without an id", page_number)
        if abs(row_id) >= _ID_LIMIT:
            raise self._unexpected_response("a row with an id of more than 63 bits", page_number)
        return row_id

    def _unexpected_response(self, what: str, page_number: int) -> UnexpectedResponse:
        return UnexpectedResponse(
            f"FieldPulse sent {what}.",
            where=f"GET {self.path} page {page_number} · stream {self.resource.name}",
            hint="run again; if it happens again, the API has changed: report it",
        )


def _joined(parts: list[Page], request_size: int) -> Page:
    """Return parts as one page. Its count is None if the parts have different ones: then the list has changed."""
    if len(parts) == 1:
        return parts[0]
    server_counts = {part.server_count for part in parts}
    return Page(
        rows=[row for part in parts for row in part.rows],
        ids=[row_id for part in parts for row_id in part.ids],
        server_count=server_counts.pop() if len(server_counts) == 1 else None,
        response=parts[0].response,
        request_size=request_size,
        is_one_response=False,
    )
