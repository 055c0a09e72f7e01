"""Reading what is new in a list, the newest first, checked on every page; the whole list where that fails."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from fieldpulse_api.values.scalars import optional_int, optional_time

from .full_scan import FullScan
from .pages import Page, Pages, Row

_MOST_DESCENTS = 5
_TELLING = 10  # so many rows are not in order by chance
Outcome = Literal["settled", "again", "unsorted"]
Mark = Any  # what rows are ordered by: a datetime, or an id; None where a row has no valid one


@dataclass
class _DescendingPass:
    """One reading from the top down to the first page that is wholly older."""

    first: Page
    sent: int = 0
    fresh: int = 0
    came_at_once: bool = False
    ids: set[int] = field(default_factory=set)
    counts: set[int | None] = field(default_factory=set)
    last: Mark = None


class IncrementalScan:
    """Read the rows whose `column` is at or after `since`; a row without a valid value there counts as new.

    Units:  `since` is an aware UTC datetime, or an id where the column is the key.
    Source: contract 3.3: nobody has shown live that a sort by updated_at is applied, so it is never trusted.
    """

    def __init__(self, pages: Pages, column: str, since: Mark) -> None:
        self._pages, self._tally = pages, pages.stats
        self._column, self._since = column, since
        self._seen: dict[int, Mark] = {}
        self._top: Mark = None

    def rows(self) -> Iterator[list[Row]]:
        """Yield the new rows in lists that are never empty; one again only if it changed meanwhile.

        Stops at the first page that is wholly older, once a request in the other direction has shown
        that the server sorts. Rows that lie on several pages are read again until nothing is added,
        unless counts and order show that none can have slid over a page's edge.
        """
        outcome: Outcome = "unsorted"
        if self._pages.sort_params(self._column, "desc"):
            for _ in range(_MOST_DESCENTS):
                outcome = yield from self._descend()
                if outcome != "again" or not self._pages.options.check_completeness:
                    break
        if outcome == "settled":
            self._tally.verdict = "complete"
        elif outcome == "unsorted" or self._pages.options.check_completeness:
            self._tally.notes.append(f"the server does not sort by {self._column} (steadily): the whole list was read")
            yield from FullScan(self._pages).rows(self._is_new)

    def _descend(self) -> Generator[list[Row], None, Outcome]:
        order = self._pages.sort_params(self._column, "desc")
        descent = _DescendingPass(self._pages.read(order, 1))
        if self._top is None and descent.first.rows:
            self._top = self._mark(descent.first.rows[0])
        for page in self._pages.read_after(descent.first, order, lambda n: 2 ** (n - 1), count=True):
            marks = [self._mark(row) for row in page.rows]
            if not _descends(page, marks, descent):
                return "unsorted"
            if set(page.ids) <= descent.ids:
                if page.ids or (descent.first.server_count or 0) > len(descent.ids):
                    return "unsorted"  # the end came again, or too early: the page is not honoured
                break
            fresh = [row for row in page.rows if self._is_new(row)]
            self._note(descent, page, marks, fresh)
            if fresh:
                yield fresh
            if descent.came_at_once and page.server_count is not None and page.server_count <= len(page.ids):
                break
            if marks[0] < self._since:
                if not self._is_sorted_by_server(descent):
                    return "unsorted"
                break
        return self._settle(descent)

    def _note(self, descent: _DescendingPass, page: Page, marks: list[Mark], fresh: list[Row]) -> None:
        new = sum(mark >= self._since and not self._came_later(mark) for mark in marks)
        if page is descent.first:
            descent.came_at_once = marks[-1] < self._since or (page.server_count or len(page.ids) + 1) <= len(page.ids)
        descent.sent += new
        descent.fresh += sum(not self._came_later(self._mark(row)) for row in fresh)
        self._tally.duplicates += sum(one in descent.ids for one in page.ids)
        self._tally.records += len(fresh)
        descent.counts.add(page.server_count)
        descent.ids.update(page.ids)

    @staticmethod
    def _settle(descent: _DescendingPass) -> Outcome:
        """Say whether no row can have been missed: all on one page, nothing moved meanwhile, or nothing added."""
        stood_still = descent.sent == descent.fresh and len(descent.counts) == 1 and None not in descent.counts
        return "settled" if descent.came_at_once or stood_still or not descent.fresh else "again"

    def _came_later(self, mark: Mark) -> bool:
        """Say whether a row came after the reading began: by its id, which, unlike a time, never changes."""
        return self._column == "id" and self._top is not None and mark > self._top

    def _is_sorted_by_server(self, descent: _DescendingPass) -> bool:
        """Ask in the other direction: an order by luck, or by something else, shows there."""
        oldest = self._pages.read(self._pages.sort_params(self._column, "asc"), 1, limit=1, count=False)
        marks = [self._mark(row) for row in oldest.rows]
        if not marks or marks[0] is None:
            return False
        return oldest.ids[0] != descent.first.ids[0] and marks[0] <= descent.last

    def _is_new(self, row: Row) -> bool:
        """Say whether the row is to be handed on, and remember it."""
        mark, identity = self._mark(row), int(row["id"])
        if mark is not None and mark < self._since:
            return False
        if identity in self._seen and self._seen[identity] == mark:
            return False
        self._seen[identity] = mark
        return True

    def _mark(self, row: Row) -> Mark:
        value = row.get(self._column)
        return optional_int(value) if self._column == "id" else optional_time(value, self._pages.options.zone)


def _descends(page: Page, marks: list[Mark], descent: _DescendingPass) -> bool:
    """Say whether a page descends, and goes on where the one before ended: rows that came on it have slid down."""
    before = None
    for identity, mark in zip(page.ids, marks):  # noqa: B905  made as one
        if mark is None or (before is not None and mark > before):
            return False
        before = mark
        if identity in descent.ids:
            continue
        if descent.last is not None and mark > descent.last:
            return False
        descent.last = mark
    return True


def read_newest_id(pages: Pages) -> int:
    """Return the highest id of a list, 0 for an empty one; the whole list is read where the server does not sort."""
    key = "id"
    newest, oldest = (pages.read(pages.sort_params(key, way), 1) for way in ("desc", "asc"))
    last, first = newest.ids, oldest.ids
    if not last and not first:
        return 0
    is_all = newest.server_count == len(last) or (len(last) > 1 and last == first[::-1])
    is_sorted = last == sorted(last, reverse=True) and first == sorted(first)
    if is_all or (is_sorted and len(last) >= _TELLING and last[0] > first[-1]):
        return max(last)
    return max((int(row["id"]) for rows in FullScan(pages).rows() for row in rows), default=0)
