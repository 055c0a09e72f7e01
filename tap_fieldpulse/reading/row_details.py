"""The columns that FieldPulse returns only for single rows, not in lists: one more request for each row."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

from fieldpulse_api.http.client import Client
from fieldpulse_api.reading.pages import ReadOptions, Row
from fieldpulse_api.reading.prefetch import map_in_order
from fieldpulse_api.reading.single_rows import find_row
from fieldpulse_api.resources.model import Resource


class RowDetails:
    """Add to list rows what `GET` by id returns. A row that was deleted in between stays as the list had it."""

    def __init__(self, client: Client, resource: Resource, options: ReadOptions) -> None:
        self.request_count = 0
        self._client, self._resource, self._options = client, resource, options

    def complete(self, pages: Iterable[list[Row]]) -> Iterator[list[Row]]:
        """Yield the rows with their details, in order and in lists of at most a page."""
        rows = (row for page in pages for row in page)
        completed = map_in_order(self._complete, rows, max_in_flight=self._options.pages_in_flight)
        while page := list(islice(completed, self._options.page_size)):
            self.request_count += len(page)
            yield page

    def _complete(self, row: Row) -> Row:
        return row | (find_row(self._client, self._resource, row) or {})
