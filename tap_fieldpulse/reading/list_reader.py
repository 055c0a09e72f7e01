"""Which rows of a resource a run reads: the whole list, what is new in it, or the children of parents that changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone, tzinfo
from typing import Any, Protocol

from fieldpulse_api.errors import RecordInvalid, ServerError
from fieldpulse_api.http.client import Client
from fieldpulse_api.reading.child_lists import ChildLists
from fieldpulse_api.reading.full_scan import FullScan
from fieldpulse_api.reading.incremental_scan import IncrementalScan
from fieldpulse_api.reading.pages import Pages, ReadOptions, Row, ScanStats
from fieldpulse_api.resources.model import Resource
from fieldpulse_api.values.scalars import iso_timestamp, optional_time

from .bookmark import MAX_CLOCK_SKEW, Bookmark, read_time
from .filters import Filters

_JUST_NOW = timedelta(seconds=10)


class ListReader(Protocol):
    """What is read. `ids` are those of all rows that came; `is_whole` says that none was left out on purpose.

    `done` says how far it is, in `unit`.
    """

    stats: ScanStats
    row_ids: set[int]
    reads_full_list: bool
    done: int
    unit: str

    @property
    def total(self) -> int | None:
        """Return how much there is to do, where the server counts it."""

    def rows(self) -> Iterator[list[Row]]:
        """Yield the rows in lists that are never empty."""

    def is_changed_since_bookmark(self, row: Row) -> bool:
        """Say whether a row is wanted by its time, and not only to know the list whole."""

    def next_state(self) -> dict[str, Any]:
        """Return where the next run goes on, once this one was complete."""


class ResourceListReader:
    """The list of a resource. Without `bookmark` it is read whole, and nothing is kept.

    `without_deleted` leaves rows out that say that they were deleted: what is gone is looked for by id.
    Filters are sent. Whether the server means by them what we do is checked with a page that was asked for
    without them; if it does not, the list is read without them.
    """

    def __init__(
        self,
        pages: Pages,
        *,
        bookmark: Bookmark | None,
        since: datetime | None,
        must_read_all: bool,
        skip_deleted: bool,
        filters: Filters,
    ) -> None:
        self._skip_deleted = skip_deleted
        self.stats, self.row_ids = pages.stats, set[int]()
        self.reads_full_list = since is None or must_read_all
        self.done, self.unit = 0, "rows"
        self._pages, self._bookmark, self._since, self._filters = pages, bookmark, since, filters
        self._sent = filters.query

    @property
    def total(self) -> int | None:
        """Return the server's count, where all that it counts is read."""
        return self.stats.server_count if self.reads_full_list else None

    def rows(self) -> Iterator[list[Row]]:
        """Yield the rows."""
        if not self._sent:
            yield from self._read(self._pages)
            return
        reading = self._pages.options
        self._pages.options = replace(reading, query={**reading.query, **self._sent})
        plain = self._pages.without(self._sent)
        plain.stats = self.stats
        try:
            yield from self._read(self._pages)
            problem = "the server means something else by the filter" if self._filter_hides_rows() else None
        except (RecordInvalid, ServerError):
            if self.stats.pages:
                raise
            problem = "the server refused the filter"
        if problem:
            self.stats.notes.append(f"{problem}: the list is read without it")
            yield from self._read(plain)

    def is_changed_since_bookmark(self, row: Row) -> bool:
        """Say whether a row was changed since the bookmark; one without a valid time counts as new."""
        time = self._time(row)
        return self._since is None or time is None or time >= self._since

    def next_state(self) -> dict[str, Any]:
        """Return the new bookmark."""
        return self._bookmark.next_state(self.stats.started_at) if self._bookmark else {}

    def _read(self, pages: Pages) -> Iterator[list[Row]]:
        """Read; the bookmark follows every row, also one that does not fit: it was read, and judged."""
        for rows in self._pages_of(pages):
            self.done += len(rows)
            for row in rows:
                time = self._time(row)
                if self._bookmark and time:
                    self._bookmark.observe(time)
            kept = _kept(rows, pages.options.zone) if self._skip_deleted else rows
            self.row_ids.update(int(row["id"]) for row in kept)
            if kept:
                yield kept

    def _pages_of(self, pages: Pages) -> Iterator[list[Row]]:
        if not self.reads_full_list and self._bookmark:
            return IncrementalScan(pages, self._bookmark.column, self._since).rows()
        return FullScan(pages).rows()

    def _filter_hides_rows(self) -> bool:
        """Say whether a row that fits did not come; of an empty answer nothing is believed.

        What was changed since the reading began is not looked at.
        """
        if not self.row_ids:
            return True
        column = self._bookmark.column if self._bookmark else "id"
        page = self._pages.without(self._sent).read(self._pages.sort_params(column, "desc"), 1, count=False)
        self.stats.pages += 1
        hidden = [
            row
            for row, one in zip(page.rows, page.ids, strict=True)
            if one not in self.row_ids and self._filters.matches(row)
        ]
        return any(self.is_changed_since_bookmark(row) and self._is_older(row) for row in hidden)

    def _is_older(self, row: Row) -> bool:
        time = self._time(row)
        return time is None or self.stats.started_at is None or time < self.stats.started_at - _JUST_NOW

    def _time(self, row: Row) -> datetime | None:
        column = self._pages.resource.updated_column
        return optional_time(row.get(column), self._pages.options.zone) if column else None


