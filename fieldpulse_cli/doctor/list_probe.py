"""Probe of one list: whether it honours limit, page, sort and filter, from as few requests as possible.

An account has 32 lists and a check may send 60 requests, so a request has to settle several questions at once. Each
probe compares a page with the first one; it concludes only what no other behaviour of the server could explain.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timezone
from itertools import pairwise
from typing import Any, Literal

from fieldpulse_api.account_profile import ListFacts
from fieldpulse_api.errors import FieldPulseError, QuotaExceeded, RequestLimitReached
from fieldpulse_api.http.client import Client
from fieldpulse_api.http.page_size import LIGHT_BYTES
from fieldpulse_api.http.responses import COUNT_NAMES, is_unknown_path
from fieldpulse_api.reading.pages import Page, Pages, ReadOptions
from fieldpulse_api.resources.model import Resource

from .row_description import describe_rows

PROBE_ROWS = 4  # enough to show an order, few enough that most lists are longer
MAX_PAGE_ROWS = 100  # documented
PAGE_SIZES = (100, 50, 25, 10, 5, 2)
_PAGE_PAST_END = 1_000_000


class ListProbe:
    """Probe of one list. Its `facts` are None where nothing could be concluded.

    `first_page` holds the newest rows, and `first_read_at` this machine's clock at that time. `error` is what the last
    failed request raised. A caller sets `path` for a child list, and `skip_filters` once another list
    `failed_with_filter`.

    Each public method sends one request, `read_assigned` two, and raises RequestLimitReached and QuotaExceeded only.
    """

    def __init__(self, client: Client, resource: Resource, options: ReadOptions) -> None:
        self.resource, self.facts = resource, ListFacts()
        self.path = resource.path
        self.column = resource.updated_column or "id"
        self.first_page: Page | None = None
        self.first_read_at = datetime.now(timezone.utc)
        self.error: FieldPulseError | None = None
        self.skip_filters = self.failed_with_filter = False
        self._client, self._options = client, options
        self._ignores_sort_or_page = False  # exactly one of the two, and not known which
        self._page_observations: list[bool] = []

    @property
    def is_small(self) -> bool:
        """Return whether the list has too few rows to show an order."""
        return self.first_page is None or len(self.first_page.rows) < PROBE_ROWS

    @property
    def server_count(self) -> int | None:
        """Return the server's count of rows, if it sent one."""
        return self.first_page.server_count if self.first_page else None

    def read_newest(self) -> None:
        """Read the newest rows: availability, limit, count, and the form of rows."""
        page = self._read(self._order("desc"), 1, limit=PROBE_ROWS, count=True)
        self.first_read_at = datetime.now(timezone.utc)
        if page is None:
            self.facts.is_available = False if is_unknown_path(self.error) else None  # other errors may be temporary
            return
        self.first_page, self.facts.is_available = page, True
        extras = page.response.envelope_extras
        self.facts.count_key = next((name for name in COUNT_NAMES if extras.get(name) is not None), None)
        if page.server_count is None:
            self.facts.counts_rows = "never"
        elif not self.resource.supports_count:
            self.facts.counts_rows = "always"
        if self.resource.supports_sort and _is_descending(self._sort_values(page)) is False:
            self.facts.sorts_by[self.column] = False
        describe_rows(page.rows, self.resource, self.facts)
        if page.rows:
            self.facts.row_bytes = page.response.body_bytes // len(page.rows)
            sizes = (size for size in PAGE_SIZES if size * self.facts.row_bytes <= LIGHT_BYTES)
            page_size = next(sizes, 1)
            self.facts.page_size = page_size if page_size < MAX_PAGE_ROWS else None

    def read_reversed(self) -> None:
        """Read in ascending order: sort, and with the same request page and filter where that is possible."""
        if self._needs_plain_request():
            self._read_oldest()
        elif not self.resource.updated_column:
            self._read_reversed_by_id()
        elif self.facts.sorts_by.get(self.column) is False:
            self._read_filtered()
        else:
            self._read_reversed_filtered()

    def read_second_page(self) -> None:
        """Read the second half of the first page as page 2."""
        page = self._read(self._order("desc"), 2, limit=PROBE_ROWS // 2)
        if page is None or self.first_page is None:
            return
        first_half = self.first_page.ids[: PROBE_ROWS // 2]
        second_half = self.first_page.ids[PROBE_ROWS // 2 : PROBE_ROWS]
        if page.ids in (first_half, second_half):
            self._observe_page(honoured=page.ids != first_half)
        if self._ignores_sort_or_page and self.facts.obeys_page is not None:
            self._observe_sort(honoured=not self.facts.obeys_page)

    def read_past_end(self) -> Literal["empty", "rows", "error"] | None:
        """Read a page past the end, and return what came; None for rows of a list that may ignore `page`."""
        page = self._read(self._order("desc"), _PAGE_PAST_END, limit=PROBE_ROWS)
        if page is None:
            return "error"
        return "empty" if not page.rows else "rows" if self.facts.obeys_page else None

    def read_over_limit(self, limit: int) -> Literal["honoured", "100", "fewer", "refused"] | None:
        """Read with a limit above the documented one, and return what came; None if the list is not longer."""
        page = self._read(self._order("desc"), 1, limit=limit)
        if page is None:
            return "refused"
        row_count = len(page.rows)
        if row_count > MAX_PAGE_ROWS:
            return "honoured"
        if row_count == self.server_count:
            return None
        return "100" if row_count == MAX_PAGE_ROWS else "fewer" if self.server_count else None

    def read_deleted(self) -> bool | None:
        """Ask for deleted rows, and return whether the parameter has an effect; None if that is not certain.

        Where it is ignored, the list's own rows come: they have no `deleted_at`.
        """
        page = self._read(self._order("desc"), 1, limit=PROBE_ROWS, query={"deleted": "true"})
        if page is None or self.first_page is None or not self.first_page.rows:
            return None
        return all(row.get("deleted_at") for row in page.rows)

    def read_assigned(self) -> Literal["indexed", "flat", "ignored"] | None:
        """Ask for the rows of a team that does not exist, in each form of `asn`, and return the form with an effect."""
        if self.is_small:
            return None
        forms: tuple[Literal["indexed", "flat"], ...] = ("indexed", "flat")
        for form, parameter in zip(forms, ("asn[0][team_id]", "asn[team_id]"), strict=True):
            page = self._read(self._order("desc"), 1, limit=PROBE_ROWS, query={parameter: "0"})
            if page is None:
                return None
            if not page.rows:
                return form
        return "ignored"

    def _needs_plain_request(self) -> bool:
        """Return whether the combined requests would prove nothing for this list."""
        if self.skip_filters or self.facts.obeys_limit is False:
            return True
        if not self.resource.updated_column:
            return (self.server_count or 0) <= PROBE_ROWS + 1
        return self.first_page is None or len(set(map(str, self._sort_values(self.first_page)))) < PROBE_ROWS

    def _read_reversed_filtered(self) -> None:
        """Ask for sort, page and filter at once, and conclude from the rows that come.

        The first page shows the newest rows r0, r1, r2, r3. The request asks, in ascending order, for rows updated at
        or after r2, two rows a page, page 2. If the server honours everything, the filter leaves r2, r1, r0 and page 2
        is [r0]. Whatever it ignores changes the page:

        ==========================  =========  =========  =========  ==============================================
        rows that come              sort       page       filter     why nothing else explains it
        ==========================  =========  =========  =========  ==============================================
        [r0]                        honoured   honoured   honoured   the only page with r0 alone
        [r2]                        ignored    honoured   honoured   r0, r1 were page 1; the filter ends after r2
        [r2, r3]                    ignored    honoured   ignored *  r0, r1 were page 1; r3 is older than the filter
        [r0, r1]                    ignored    ignored    unknown    page 1 in the order of the first request
        [r2, r1]                    honoured   ignored    honoured   page 1 ascending; not proof if 5 rows exist,
                                                                     as it is then page 2 of the unfiltered list
        rows older than r2, none    honoured   unknown    ignored    the old end of the list, if it ascends
        of r0 to r3
        rows older than r2, with    ignored    unknown    ignored    the new end of the list
        one of r0 to r3
        any other                   unknown    unknown    unknown    sort is ignored if the page does not ascend
        ==========================  =========  =========  =========  ==============================================

        * unknown if r3 was updated at the same time as r2.
        """
        facts, since = self.facts, self._time_text(2)
        if since is None or self.first_page is None:
            return
        page = self._read(self._order("asc"), 2, limit=2, query=self._updated_since(since))
        if page is None:
            self.failed_with_filter = True
            return
        self._observe_count(page)
        r0, r1, r2, r3 = self.first_page.ids[:PROBE_ROWS]
        has_older = self._has_older(page, than=since)
        is_ascending = _is_descending(self._sort_values(page)[::-1])
        if page.ids == [r0]:
            self._observe_sort(honoured=True)
            facts.obeys_page = facts.obeys_filter = True
        elif page.ids in ([r2], [r2, r3]):
            self._observe_sort(honoured=False)
            self._observe_page(honoured=True)
            facts.obeys_filter = True if page.ids == [r2] else False if has_older else None
        elif page.ids == [r0, r1]:
            self._observe_sort(honoured=False)
            self._observe_page(honoured=False)
        elif page.ids == [r2, r1] and self.server_count not in (None, PROBE_ROWS + 1):
            self._observe_sort(honoured=True)
            facts.obeys_filter = True
            self._observe_page(honoured=False)
        elif page.ids and has_older:
            facts.obeys_filter = False
            is_old_end = not set(page.ids) & {r0, r1, r2, r3}
            self._observe_sort(honoured=is_old_end and is_ascending is not False)
        elif is_ascending is False:
            self._observe_sort(honoured=False)

    def _read_filtered(self) -> None:
        """Ask a list that ignores sort for rows updated since the newest of page 1; older rows must not come."""
        times = sorted(filter(None, (self._time_text(index) for index in range(PROBE_ROWS))))
        if not times or times[0] == times[-1]:
            return
        page = self._read(self._order("asc"), 1, limit=PROBE_ROWS, query=self._updated_since(times[-1]))
        if page is not None and page.rows:  # an empty page may have another cause
            self.facts.obeys_filter = not self._has_older(page, than=times[-1])

    def _read_oldest(self) -> None:
        """Ask for the first page in ascending order, and nothing else."""
        page = self._read(self._order("asc"), 1, limit=PROBE_ROWS)
        if page is None or self.first_page is None:
            return
        self._observe_count(page)
        newest, oldest = self._sort_values(self.first_page), self._sort_values(page)
        is_same_page = page.ids == self.first_page.ids and _is_descending(newest) is not None
        if is_same_page or _is_descending(oldest[::-1]) is False:
            self._observe_sort(honoured=False)
        elif oldest and _is_descending([newest[0], oldest[0]]):
            self._observe_sort(honoured=True)

    def _read_reversed_by_id(self) -> None:
        """Ask, in ascending order with one row a page, for the last page but one: with sort and page it is r1."""
        if self.first_page is None:
            return
        r0, r1, *_, r3 = self.first_page.ids[:PROBE_ROWS]
        page = self._read(self._order("asc"), (self.server_count or 0) - 1, limit=1)
        if page is None:
            return
        self._observe_count(page)
        if page.ids == [r1]:
            self._observe_sort(honoured=True)
            self.facts.obeys_page = True
        elif page.ids[:1] == [r0]:
            self._observe_sort(honoured=False)
            self._observe_page(honoured=False)
        else:  # an old row: page 1 ascending, or the last page but one descending; `read_second_page` decides
            self._ignores_sort_or_page = bool(page.ids) and page.ids[0] < r3

    def _updated_since(self, time: str) -> dict[str, str]:
        parts = {"action": "where", "attribute": self.column, "operator": ">=", "value": time, "class": "date"}
        return {f"filter[0][{name}]": part for name, part in parts.items()}

    def _observe_page(self, *, honoured: bool) -> None:
        """Record what a page shows of `page`. Without sort it may be chance, and has to be seen twice."""
        self._page_observations.append(honoured)
        needed = 1 if self.facts.sorts_by.get(self.column) else 2
        if self._page_observations.count(honoured) >= needed:
            self.facts.obeys_page = honoured

    def _observe_sort(self, *, honoured: bool) -> None:
        """Record whether the list is sorted, unless its first page has shown that it is not."""
        self.facts.sorts_by.setdefault(self.column, honoured)

    def _observe_count(self, page: Page) -> None:
        """Record whether a count came although the request did not ask for one."""
        if self.server_count is not None:
            self.facts.counts_rows = "always" if page.server_count is not None else "on_request"

    def _observe_limit(self, page: Page, limit: int) -> None:
        """Record whether a page of a longer list has as many rows as requested."""
        rows_in_list = max(
            page.server_count or 0, self.server_count or 0, len(self.first_page.rows) if self.first_page else 0
        )
        if limit <= PROBE_ROWS and len(page.rows) > limit:
            self.facts.obeys_limit = False
        elif limit <= PROBE_ROWS and len(page.rows) == limit < rows_in_list and self.facts.obeys_limit is None:
            self.facts.obeys_limit = True

    def _order(self, direction: Literal["asc", "desc"]) -> dict[str, str]:
        return self.resource.sort_params(self.column, direction)

    def _read(
        self,
        order: Mapping[str, str],
        page_number: int,
        *,
        limit: int,
        count: bool = False,
        query: Mapping[str, str] | None = None,
    ) -> Page | None:
        """Return a page; None if the request failed, with the reason in `error`."""
        pages = Pages(self._client, self.resource, replace(self._options, query=query or {}), self.path)
        try:
            page = pages.read_at_once(order, page_number, limit, count=count)
        except (RequestLimitReached, QuotaExceeded):
            raise
        except FieldPulseError as error:
            self.error = error
            return None
        self._observe_limit(page, limit)
        return page

    def _sort_values(self, page: Page) -> list[Any]:
        return [row.get(self.column) for row in page.rows] if self.resource.updated_column else list(page.ids)

    def _time_text(self, index: int) -> str | None:
        """Return when a row of the first page was updated, in the form of a filter."""
        value = self.first_page.rows[index].get(self.column) if self.first_page else None
        return value.replace(" ", "T") if isinstance(value, str) and value else None

    def _has_older(self, page: Page, *, than: str) -> bool:
        return any(isinstance(value, str) and value.replace(" ", "T") < than for value in self._sort_values(page))


def _is_descending(values: list[Any]) -> bool | None:
    """Return whether values descend; None where that is unknown: all are equal, or some are missing."""
    try:
        return all(value >= next_value for value, next_value in pairwise(values)) if len(set(values)) > 1 else None
    except TypeError:
        return None
