"""The incremental scan: rows at or after a bookmark, newest first, with the order checked on every page.

It costs a few requests where a full scan costs hundreds. The order is documented but was never verified, so a list that
does not keep it is read by a full scan instead.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from fieldpulse_api.values.scalars import optional_int, optional_time

from .full_scan import FullScan
from .id_set import IdSet
from .pages import Page, Pages, Row

_MAX_PASSES = 5
_ROWS_THAT_PROVE_ORDER = 10  # more rows than are in order by chance

PassResult = Literal["complete", "rows_moved", "unsorted"]
SortValue = Any
"""A row's value in the column that the list is sorted by: a datetime, or an id; None if it is not valid."""


@dataclass
class _DescendingPass:
    """One reading from the newest row to the first page that is older than the bookmark.

    `matching_rows` came at or after the bookmark, `added_rows` of them had not come before with the same value.
    `is_first_page_enough`: the first page holds all that match. `server_counts` are those of its pages.
    """

    first_page: Page
    matching_rows: int = 0
    added_rows: int = 0
    is_first_page_enough: bool = False
    ids: IdSet = field(default_factory=IdSet)
    server_counts: set[int | None] = field(default_factory=set)
    last_value: SortValue = None

    def continues_with(self, page: Page, values: list[SortValue]) -> bool:
        """Return whether a page descends, and from where the page before ended.

        Rows that came on an earlier page may come again: newer rows have moved them down.
        """
        previous_value = None
        for row_id, value in zip(page.ids, values, strict=True):
            if value is None or (previous_value is not None and value > previous_value):
                return False
            previous_value = value
            if row_id in self.ids:
                continue
            if self.last_value is not None and value > self.last_value:
                return False
            self.last_value = value
        return True

    @property
    def result(self) -> PassResult:
        """Return whether no row can have been missed; see `IncrementalScan`."""
        had_one_count = len(self.server_counts) == 1 and None not in self.server_counts
        nothing_moved = had_one_count and self.matching_rows == self.added_rows
        return "complete" if self.is_first_page_enough or nothing_moved or not self.added_rows else "rows_moved"


