"""Reads the list of one resource: in full, or the rows that changed since the bookmark."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import replace
from datetime import datetime, timedelta, tzinfo
from typing import Any, Protocol

from fieldpulse_api.errors import RecordInvalid, ServerError
from fieldpulse_api.reading.full_scan import FullScan
from fieldpulse_api.reading.id_set import IdSet
from fieldpulse_api.reading.incremental_scan import IncrementalScan
from fieldpulse_api.reading.pages import Pages, Row, ScanStats
from fieldpulse_api.reading.single_rows import is_marked_deleted
from fieldpulse_api.values.scalars import optional_time

from .bookmark import Bookmark
from .filters import Filters

_RECENT = timedelta(seconds=10)


class ListReader(Protocol):
    """A list that is being read, and its results so far.

    `row_ids` are the ids of the rows received, if delete detection asks for them. `reads_full_list` is False if rows
    are left out on purpose. `done` and `total` count in `unit`.
    """

    stats: ScanStats
    row_ids: IdSet
    reads_full_list: bool
    done: int
    unit: str

    @property
    def total(self) -> int | None:
        """Return how many there are to read, if the server counts them."""

    def limit_in_flight(self, limit: int | None) -> None:
        """Let at most `limit` pages be in flight from now on; None for what the options allow."""

    def rows(self) -> Generator[list[Row], None, None]:
        """Yield the rows, in lists that are never empty."""

    def is_changed_since_bookmark(self, row: Row) -> bool:
        """Return whether an incremental run emits the row; the others are read to see the full list."""

    def next_state(self) -> dict[str, Any]:
        """Return where the next run continues, once this list is complete."""


class ResourceListReader:
    """Read a list of rows that are not below a parent row. Without a bookmark, the next state is empty.

    With `skip_deleted`, rows with a `deleted_at` are left out: delete detection then reads them by id.

    Filters are sent to save requests. The server may ignore a filter, reject it, or mean something else by it. After
    reading, one page without the filter is therefore compared. If it shows a matching row that did not come, or if the
    server rejected the filter, the list is read again without it.
    """

    def __init__(
        self,
        pages: Pages,
        *,
        bookmark: Bookmark | None,
        since: datetime | None,
        reads_full_list: bool,
        skip_deleted: bool,
        filters: Filters,
    ) -> None:
        self.stats, self.row_ids = pages.stats, IdSet()
        self.reads_full_list = reads_full_list
        self.done, self.unit = 0, "rows"
        self._skip_deleted = skip_deleted
        self._pages, self._bookmark, self._since, self._filters = pages, bookmark, since, filters

    @property
    def total(self) -> int | None:
        """Return the server's count, if all rows that it counts are read."""
        return self.stats.server_count if self.reads_full_list else None

    def limit_in_flight(self, limit: int | None) -> None:
        """Limit the pages in flight; see `ListReader`."""
        self._pages.limit_in_flight(limit)

    def rows(self) -> Generator[list[Row], None, None]:
        """Yield the rows."""
        query = self._filters.query
        if not query:
            yield from self._read(self._pages)
            return
        options = self._pages.options
        self._pages.options = replace(options, query={**options.query, **query})
        unfiltered = self._pages.without(query)
        unfiltered.stats = self.stats
        try:
            yield from self._read(self._pages)
            problem = "the server applies the filter differently" if self._filter_hides_rows() else None
        except (RecordInvalid, ServerError):
            if self.stats.pages:
                raise
            problem = "the server rejected the filter"
        if problem:
            self.stats.notes.append(f"{problem}; reading the list without it")
            yield from self._read(unfiltered)

    def is_changed_since_bookmark(self, row: Row) -> bool:
        """Return whether the row changed since the bookmark; a row without a valid time counts as changed."""
        if self._since is None:
            return True
        time = self._updated_at(row)
        return time is None or time >= self._since

    def next_state(self) -> dict[str, Any]:
        """Return the new bookmark."""
        return self._bookmark.next_state(self.stats.started_at) if self._bookmark else {}

    def _read(self, pages: Pages) -> Iterator[list[Row]]:
        """Yield rows. The bookmark observes all of them, also those that no filter matches: they need no re-reading."""
        scan: FullScan | IncrementalScan = FullScan(pages)
        if self._bookmark and not self.reads_full_list:
            scan = IncrementalScan(pages, self._bookmark.column, self._since)
        for rows in scan.rows():
            self.done += len(rows)
            if self._bookmark:
                for time in filter(None, map(self._updated_at, rows)):
                    self._bookmark.observe(time)
            rows_to_return = without_deleted(rows, pages.options.zone) if self._skip_deleted else rows
            if self._skip_deleted or self._filters.query:
                self.row_ids.update(int(row["id"]) for row in rows_to_return)
            if rows_to_return:
                yield rows_to_return

    def _filter_hides_rows(self) -> bool:
        """Return whether the filtered list lacks a matching row; an empty list is never trusted.

        Rows that changed since reading began do not count: they may be new.
        """
        if not self.row_ids:
            return True
        column = self._bookmark.column if self._bookmark else "id"
        page = self._pages.without(self._filters.query).read(self._pages.sort_params(column, "desc"), 1, count=False)
        self.stats.pages += 1
        return any(
            row_id not in self.row_ids
            and self._filters.matches(row)
            and self.is_changed_since_bookmark(row)
            and not self._is_recent(row)
            for row, row_id in zip(page.rows, page.ids, strict=True)
        )

    def _is_recent(self, row: Row) -> bool:
        time, started_at = self._updated_at(row), self.stats.started_at
        return time is not None and started_at is not None and time >= started_at - _RECENT

    def _updated_at(self, row: Row) -> datetime | None:
        column = self._pages.resource.updated_column
        return optional_time(row.get(column), self._pages.options.zone) if column else None


def without_deleted(rows: list[Row], zone: tzinfo) -> list[Row]:
    """Return the rows without a `deleted_at`."""
    return [row for row in rows if not is_marked_deleted(row, zone)]
