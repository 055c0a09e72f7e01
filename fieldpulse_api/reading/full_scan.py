"""Reading a list whole, without trusting the server's sorting, counting or paging.

A *pass* reads the pages once. A walk takes as many passes as it needs to be complete, within
bounds, hands every row on once, and says what it proved.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count as count_from

from .pages import Page, Pages, Row, Verdict

_MOST_PASSES = 16
_MOST_QUIET = 3  # passes in a row that bring nothing new


@dataclass
class Pass:
    """One reading of the pages: which ids came, whether they ascended, and how many there should be.

    `counted` rows with ids up to `newest_id` were there when it began; `stalls` is how many of the last pages
    brought nothing new, and `slipped` that one did in the middle.
    """

    counted: int | None = None
    newest_id: int | None = None
    ids: dict[int, None] = field(default_factory=dict)  # in their order
    sent: int = 0
    added: int = 0
    telling: int = 0  # pages that brought something new
    stalls: int = 0
    slipped: bool = False
    is_ascending: bool = True
    ended: bool = False
    last_id: int = -1

    def take(self, page: Page) -> bool:
        """Note a page; say whether the end of the list was reached.

        That is an empty page, or the second in a row without a new id: one alone may be a slip. Where only
        the first page ever came, the server may not honour the page, and an end was not seen.
        """
        self.sent += len(page.ids)
        if not page.ids:
            self.ended = True
        elif self.ids.keys() >= set(page.ids):
            self.stalls += 1
            self.ended = self.stalls > 1 and self.telling > 1
        else:
            self.slipped |= self.stalls > 0
            if self.slipped or page.ids != sorted(page.ids) or page.ids[0] <= self.last_id:
                self.is_ascending = False
            self.last_id, self.stalls, self.telling = page.ids[-1], 0, self.telling + 1
            self.ids.update(dict.fromkeys(page.ids))
        return self.ended or self.stalls > 1

    def repeats(self, other: Pass | None) -> bool:
        """Say whether the same rows came in the same order, to the end: the server has an order, though not ours."""
        if other is None or not (self.ended and other.ended) or self.slipped:
            return False
        return list(self.ids) == list(other.ids)

    @property
    def is_proof(self) -> bool:
        """Say whether this pass alone proves that no row was missed.

        As many of the rows that were there at the start have come as were counted then. A row
        that was deleted meanwhile pulls another one over a page's edge, unseen: then one is lacking.
        """
        if self.counted is None or not self.is_ascending:
            return False
        last = self.newest_id
        return sum(last is None or one <= last for one in self.ids) >= self.counted


class Walk:
    """One walk over a whole list.

    `ids` are those of all rows that came. `ends_by_count` spares the empty page at the end where the
    server's count is reached: for the many short lists of a fan-out, where it would double the requests.

    Source: contract 2.2 (empty page at the end, V; unstable order without a sort, V), 3.3 (sort, D).
    """

    def __init__(self, pages: Pages, *, ends_by_count: bool = False) -> None:
        self._pages, self._tally = pages, pages.tally
        self._ends_by_count = ends_by_count
        self.ids: set[int] = set()
        self._before: Pass | None = None

    def rows(self, keep: Callable[[Row], bool] = lambda _: True) -> Iterator[list[Row]]:
        """Yield every row that `keep` takes, once, in lists that are never empty.

        By ascending id: inserts land at the end and updates move nothing. A pass ends at an empty
        page, or at two without a new id, never at a short one.
        """
        quiet: list[Pass] = []  # since something new came
        for number in count_from(1):
            one = Pass()
            yield from self._read(one, keep)
            self._tally.repeats += one.sent - len(one.ids)
            quiet = [] if one.added else [*quiet, one]
            verdict = self._judge(one, number, quiet)
            if verdict:
                self._tally.verdict = verdict
                return
            self._before = one

    def _read(self, one: Pass, keep: Callable[[Row], bool]) -> Iterator[list[Row]]:
        order = self._pages.resource.order(self._pages.resource.key, "asc")
        first = self._begin(one)
        pages_expected = -(-first.count // len(first.ids)) + 1 if first.count and first.ids else None
        for page in self._pages.after(
            first, order, lambda n: pages_expected - n if pages_expected else 2 ** (n - 1), count=False
        ):
            if one.take(page):
                return
            rows = self._fresh(page, one)
            kept = [row for row in rows if keep(row)]
            self._tally.records += len(kept)
            if kept:
                yield kept
            if self._ends_by_count and one.counted is not None and len(one.ids) >= one.counted:
                return

    def _begin(self, one: Pass) -> Page:
        """Read the first page; where there are more, mark where the list ends first, and count then."""
        resource = self._pages.resource
        order = resource.order(resource.key, "asc")
        first = self._pages.ask(order, 1)
        one.counted = first.count
        if first.count is None or len(first.ids) >= first.count or not self._pages.reading.prove:
            return first
        end = self._pages.ask(resource.order(resource.key, "desc"), 1, limit=1)
        first = self._pages.ask(order, 1)
        if end.count is not None and first.count is not None:
            one.counted = max(end.count, first.count)
        one.newest_id = max(end.ids, default=None)
        if one.newest_id is None or one.newest_id < max(first.ids, default=0):
            one.is_ascending = False
        return first

    def _fresh(self, page: Page, one: Pass) -> list[Row]:
        rows = []
        for identity, row in zip(page.ids, page.rows):  # noqa: B905  made as one
            if identity not in self.ids:
                self.ids.add(identity)
                rows.append(row)
        one.added += len(rows)
        return rows

    def _judge(self, one: Pass, number: int, quiet: list[Pass]) -> Verdict | None:
        """Return the verdict, or None to read once more."""
        if one.is_proof or not (self.ids or one.counted):
            return "complete"
        if quiet and self._pages.reading.prove and self._is_enough(one, quiet):
            return "complete"
        is_tired = len(quiet) >= _MOST_QUIET and (one.is_ascending or one.counted is None)
        if not self._pages.reading.prove or number >= _MOST_PASSES or is_tired:
            return "unproven" if one.counted is None or len(self.ids) >= one.counted else "incomplete"
        if number == 1 and self._pages.resource.sorts:
            self._tally.notes.append(_why_again(one))
        return None

    def _is_enough(self, one: Pass, quiet: list[Pass]) -> bool:
        """Say whether passes that brought nothing new show that nothing is missing.

        In an order that changes, what was deleted meanwhile must not stand for what never came: only
        what came lately is held against the count.
        """
        if one.repeats(self._before):
            return one.counted is None or len(one.ids) >= one.counted
        if one.counted is None:
            return one.is_ascending or not self._pages.resource.sorts
        lately = set().union(*(each.ids for each in quiet))
        return len(self.ids if one.is_ascending else lately) >= one.counted


def _why_again(one: Pass) -> str:
    if not one.is_ascending:
        return "the server did not sort by id: the list is read until nothing new comes"
    if one.counted is None:
        return "the server sent no count: the list is read a second time"
    return "fewer rows came than were counted, or some were deleted meanwhile: the list is read again"
