"""Reading what is new in a list, the newest first, checked on every page; the whole list where that fails."""

from __future__ import annotations

from collections.abc import Iterator, Generator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from .pages import Page, Pages, Row
from .records import Unfit, instant
from .walk import Walk

_MOST_DESCENTS = 5
Outcome = Literal["settled", "again", "unsorted"]


@dataclass
class _Descent:
    """One reading from the top down to the first page that is wholly older."""

    first: Page
    sent: int = 0
    fresh: int = 0
    sent_on_first_page: int = 0
    ids: set[int] = field(default_factory=set)
    counts: set[int | None] = field(default_factory=set)
    last: datetime | None = None


class Newest:
    """Read the rows whose `column` is at or after `since`; a row without a valid time counts as new.

    Units:  `since` is an aware UTC datetime.
    Source: contract 3.3: nobody has shown live that a sort by updated_at is applied, so it is never trusted.
    """

    def __init__(self, pages: Pages, column: str, since: datetime) -> None:
        self._pages, self._tally = pages, pages.tally
        self._column, self._since = column, since
        self._seen: dict[int, datetime | None] = {}

    def rows(self) -> Iterator[list[Row]]:
        """Yield the new rows in lists that are never empty; one again only if it changed meanwhile.

        Stops at the first page that is wholly older, once a request in the other direction has shown
        that the server sorts. Rows that lie on several pages are read again until nothing is added,
        unless counts and order show that none can have slid over a page's edge.
        """
        outcome: Outcome = "unsorted"
        if self._pages.resource.order(self._column, "desc"):
            for _ in range(_MOST_DESCENTS):
                outcome = yield from self._descend()
                if outcome != "again" or not self._pages.reading.prove:
                    break
        if outcome == "settled":
            self._tally.verdict = "complete"
        elif outcome == "unsorted" or self._pages.reading.prove:
            self._tally.notes.append(f"the server does not sort by {self._column} (steadily): the whole list was read")
            yield from Walk(self._pages).rows(self._is_new)

    def _descend(self) -> Generator[list[Row], None, Outcome]:
        order = self._pages.resource.order(self._column, "desc")
        descent = _Descent(self._pages.ask(order, 1))
        for page in self._pages.after(descent.first, order, lambda n: 2 ** (n - 1), count=True):
            times = [self._time(row) for row in page.rows]
            if not _descends(times, descent):
                return "unsorted"
            if set(page.ids) <= descent.ids:
                break
            fresh = [row for row in page.rows if self._is_new(row)]
            self._note(descent, page, times, len(fresh))
            if fresh:
                yield fresh
            if descent.first.count is not None and descent.first.count <= len(descent.first.ids):
                break
            if times[0] is not None and times[0] < self._since:
                if not self._is_sorted_by_server(descent):
                    return "unsorted"
                break
        return self._settle(descent)

    def _note(self, descent: _Descent, page: Page, times: list[datetime | None], fresh: int) -> None:
        new = sum(time is None or time >= self._since for time in times)
        descent.sent_on_first_page = descent.sent_on_first_page or (new if page is descent.first else 0)
        descent.sent += new
        descent.fresh += fresh
        self._tally.repeats += sum(one in descent.ids for one in page.ids)
        self._tally.records += fresh
        descent.counts.add(page.count)
        descent.ids.update(page.ids)

    @staticmethod
    def _settle(descent: _Descent) -> Outcome:
        """Say whether no row can have been missed: all on one page, nothing moved meanwhile, or nothing added."""
        came_at_once = descent.sent == descent.sent_on_first_page
        stood_still = descent.sent == descent.fresh and len(descent.counts) == 1 and None not in descent.counts
        return "settled" if came_at_once or stood_still or not descent.fresh else "again"

    def _is_sorted_by_server(self, descent: _Descent) -> bool:
        """Ask in the other direction: an order by luck, or by something else, shows there."""
        oldest = self._pages.ask(self._pages.resource.order(self._column, "asc"), 1, limit=1, count=False)
        times = [self._time(row) for row in oldest.rows]
        if not times or times[0] is None or descent.last is None:
            return False
        return oldest.ids[0] != descent.first.ids[0] and times[0] <= descent.last

    def _is_new(self, row: Row) -> bool:
        """Say whether the row is to be handed on, and remember it."""
        time, identity = self._time(row), int(row["id"])
        if time is not None and time < self._since:
            return False
        if identity in self._seen and self._seen[identity] == time:
            return False
        self._seen[identity] = time
        return True

    def _time(self, row: Row) -> datetime | None:
        try:
            return instant(row.get(self._column), self._pages.reading.zone)
        except Unfit:
            return None


def _descends(times: list[datetime | None], descent: _Descent) -> bool:
    for time in times:
        if time is None or (descent.last is not None and time > descent.last):
            return False
        descent.last = time
    return True
