"""Reading a list that every row of a parent has, many parents at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from fieldpulse_api.errors import RowNotFound
from fieldpulse_api.http.client import Client
from fieldpulse_api.resources.model import Resource

from .full_scan import FullScan
from .pages import Pages, ReadOptions, Row, ScanStats
from .prefetch import map_in_order

_WORST = ("complete", "unproven", "incomplete")


class ChildLists:
    """Read the child lists of many parents, with as many under way as pages may be.

    A parent that answers 404 was deleted meanwhile: it is counted in `tally.vanished`. `parents` are the
    pages of the list that they are read from: what is not proved of it is not proved of the children.
    """

    def __init__(self, client: Client, resource: Resource, options: ReadOptions, parents: Pages) -> None:
        self.stats = ScanStats(verdict="complete", server_count=0)
        self.parents = parents
        self._client, self._resource, self._reading = client, resource, options
        self._column = f"{parents.resource.singular}_id"

    def rows(self, parents: Iterable[list[Row]]) -> Iterator[list[Row]]:
        """Yield the rows of each parent that has any, with the parent's id in its column."""
        ids = (int(row["id"]) for rows in parents for row in rows)
        for rows, tally in map_in_order(self._read, ids, at_most=self._reading.pages_in_flight):
            self._add(tally)
            if rows:
                yield rows
        self._add(replace(self.parents.stats, records=0, server_count=0))

    def _read(self, parent: int) -> tuple[list[Row], ScanStats]:
        column = self._column
        pages = Pages(self._client, self._resource, self._reading, self._resource.path.format(**{column: parent}))
        try:
            walk = FullScan(pages, ends_by_count=True)
            rows = [{**row, column: row.get(column) or parent} for page in walk.rows() for row in page]
        except RowNotFound:
            return [], ScanStats(vanished=1, verdict="complete")
        return rows, pages.stats

    def _add(self, one: ScanStats) -> None:
        total = self.stats
        total.records += one.records
        total.pages += one.pages
        total.duplicates += one.duplicates
        total.vanished += one.vanished
        total.started_at = total.started_at or one.started_at
        total.verdict = max(total.verdict, one.verdict, key=_WORST.index)
        if total.server_count is not None and not one.vanished:
            total.server_count = None if one.server_count is None else total.server_count + one.server_count
        total.notes.extend(note for note in one.notes if note not in total.notes)
