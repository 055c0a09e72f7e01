"""Child lists: one list for each row of a parent list, many of them in flight."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from fieldpulse_api.errors import RowNotFound
from fieldpulse_api.http.client import Client
from fieldpulse_api.resources.model import Resource

from .full_scan import FullScan
from .pages import Pages, ReadOptions, Row, ScanStats
from .prefetch import map_in_order

_VERDICTS_FROM_BEST = ("complete", "unproven", "incomplete")


class ChildLists:
    """Read the child lists of many parents.

    `stats` sum up all child lists. Their verdict is the worst of all and of the parent list, whose pages are `parents`:
    children of a parent that was missed were missed too. A parent that returns 404 was deleted in the meantime.
    """

    def __init__(self, client: Client, resource: Resource, options: ReadOptions, parents: Pages) -> None:
        self.stats = ScanStats(verdict="complete", server_count=0)
        self.parents = parents
        self._in_flight = options.pages_in_flight
        self._client, self._resource, self._options = client, resource, options
        self._parent_column = f"{parents.resource.singular}_id"

    def limit_in_flight(self, limit: int | None) -> None:
        """Let at most `limit` lists, and pages of parents, be in flight from now on; None for what options allow."""
        self._in_flight = limit or self._options.pages_in_flight
        self.parents.limit_in_flight(limit)

    def rows(self, parents: Iterable[list[Row]]) -> Iterator[list[Row]]:
        """Yield the rows of each parent that has any, with the parent's id in a column."""
        parent_ids = (int(row["id"]) for rows in parents for row in rows)
        results = map_in_order(
            self._read,
            parent_ids,
            max_in_flight=self._options.pages_in_flight,
            in_flight_after=lambda _: self._in_flight,
        )
        for rows, stats in results:
            self._add(stats)
            if rows:
                yield rows
        self._add(replace(self.parents.stats, records=0, server_count=0))

    def _read(self, parent_id: int) -> tuple[list[Row], ScanStats]:
        column = self._parent_column
        path = self._resource.path.format(**{column: parent_id})
        pages = Pages(self._client, self._resource, self._options, path)
        try:
            scan = FullScan(pages, ends_by_count=True)
            rows = [{**row, column: row.get(column) or parent_id} for page in scan.rows() for row in page]
        except RowNotFound:
            return [], ScanStats(vanished_parents=1, verdict="complete")
        return rows, pages.stats

    def _add(self, stats: ScanStats) -> None:
        total = self.stats
        total.records += stats.records
        total.pages += stats.pages
        total.duplicates += stats.duplicates
        total.vanished_parents += stats.vanished_parents
        total.started_at = total.started_at or stats.started_at
        total.verdict = max(total.verdict, stats.verdict, key=_VERDICTS_FROM_BEST.index)
        if total.server_count is not None and not stats.vanished_parents:
            total.server_count = None if stats.server_count is None else total.server_count + stats.server_count
        total.notes.extend(note for note in stats.notes if note not in total.notes)
