"""What one list does, found out by few requests: each is put so that every way in which the server may answer shows.

Of a list with rows a0, a1, a2, a3 … (the newest first) the first request shows the first four. The second asks for the
same in the other direction, and in it for a page that only a server that sorts, pages and filters answers with a0.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timezone
from itertools import pairwise
from typing import Any, Literal

from fieldpulse_api.account_profile import ListFacts
from fieldpulse_api.errors import FieldPulseError, QuotaExceeded, RequestLimitReached
from fieldpulse_api.http.client import Client
from fieldpulse_api.http.responses import COUNT_NAMES, is_unknown_path
from fieldpulse_api.reading.pages import Page, Pages, ReadOptions
from fieldpulse_api.resources.model import Resource

ROWS = 4  # that are asked for: so few show an order, and leave most of a list unseen
_NEVER = 1_000_000
MOST = 100  # rows that a page may have, as documented
PUBLIC = re.compile(r"[A-Za-z_]\w{0,63}\Z", re.ASCII)
_FORMS = {
    "bare": re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\Z"),
    "date": re.compile(r"\d{4}-\d\d-\d\d\Z"),
    "Z": re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z\Z"),
    "offset": re.compile(r"\d{4}-\d\d-\d\d[T ][\d:.]+[+-]\d\d:?\d\d\Z"),
    "T": re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+\Z"),
    "digits": re.compile(r"\d+\Z"),
}


class Probe:
    """Ask one list. `first` is its first page, once `look` was there; `error` is what it failed with.

    `path` is where it is, `asked_at` our clock when it was looked at; `fears_filters` leaves them out, once another
    list `has_failed` with them. Every question is one request, and raises RequestLimitReached and QuotaExceeded only.
    """

    def __init__(self, client: Client, resource: Resource, reading: ReadOptions) -> None:
        self.resource, self.facts = resource, ListFacts()
        self.first: Page | None = None
        self.error: FieldPulseError | None = None
        self.column = resource.updated_column or "id"
        self.path, self.asked_at = resource.path, datetime.now(timezone.utc)
        self._client, self._reading = client, reading
        self.fears_filters = self.has_failed = False
        self._is_one_of_two = False
        self._shown: list[bool] = []

    @property
    def is_small(self) -> bool:
        """Say whether there are too few rows to tell anything from their order."""
        return self.first is None or len(self.first.rows) < ROWS

    @property
    def counted(self) -> int | None:
        """Return the server's count."""
        return self.first.server_count if self.first else None

    @property
    def _is_hard(self) -> bool:
        """Say whether the list can be asked for one thing at a time only."""
        if self.fears_filters or self.facts.limits is False:
            return True
        if not self.resource.updated_column:
            return (self.counted or 0) <= ROWS + 1
        return self.first is None or len(set(map(str, self._marks(self.first)))) < ROWS

    def look(self) -> None:
        """See the newest rows: whether the list is there, heeds the limit, counts, and what its rows are like."""
        page = self._ask(self._order("desc"), 1, limit=ROWS, count=True)
        self.asked_at = datetime.now(timezone.utc)
        if page is None:
            self.facts.is_there = False if is_unknown_path(self.error) else None  # any other may be well tomorrow
            return
        self.first, self.facts.is_there = page, True
        self.facts.count_key = next(
            (name for name in COUNT_NAMES if page.response.envelope_extras.get(name) is not None), None
        )
        if page.server_count is None:
            self.facts.counts = "never"
        elif not self.resource.supports_count:
            self.facts.counts = "free"
        if self.resource.supports_sort and _descends(self._marks(page)) is False:
            self.facts.sorts[self.column] = False
        self._describe(page.rows)

    def turn(self) -> None:
        """Ask in the other direction: whether the list is sorted, and with it as much as possible of the rest."""
        if self._is_hard:
            self._turn_plainly()
        elif not self.resource.updated_column:
            self._turn_by_key()
        elif self.facts.sorts.get(self.column) is False:
            self._filter_alone()
        else:
            self._turn_filtered()

    def go_on(self) -> None:
        """Ask for the second half of the first page as a page: whether pages are heeded."""
        page = self._ask(self._order("desc"), 2, limit=ROWS // 2)
        if page is None or self.first is None:
            return
        half = self.first.ids[:ROWS]
        if page.ids in (half[: ROWS // 2], half[ROWS // 2 :]):
            self._pages(do=page.ids != half[: ROWS // 2])
        if self._is_one_of_two and self.facts.pages is not None:
            self._sorts(does=not self.facts.pages)

    def pass_the_end(self) -> Literal["empty", "rows", "error"] | None:
        """Ask for a page that no list has; say what comes, None for rows of a list that may not heed the page."""
        page = self._ask(self._order("desc"), _NEVER, limit=ROWS)
        if page is None:
            return "error"
        return "empty" if not page.rows else "rows" if self.facts.pages else None

    def ask_for_more(self, limit: int) -> Literal["honoured", "100", "fewer", "refused"] | None:
        """Ask for more rows at once than are documented; say what comes, None if that may have been all."""
        page = self._ask(self._order("desc"), 1, limit=limit)
        if page is None:
            return "refused"
        came = len(page.rows)
        if came > MOST or came == self.counted:
            return "honoured" if came > MOST else None
        return "100" if came == MOST else "fewer" if self.counted else None

    def _turn_filtered(self) -> None:
        """Ask for the oldest first, of those that are at least as new as a2, two a page: the second page is [a0]."""
        facts, oldest = self.facts, self._text(2)
        if oldest is None or self.first is None:
            return
        page = self._ask(self._order("asc"), 2, limit=2, query=self._since(oldest))
        if page is None:
            self.has_failed = True
            return
        self._note_count(page)
        a0, a1, a2, a3 = self.first.ids[:ROWS]
        came, is_older = page.ids, self._is_older(page, than=oldest)
        if came == [a0]:
            self._sorts(does=True)
            facts.pages = facts.filters = True
        elif came in ([a2], [a2, a3]):  # the order stayed: a0 and a1 were the first page
            self._sorts(does=False)
            self._pages(do=True)
            facts.filters = True if came == [a2] else False if is_older else None
        elif came == [a0, a1]:
            self._sorts(does=False)
            self._pages(do=False)
        elif came == [a2, a1] and self.counted not in (None, ROWS + 1):
            self._sorts(does=True)
            facts.filters = True
            self._pages(do=False)
        elif came and is_older:
            facts.filters = False
            is_turned = not set(came) & {a0, a1, a2, a3}
            self._sorts(does=is_turned and _descends(self._marks(page)[::-1]) is not False)
        elif _descends(self._marks(page)[::-1]) is False:
            self._sorts(does=False)

    def _filter_alone(self) -> None:
        """Ask a list that does not sort for what is as new as the newest row that came: not the others, then."""
        marks = sorted(filter(None, (self._text(number) for number in range(ROWS))))
        if not marks or marks[0] == marks[-1]:
            return
        page = self._ask(self._order("asc"), 1, limit=ROWS, query=self._since(marks[-1]))
        if page is not None and page.rows:  # nothing at all may have another cause
            self.facts.filters = not self._is_older(page, than=marks[-1])

    def _turn_plainly(self) -> None:
        """Ask for the first page from the other end."""
        page = self._ask(self._order("asc"), 1, limit=ROWS)
        if page is None or self.first is None:
            return
        self._note_count(page)
        newest, oldest = self._marks(self.first), self._marks(page)
        is_same = page.ids == self.first.ids and _descends(newest) is not None
        if is_same or _descends(oldest[::-1]) is False:
            self._sorts(does=False)
        elif oldest and _descends([newest[0], oldest[0]]):
            self._sorts(does=True)

    def _turn_by_key(self) -> None:
        """Ask for the last page but one, a row each, from the other end: that is a1 where pages are heeded."""
        if self.first is None:
            return
        a0, a1, *_, a3 = self.first.ids[:ROWS]
        page = self._ask(self._order("asc"), (self.counted or 0) - 1, limit=1)
        if page is None:
            return
        self._note_count(page)
        if page.ids == [a1]:
            self._sorts(does=True)
            self.facts.pages = True
        elif page.ids[:1] == [a0]:
            self._sorts(does=False)
            self._pages(do=False)
        else:  # it does not sort, or does not heed the page: which of them, the second page tells
            self._is_one_of_two = bool(page.ids) and page.ids[0] < a3

    def _since(self, time: str) -> dict[str, str]:
        parts = {"action": "where", "attribute": self.column, "operator": ">=", "value": time, "class": "date"}
        return {f"filter[0][{name}]": part for name, part in parts.items()}

    def _pages(self, *, do: bool) -> None:
        """Note what a page shows of pages; of a list that does not sort it may be chance, and must be shown again."""
        self._shown.append(do)
        if self._shown.count(do) >= (1 if self.facts.sorts.get(self.column) else 2):
            self.facts.pages = do

    def _sorts(self, *, does: bool | None) -> None:
        """Note whether the list is sorted, unless its first page has shown that it is not."""
        if does is not None:
            self.facts.sorts.setdefault(self.column, does)

    def _note_count(self, page: Page) -> None:
        """Note of a page for which no count was asked whether it came all the same."""
        if self.counted is not None:
            self.facts.counts = "free" if page.server_count is not None else "asked"

    def _describe(self, rows: Iterable[Mapping[str, Any]]) -> None:
        seen = {name for row in rows for name in row}
        known = self.resource.schema["properties"]
        public = [name for name in seen - set(known) if PUBLIC.match(name)]
        self.facts.unknown_fields = sorted(set(public) - set(self.resource.excluded_fields))
        self.facts.missing_fields = sorted(set(known) - seen) if seen else []
        times = [name for name, one in known.items() if one.get("format") == "date-time"]
        self.facts.time_forms = sorted({_form(row[name]) for row in rows for name in times if row.get(name)})

    def _order(self, direction: Any) -> dict[str, str]:
        return self.resource.sort_params(self.column, direction)

    def _ask(
        self,
        order: Mapping[str, str],
        number: int,
        *,
        limit: int,
        count: bool = False,
        query: Mapping[str, str] | None = None,
    ) -> Page | None:
        reading = replace(self._reading, query=query or {})
        try:
            page = Pages(self._client, self.resource, reading, self.path).read(order, number, limit=limit, count=count)
        except (RequestLimitReached, QuotaExceeded):
            raise
        except FieldPulseError as error:
            self.error = error
            return None
        self._note_limit(page, limit)
        return page

    def _note_limit(self, page: Page, limit: int) -> None:
        """Note whether a page is as long as was asked for, where there is more than that."""
        there = max(page.server_count or 0, self.counted or 0, len(self.first.rows) if self.first else 0)
        if limit <= ROWS and len(page.rows) > limit:
            self.facts.limits = False
        elif limit <= ROWS and len(page.rows) == limit < there and self.facts.limits is None:
            self.facts.limits = True

    def _marks(self, page: Page) -> list[Any]:
        return [row.get(self.column) for row in page.rows] if self.resource.updated_column else list(page.ids)

    def _text(self, number: int) -> str | None:
        """Return when a row of the first page was changed, as FieldPulse wrote it."""
        value = self.first.rows[number].get(self.column) if self.first else None
        return value.replace(" ", "T") if isinstance(value, str) and value else None

    def _is_older(self, page: Page, *, than: str) -> bool:
        return any(isinstance(one, str) and one.replace(" ", "T") < than for one in self._marks(page))


def _descends(marks: list[Any]) -> bool | None:
    """Say whether rows came in falling order; None where that cannot be told: of equal ones, and without a time."""
    try:
        return all(one >= other for one, other in pairwise(marks)) if len(set(marks)) > 1 else None
    except TypeError:
        return None


def _form(value: Any) -> str:
    """Return in which form a time came."""
    if isinstance(value, (int, float)):
        return "number"
    return next((name for name, form in _FORMS.items() if form.match(str(value).strip())), "other")
