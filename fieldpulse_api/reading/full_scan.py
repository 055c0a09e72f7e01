"""The full scan: every row of a list, once, without trust in the server's order, count or page numbers.

The API has no cursor and no snapshot of a list. While its numbered pages are read, rows are created, changed and
deleted, and the server may ignore the order that was asked for. A full scan therefore reads the pages in passes until
one proves that no row was missed, or until further passes are of no use.
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import chain, compress
from itertools import count as count_from
from typing import Any

from fieldpulse_api.errors import IncompleteRead

from .id_set import IdSet
from .pages import Page, Pages, Row, Verdict

_MAX_PASSES = 16
_MAX_FRUITLESS_PASSES = 3


@dataclass
class ScanPass:
    """One reading of the pages from the first to the end.

    `server_count` rows with ids up to `newest_id` existed when the pass began. `order` is a digest of the ids in the
    order of their arrival. `is_new` is true for each row of the latest page with a new id.
    `repeated_pages` is how many of the latest pages in a row held no new id; `has_repeat_inside`: such a page came
    before others with new ids. `has_gap`: rows may be missing between two of its pages.
    """

    server_count: int | None = None
    newest_id: int | None = None
    ids: IdSet = field(default_factory=IdSet)
    order: Any = field(default_factory=hashlib.sha256)
    rows_received: int = 0
    new_rows: int = 0
    pages_with_new_ids: int = 0
    repeated_pages: int = 0
    has_repeat_inside: bool = False
    is_ascending: bool = True
    has_gap: bool = False
    reached_end: bool = False
    last_id: int = -1
    is_new: list[bool] = field(default_factory=list)

    def add_page(self, page: Page) -> bool:
        """Add a page; return whether the pass is over.

        A pass ends at an empty page, or at the second page in a row without a new id: one alone may be a fault. A short
        page ends nothing, because the server may cap the page size. If only the first page ever held new ids, the
        server probably ignores `page`: then the pass is over, but has not reached the end of the list.
        """
        if page.may_follow_gap:
            self.has_gap = True
            return True
        self.rows_received += len(page.ids)
        self.is_new = [self.ids.add(row_id) for row_id in page.ids]
        new_ids = list(compress(page.ids, self.is_new))
        if not page.ids:
            self.reached_end = True
        elif not new_ids:
            self.repeated_pages += 1
            self.reached_end = self.repeated_pages > 1 and self.pages_with_new_ids > 1
        else:
            self.has_repeat_inside |= self.repeated_pages > 0
            if self.has_repeat_inside or page.ids != sorted(page.ids) or page.ids[0] <= self.last_id:
                self.is_ascending = False
            self.last_id = page.ids[-1]
            self.repeated_pages = 0
            self.pages_with_new_ids += 1
            self.order.update(array("q", new_ids).tobytes())
        return self.reached_end or self.repeated_pages > 1

    def has_same_order_as(self, other: ScanPass | None) -> bool:
        """Return whether both passes brought the same rows in the same order, to the end of the list."""
        if other is None or not (self.reached_end and other.reached_end) or self.has_repeat_inside:
            return False
        return bool(self.order.digest() == other.order.digest())

    @property
    def proves_completeness(self) -> bool:
        """Return whether this pass alone proves that no row was missed.

        By ascending id, creates land behind `newest_id` and updates move nothing. Only a delete moves rows: it pulls
        the first row of the next page to a page that has been read. Each missed row and each row that was deleted
        before it was read leaves the ids one short of the count. As many ids as counted rows therefore mean that none
        was missed.
        """
        if self.server_count is None or not self.is_ascending:
            return False
        newest = self.newest_id
        return sum(newest is None or row_id <= newest for row_id in self.ids) >= self.server_count


class FullScan:
    """Read a whole list in passes.

    Invariant: a row is yielded once, when it first comes; `row_ids` are those of all rows that came. After each pass:

    | what the passes so far show | verdict |
    | --- | --- |
    | this pass proves completeness (`ScanPass.proves_completeness`), or the list is empty | complete |
    | the latest passes brought no new row, and confirm each other (`_is_confirmed`) | complete |
    | 16 passes, or three without a new row in a list that is sorted or not counted | unproven or incomplete |
    | anything else | another pass |

    It is incomplete if fewer rows came than the server counts, unproven otherwise.

    `ends_by_count` ends a pass once it has as many rows as the server counts. This spares the empty page at the end of
    the many short lists of a fan-out, where it would double the requests.

    Source: API facts 2.2 (empty page past the end, unstable order without a sort: verified), 3.3 (sort: documented).
    """

    def __init__(self, pages: Pages, *, ends_by_count: bool = False) -> None:
        self._pages, self._stats = pages, pages.stats
        self._ends_by_count = ends_by_count
        self.row_ids = IdSet()
        self._previous_pass: ScanPass | None = None

    def rows(self, keep: Callable[[Row], bool] = lambda _: True) -> Iterator[list[Row]]:
        """Yield every row for which `keep` returns true, once, in lists that are never empty."""
        fruitless_passes: list[ScanPass] = []  # since the latest pass with a new row
        for pass_number in count_from(1):
            # What the first pass has brought is all that came: it needs no set of its own.
            scan_pass = ScanPass(ids=self.row_ids) if pass_number == 1 else ScanPass()
            yield from self._read_pass(scan_pass, keep)
            self._stats.duplicates += scan_pass.rows_received - len(scan_pass.ids)
            fruitless_passes = [] if scan_pass.new_rows else [*fruitless_passes, scan_pass]
            verdict = self._verdict(scan_pass, pass_number, fruitless_passes)
            if verdict:
                self._stats.verdict = verdict
                return
            self._previous_pass = scan_pass

    def _read_pass(self, scan_pass: ScanPass, keep: Callable[[Row], bool]) -> Iterator[list[Row]]:
        first = self._begin(scan_pass)
        page_count = -(-first.server_count // len(first.ids)) + 1 if first.server_count and first.ids else None

        def pages_ahead(pages_read: int) -> int:
            """Return how many pages to prefetch: as many as the count promises; without a count ever more."""
            return page_count - pages_read if page_count else 2 ** (pages_read - 1)

        for page in self._pages.read_on(first, self._pages.sort_params("id", "asc"), pages_ahead, count=False):
            if scan_pass.add_page(page):
                return
            kept_rows = [row for row in self._unseen_rows(page, scan_pass) if keep(row)]
            self._stats.records += len(kept_rows)
            if kept_rows:
                yield kept_rows
            count = scan_pass.server_count
            if self._ends_by_count and count is not None and len(scan_pass.ids) >= count:
                return

    def _begin(self, scan_pass: ScanPass) -> Page:
        """Read the first page; of a list with more pages also the newest id, which bounds what has to come.

        The id is read before the count that it goes with. A row that is created in between raises the count alone: the
        pass then proves too little, never too much.
        """
        ascending = self._pages.sort_params("id", "asc")
        first = self._pages.read(ascending, 1)
        scan_pass.server_count = first.server_count
        is_single_page = first.server_count is None or len(first.ids) >= first.server_count
        if is_single_page or not self._pages.options.check_completeness:
            return first
        last = self._pages.read_at_once(self._pages.sort_params("id", "desc"), 1, 1, count=True)
        first = self._pages.read(ascending, 1)
        if last.server_count is not None and first.server_count is not None:
            scan_pass.server_count = max(last.server_count, first.server_count)
        scan_pass.newest_id = max(last.ids, default=None)
        if scan_pass.newest_id is None or scan_pass.newest_id < max(first.ids, default=0):
            scan_pass.is_ascending = False
        return first

    def _unseen_rows(self, page: Page, scan_pass: ScanPass) -> list[Row]:
        is_first_pass = scan_pass.ids is self.row_ids
        is_unseen = scan_pass.is_new if is_first_pass else [self.row_ids.add(row_id) for row_id in page.ids]
        rows = list(compress(page.rows, is_unseen))
        scan_pass.new_rows += len(rows)
        return rows

    def _verdict(self, scan_pass: ScanPass, pass_number: int, fruitless_passes: list[ScanPass]) -> Verdict | None:
        """Return the verdict, None for another pass."""
        count, checks_completeness = scan_pass.server_count, self._pages.options.check_completeness
        if scan_pass.proves_completeness or not (self.row_ids or count):
            return "complete"
        if fruitless_passes and checks_completeness and self._is_confirmed(scan_pass, fruitless_passes):
            return "complete"
        gave_up = len(fruitless_passes) >= _MAX_FRUITLESS_PASSES and (scan_pass.is_ascending or count is None)
        if not checks_completeness or pass_number >= _MAX_PASSES or gave_up:
            return "unproven" if count is None or len(self.row_ids) >= count else "incomplete"
        if pass_number == 1 and self._pages.resource.supports_sort:
            self._stats.notes.append(_reason_for_another_pass(scan_pass))
        return None

    def _is_confirmed(self, scan_pass: ScanPass, fruitless_passes: list[ScanPass]) -> bool:
        """Return whether passes without a new row show that none is missing.

        | order of the rows | count | complete if |
        | --- | --- | --- |
        | the same in two passes to the end | none | always: rows that slide between pages would change it |
        | the same in two passes to the end | yes | the pass has as many rows as counted |
        | ascending, or no sort is documented | none | always |
        | ascending | yes | all passes together have as many rows as counted |
        | any other | yes | the passes without a new row together have as many rows as counted |
        | any other | none | never |

        The last but one counts only the latest passes: in an order that changes, a row that an earlier pass brought and
        that was deleted since must not stand for one that never came.
        """
        count = scan_pass.server_count
        if scan_pass.has_gap:
            return False
        if scan_pass.has_same_order_as(self._previous_pass):
            return count is None or len(scan_pass.ids) >= count
        if count is None:
            return scan_pass.is_ascending or not self._pages.resource.supports_sort
        latest_ids = self.row_ids if scan_pass.is_ascending else IdSet(chain(*(each.ids for each in fruitless_passes)))
        return len(latest_ids) >= count


def read_whole_list(pages: Pages, *, ends_by_count: bool = False) -> Iterator[Row]:
    """Yield every row of a list that serves for look-ups: in a list that is incomplete, a row may seem not to exist.

    Raises: IncompleteRead at the end, if fewer rows came than the server counts; what `Client.get` raises.
    """
    for rows in FullScan(pages, ends_by_count=ends_by_count).rows():
        yield from rows
    if pages.stats.verdict == "incomplete":
        raise IncompleteRead(
            f"The list of {pages.resource.name} could not be read completely, so no row can be looked up in it.",
            where=f"GET {pages.path}",
            hint="run again; if it happens again, `fieldpulse doctor` shows how the list sorts and counts",
        )


def _reason_for_another_pass(scan_pass: ScanPass) -> str:
    if not scan_pass.is_ascending:
        return "the server ignored the sort by id: the list is read again until no new rows appear"
    if scan_pass.server_count is None:
        return "the server sent no count: the list is read a second time"
    return "fewer rows came than the server counted: the list is read again"
