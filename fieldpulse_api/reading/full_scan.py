"""Reading a list whole, without trusting the server's sorting, counting or paging.

A *pass* reads the pages once. A walk takes as many passes as it needs to be complete, within
bounds, hands every row on once, and says what it proved.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count as count_from

from fieldpulse_api.errors import IncompleteRead

from .pages import Page, Pages, Row, Verdict

_MOST_PASSES = 16
_MOST_QUIET = 3  # passes in a row that bring nothing new


@dataclass
class ScanPass:
    """One reading of the pages: which ids came, whether they ascended, and how many there should be.

    `counted` rows with ids up to `newest_id` were there when it began; `stalls` is how many of the last pages
    brought nothing new, and `slipped` that one did in the middle.
    """

    server_count: int | None = None
    newest_id: int | None = None
    ids: dict[int, None] = field(default_factory=dict)  # in their order
    rows_received: int = 0
    new_rows: int = 0
    pages_with_new_rows: int = 0  # pages that brought something new
    pages_without_news: int = 0
    had_gap: bool = False
    is_ascending: bool = True
    ended: bool = False
    last_id: int = -1

    def add_page(self, page: Page) -> bool:
        """Note a page; say whether the end of the list was reached.

        That is an empty page, or the second in a row without a new id: one alone may be a slip. Where only
        the first page ever came, the server may not honour the page, and an end was not seen.
        """
        self.rows_received += len(page.ids)
        if not page.ids:
            self.ended = True
        elif self.ids.keys() >= set(page.ids):
            self.pages_without_news += 1
            self.ended = self.pages_without_news > 1 and self.pages_with_new_rows > 1
        else:
            self.had_gap |= self.pages_without_news > 0
            if self.had_gap or page.ids != sorted(page.ids) or page.ids[0] <= self.last_id:
                self.is_ascending = False
            self.last_id, self.pages_without_news, self.pages_with_new_rows = (
                page.ids[-1],
                0,
                self.pages_with_new_rows + 1,
            )
            self.ids.update(dict.fromkeys(page.ids))
        return self.ended or self.pages_without_news > 1

    def has_same_order_as(self, other: ScanPass | None) -> bool:
        """Say whether the same rows came in the same order, to the end: the server has an order, though not ours."""
        if other is None or not (self.ended and other.ended) or self.had_gap:
            return False
        return list(self.ids) == list(other.ids)

    @property
    def proves_completeness(self) -> bool:
        """Say whether this pass alone proves that no row was missed.

        As many of the rows that were there at the start have come as were counted then. A row
        that was deleted meanwhile pulls another one over a page's edge, unseen: then one is lacking.
        """
        if self.server_count is None or not self.is_ascending:
            return False
        last = self.newest_id
        return sum(last is None or one <= last for one in self.ids) >= self.server_count


class FullScan:
    """One walk over a whole list.

    `ids` are those of all rows that came. `ends_by_count` spares the empty page at the end where the
    server's count is reached: for the many short lists of a fan-out, where it would double the requests.

    Source: contract 2.2 (empty page at the end, V; unstable order without a sort, V), 3.3 (sort, D).
    """

    def __init__(self, pages: Pages, *, ends_by_count: bool = False) -> None:
        self._pages, self._stats = pages, pages.stats
        self._ends_by_count = ends_by_count
        self.ids: set[int] = set()
        self._before: ScanPass | None = None

    def rows(self, keep: Callable[[Row], bool] = lambda _: True) -> Iterator[list[Row]]:
        """Yield every row that `keep` takes, once, in lists that are never empty.

        By ascending id: inserts land at the end and updates move nothing. A pass ends at an empty
        page, or at two without a new id, never at a short one.
        """
        quiet: list[ScanPass] = []  # since something new came
        for number in count_from(1):
            one = ScanPass()
            yield from self._read(one, keep)
            self._stats.duplicates += one.rows_received - len(one.ids)
            quiet = [] if one.new_rows else [*quiet, one]
            verdict = self._verdict(one, number, quiet)
            if verdict:
                self._stats.verdict = verdict
                return
            self._before = one

    def _read(self, one: ScanPass, keep: Callable[[Row], bool]) -> Iterator[list[Row]]:
        order = self._pages.sort_params("id", "asc")
        first = self._begin(one)
        pages_expected = -(-first.server_count // len(first.ids)) + 1 if first.server_count and first.ids else None
        for page in self._pages.read_after(
            first, order, lambda n: pages_expected - n if pages_expected else 2 ** (n - 1), count=False
        ):
            if one.add_page(page):
                return
            rows = self._unseen_rows(page, one)
            kept = [row for row in rows if keep(row)]
            self._stats.records += len(kept)
            if kept:
                yield kept
            if self._ends_by_count and one.server_count is not None and len(one.ids) >= one.server_count:
                return

    def _begin(self, one: ScanPass) -> Page:
        """Read the first page; where there are more, mark where the list ends first, and count then."""
        resource = self._pages.resource
        order = resource.sort_params("id", "asc")
        first = self._pages.read(order, 1)
        one.server_count = first.server_count
        if (
            first.server_count is None
            or len(first.ids) >= first.server_count
            or not self._pages.options.check_completeness
        ):
            return first
        end = self._pages.read(resource.sort_params("id", "desc"), 1, limit=1)
        first = self._pages.read(order, 1)
        if end.server_count is not None and first.server_count is not None:
            one.server_count = max(end.server_count, first.server_count)
        one.newest_id = max(end.ids, default=None)
        if one.newest_id is None or one.newest_id < max(first.ids, default=0):
            one.is_ascending = False
        return first

    def _unseen_rows(self, page: Page, one: ScanPass) -> list[Row]:
        rows = []
        for identity, row in zip(page.ids, page.rows):  # noqa: B905  made as one
            if identity not in self.ids:
                self.ids.add(identity)
                rows.append(row)
        one.new_rows += len(rows)
        return rows

    def _verdict(self, one: ScanPass, number: int, quiet: list[ScanPass]) -> Verdict | None:
        """Return the verdict, or None to read once more."""
        if one.proves_completeness or not (self.ids or one.server_count):
            return "complete"
        if quiet and self._pages.options.check_completeness and self._is_enough(one, quiet):
            return "complete"
        is_tired = len(quiet) >= _MOST_QUIET and (one.is_ascending or one.server_count is None)
        if not self._pages.options.check_completeness or number >= _MOST_PASSES or is_tired:
            return "unproven" if one.server_count is None or len(self.ids) >= one.server_count else "incomplete"
        if number == 1 and self._pages.resource.supports_sort:
            self._stats.notes.append(_why_again(one))
        return None

    def _is_enough(self, one: ScanPass, quiet: list[ScanPass]) -> bool:
        """Say whether passes that brought nothing new show that nothing is missing.

        In an order that changes, what was deleted meanwhile must not stand for what never came: only
        what came lately is held against the count.
        """
        if one.has_same_order_as(self._before):
            return one.server_count is None or len(one.ids) >= one.server_count
        if one.server_count is None:
            return one.is_ascending or not self._pages.resource.supports_sort
        lately = set().union(*(each.ids for each in quiet))
        return len(self.ids if one.is_ascending else lately) >= one.server_count


def read_whole_list(pages: Pages, *, ends_by_count: bool = False) -> Iterator[Row]:
    """Yield every row of a list in which rows are then looked up: a row that is missing must not seem not to exist.

    Raises: IncompleteRead at the end, if fewer rows came than the server counts; what `Client.get` raises.
    """
    for rows in FullScan(pages, ends_by_count=ends_by_count).rows():
        yield from rows
    if pages.stats.verdict == "incomplete":
        raise IncompleteRead(
            f"The list of {pages.resource.name} could not be read completely, so no row can be looked up in it.",
            where=f"GET {pages.path}",
            hint="run again",
        )


def _why_again(one: ScanPass) -> str:
    if not one.is_ascending:
        return "the server did not sort by id: the list is read until nothing new comes"
    if one.server_count is None:
        return "the server sent no count: the list is read a second time"
    return "fewer rows came than were counted, or some were deleted meanwhile: the list is read again"