class IncrementalScan:
    """Read the rows whose `column` is at or after `since`. A row without a valid value counts as newer.

    Invariant: a row is yielded when it first comes, and again only with another value that is not older than the newest
    at the start. Only such values are remembered, which are few; of all other rows, the ids.

    A pass reads pages in descending order down to the first page that is wholly older than `since`; the first page of
    all is enough if it ends with an older row. While it runs, a
    create or an update puts a row on top and moves others down, where they come a second time. A delete moves rows up:
    one may pass from an unread page to a page that has been read, and be missed. A pass is complete if none can have:

    | what the pass shows | why no row was missed |
    | --- | --- |
    | the first page holds all matching rows | one response cannot change while it is read |
    | each row came once, every page had the same count | a delete changes the count, a create makes a row come twice |
    | no row was added to those of earlier passes | what one pass missed, the next one would have added |
    | anything else | not certain: another pass, five at most, then a full scan |

    A row that is updated during a pass leaves its place for the top and may be missed. The bookmark does not move
    beyond the start of the scan, so the next run reads it.

    The list counts as unsorted, and is read by a full scan, if a page does not descend, a page comes again, the list
    ends before its count, or a request in the opposite direction does not show another, older row first.

    Units:  `since` is an aware UTC datetime, or an id if `column` is `id`.
    Source: API facts 3.3: that a sort by `updated_at` is applied was never verified.
    """

    def __init__(self, pages: Pages, column: str, since: SortValue) -> None:
        self._pages, self._stats = pages, pages.stats
        self._column, self._since = column, since
        self._yielded, self._recent = IdSet(), dict[int, SortValue]()
        self._newest_at_start: SortValue = None

    def rows(self) -> Iterator[list[Row]]:
        """Yield the matching rows in lists that are never empty."""
        result: PassResult = "unsorted"
        if self._pages.sort_params(self._column, "desc"):
            for _ in range(_MAX_PASSES):
                result = yield from self._read_pass()
                if result != "rows_moved" or not self._pages.options.check_completeness:
                    break
        if result == "complete":
            self._stats.verdict = "complete"
        elif result == "unsorted" or self._pages.options.check_completeness:
            self._stats.notes.append(f"the server did not keep the sort by {self._column}: the whole list was read")
            yield from FullScan(self._pages).rows(self._add_if_new)

    def _read_pass(self) -> Generator[list[Row], None, PassResult]:
        order = self._pages.sort_params(self._column, "desc")
        scan_pass = _DescendingPass(self._pages.read(order, 1))
        if self._newest_at_start is None and scan_pass.first_page.rows:
            self._newest_at_start = self._value_of(scan_pass.first_page.rows[0])
        for page in self._pages.read_on(scan_pass.first_page, order, lambda n: 2 ** (n - 1), count=True):
            if page.may_follow_gap:
                return "rows_moved"
            values = [self._value_of(row) for row in page.rows]
            if not scan_pass.continues_with(page, values):
                return "unsorted"
            if all(row_id in scan_pass.ids for row_id in page.ids):
                if page.ids or (scan_pass.first_page.server_count or 0) > len(scan_pass.ids):
                    return "unsorted"  # the server ignores `page`: it repeats one, or ends before its count
                break
            new_rows = [row for row in page.rows if self._add_if_new(row)]
            self._add_page(scan_pass, page, values, new_rows)
            if new_rows:
                yield new_rows
            if scan_pass.is_first_page_enough and _is_whole_list(page):
                break
            if scan_pass.is_first_page_enough or values[0] < self._since:
                return self._confirmed_by_reverse_order(scan_pass)
        return scan_pass.result

    def _add_page(self, scan_pass: _DescendingPass, page: Page, values: list[SortValue], new_rows: list[Row]) -> None:
        if page is scan_pass.first_page:
            is_enough = values[-1] < self._since or _is_whole_list(page)
            scan_pass.is_first_page_enough = is_enough and page.is_one_response
        scan_pass.matching_rows += sum(
            value >= self._since and not self._is_created_since_start(value) for value in values
        )
        scan_pass.added_rows += sum(not self._is_created_since_start(self._value_of(row)) for row in new_rows)
        self._stats.duplicates += sum(row_id in scan_pass.ids for row_id in page.ids)
        self._stats.records += len(new_rows)
        scan_pass.server_counts.add(page.server_count)
        scan_pass.ids.update(page.ids)

    def _is_created_since_start(self, value: SortValue) -> bool:
        """Return whether a row is newer than the scan; only an id tells, a time changes with each update.

        Such rows do not count as moved or added: while many rows are created, a scan by id would never end.
        """
        return self._column == "id" and self._newest_at_start is not None and value > self._newest_at_start

    def _confirmed_by_reverse_order(self, scan_pass: _DescendingPass) -> PassResult:
        """Return the result if the opposite order begins with another, older row. An order by chance would not."""
        oldest = self._pages.read_at_once(self._pages.sort_params(self._column, "asc"), 1, 1)
        values = [self._value_of(row) for row in oldest.rows]
        if not values or values[0] is None:
            return "unsorted"
        is_older_row = oldest.ids[0] != scan_pass.first_page.ids[0] and values[0] <= scan_pass.last_value
        return scan_pass.result if is_older_row else "unsorted"

    def _add_if_new(self, row: Row) -> bool:
        """Return whether to yield a row, and remember it with its value."""
        value, row_id = self._value_of(row), int(row["id"])
        if value is not None and value < self._since:
            return False
        is_new = self._yielded.add(row_id)
        if value is None or self._newest_at_start is None or value < self._newest_at_start:
            return is_new
        is_changed: bool = self._recent.get(row_id) != value
        self._recent[row_id] = value
        return is_changed

    def _value_of(self, row: Row) -> SortValue:
        value = row.get(self._column)
        return optional_int(value) if self._column == "id" else optional_time(value, self._pages.options.zone)


def _is_whole_list(page: Page) -> bool:
    return 0 < (page.server_count or 0) <= len(page.ids)  # the server counts nothing if it sends 0 beside rows


def read_newest_id(pages: Pages) -> int:
    """Return the highest id of a list, 0 for an empty one.

    Two requests are enough if their pages hold the whole list or prove that the server sorts; else the list is scanned.
    """
    descending, ascending = (pages.read(pages.sort_params("id", direction), 1) for direction in ("desc", "asc"))
    last_ids, first_ids = descending.ids, ascending.ids
    if not last_ids and not first_ids:
        return 0
    counts_all = bool(last_ids) and descending.server_count == len(last_ids)  # empty: the first row came in between
    is_whole_list = counts_all or (len(last_ids) > 1 and last_ids == first_ids[::-1])
    is_sorted = last_ids == sorted(last_ids, reverse=True) and first_ids == sorted(first_ids)
    if is_whole_list or (is_sorted and len(last_ids) >= _ROWS_THAT_PROVE_ORDER and last_ids[0] > first_ids[-1]):
        return max(last_ids)
    return max((int(row["id"]) for rows in FullScan(pages).rows() for row in rows), default=0)