@dataclass(frozen=True)
class ChildRefreshPolicy:
    """How often the children of all parents are read, and how far behind the last time those of changed ones."""

    full_every: timedelta
    lookback_seconds: float


class ChildListReader:
    """The lists below all parents, every so often, and in between below those that changed.

    Shape: the state is the bookmark of the parents, and when all were asked: of constant size.
    """

    def __init__(
        self,
        client: Client,
        resources: tuple[Resource, Resource],
        reading: ReadOptions,
        state: Mapping[str, Any],
        rounds: ChildRefreshPolicy,
        *,
        must_read_all: bool,
        skip_deleted: bool,
    ) -> None:
        self._skip_deleted, self._zone = skip_deleted, reading.zone
        resource, parent = resources
        self.row_ids: set[int] = set()
        self._column = str(parent.updated_column)
        where = f"state · stream {resource.name}"
        self._full_at = read_time(state.get("full_at"), where)
        kept = state.get("parents")
        self._bookmark = Bookmark.from_state(kept if isinstance(kept, dict) else {}, self._column, resource.name)
        since = self._bookmark.since(None, rounds.lookback_seconds)
        age = datetime.now(timezone.utc) - self._full_at if self._full_at else rounds.full_every
        is_due = not -MAX_CLOCK_SKEW <= age < rounds.full_every
        self.reads_full_list = must_read_all or is_due or since is None
        self._parents = Pages(client, parent, replace(reading, query={}))
        self._read = (
            FullScan(self._parents) if self.reads_full_list else IncrementalScan(self._parents, self._column, since)
        )
        self._children = ChildLists(client, resource, reading, self._parents)
        self.stats = self._children.stats
        self.done, self.unit = 0, parent.name

    @property
    def total(self) -> int | None:
        """Return how many parents there are, where all are asked."""
        return self._parents.stats.server_count if self.reads_full_list else None

    def rows(self) -> Iterator[list[Row]]:
        """Yield the rows of each parent."""
        for rows in self._children.rows(self._noted(self._read.rows())):
            kept = _kept(rows, self._zone) if self._skip_deleted else rows
            self.row_ids.update(int(row["id"]) for row in kept)
            if kept:
                yield kept

    def is_changed_since_bookmark(self, row: Row) -> bool:  # noqa: ARG002
        """Say that every row is: nothing tells when a child changed."""
        return True

    def next_state(self) -> dict[str, Any]:
        """Return the bookmark of the parents, and when all of them were asked."""
        began = self._parents.stats.started_at
        full_at = began if self.reads_full_list else self._full_at
        return {"parents": self._bookmark.next_state(began), "full_at": iso_timestamp(full_at) if full_at else None}

    def _noted(self, parents: Iterator[list[Row]]) -> Iterator[list[Row]]:
        for rows in parents:
            for row in rows:
                self._note(row)
            self.done += len(rows)
            yield rows

    def _note(self, parent: Row) -> None:
        time = optional_time(parent.get(self._column), self._parents.options.zone)
        if time:
            self._bookmark.observe(time)


def is_marked_deleted(row: Row, zone: tzinfo) -> bool:
    """Say whether a row says of itself that it was deleted: nobody knows that no list and no path by id shows such."""
    return optional_time(row.get("deleted_at"), zone) is not None


def _kept(rows: list[Row], zone: tzinfo) -> list[Row]:
    return [row for row in rows if not is_marked_deleted(row, zone)]
