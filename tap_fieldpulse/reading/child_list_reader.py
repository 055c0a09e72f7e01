"""Reads the lists below the rows of a parent resource: of all parents now and then, of changed parents in between."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from datetime import datetime
from typing import Any

from fieldpulse_api.reading.child_lists import ChildLists
from fieldpulse_api.reading.full_scan import FullScan
from fieldpulse_api.reading.id_set import IdSet
from fieldpulse_api.reading.incremental_scan import IncrementalScan
from fieldpulse_api.reading.pages import Pages, Row
from fieldpulse_api.values.scalars import iso_timestamp, optional_time

from .bookmark import Bookmark
from .list_reader import without_deleted


class ChildListReader:
    """Read the child lists of all parents, or of those that changed since the bookmark of the parents.

    The state is the bookmark of the parents and the time at which all parents were read last, so its size is constant.
    `full_at` is that time in the state of the last run.
    """

    def __init__(
        self,
        children: ChildLists,
        *,
        bookmark: Bookmark,
        since: datetime | None,
        full_at: datetime | None,
        reads_full_list: bool,
        skip_deleted: bool,
    ) -> None:
        self.stats, self.row_ids = children.stats, IdSet()
        self.reads_full_list = reads_full_list
        self.done, self.unit = 0, children.parents.resource.name
        self._children, self._bookmark, self._since, self._full_at = children, bookmark, since, full_at
        self._skip_deleted = skip_deleted

    @property
    def total(self) -> int | None:
        """Return the number of parents, if the lists of all of them are read."""
        return self._parents.stats.server_count if self.reads_full_list else None

    def limit_in_flight(self, limit: int | None) -> None:
        """Limit the lists in flight, and the pages of the parents; see `ListReader`."""
        self._children.limit_in_flight(limit)

    def rows(self) -> Generator[list[Row], None, None]:
        """Yield the rows of each parent."""
        for rows in self._children.rows(self._parent_rows()):
            rows_to_return = without_deleted(rows, self._parents.options.zone) if self._skip_deleted else rows
            if self._skip_deleted:
                self.row_ids.update(int(row["id"]) for row in rows_to_return)
            if rows_to_return:
                yield rows_to_return

    def is_changed_since_bookmark(self, row: Row) -> bool:  # noqa: ARG002
        """Return True: nothing shows when a child row changed."""
        return True

    def next_state(self) -> dict[str, Any]:
        """Return the bookmark of the parents and the time at which all of them were read last."""
        started_at = self._parents.stats.started_at
        full_at = started_at if self.reads_full_list else self._full_at
        return {
            "parents": self._bookmark.next_state(started_at),
            "full_at": iso_timestamp(full_at) if full_at else None,
        }

    @property
    def _parents(self) -> Pages:
        return self._children.parents

    def _parent_rows(self) -> Iterator[list[Row]]:
        column = self._bookmark.column
        scan = FullScan(self._parents) if self.reads_full_list else IncrementalScan(self._parents, column, self._since)
        for rows in scan.rows():
            for row in rows:
                if time := optional_time(row.get(column), self._parents.options.zone):
                    self._bookmark.observe(time)
            self.done += len(rows)
            yield rows
