"""The rows that came into a list above an id: read once for all who ask at about the same time."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace

from fieldpulse_api.errors import RowNotFound, UnexpectedResponse
from fieldpulse_api.reading.incremental_scan import IncrementalScan
from fieldpulse_api.reading.pages import Pages, Row
from fieldpulse_api.resources.catalogue import BY_NAME
from fieldpulse_api.resources.model import Resource

from .services import Means, path_of


@dataclass(frozen=True)
class Arrivals:
    """What one reading found. `is_whole`: a row that was there when it began must be among them."""

    number: int
    after_id: int
    rows: list[Row]
    is_whole: bool


class Board:
    """The readings of a run. May be used by many threads."""

    def __init__(self, means: Means) -> None:
        self._means = means
        self._locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        self._begun: defaultdict[str, int] = defaultdict(int)
        self._last: dict[str, Arrivals] = {}

    def read(self, resource: Resource, above: Mapping[str, int], after_id: int, *, values: bool) -> Arrivals:
        """Return the rows above an id, from a reading that begins now, whoever makes it; `values` shows custom fields.

        Raises: UnexpectedReply where the list is gone and cannot be; what `Client.get` raises.
        """
        path = resource.path.format(**above)
        seen = self._begun[path]
        with self._locks[path]:
            last = self._last.get(path)
            if last and last.number > seen and last.after_id <= after_id:
                return last
            self._begun[path] += 1
            number = self._begun[path]
            rows, is_whole = self._rows(resource, above, path, after_id, values=values)
            self._last[path] = Arrivals(number, after_id, rows, is_whole)
            return self._last[path]

    def _rows(
        self, resource: Resource, above: Mapping[str, int], path: str, after_id: int, *, values: bool
    ) -> tuple[list[Row], bool]:
        query = dict(resource.with_custom_fields_params) if values else {}
        pages = Pages(self._means.client, resource, replace(self._means.reading, query=query), path)
        try:
            rows = [row for page in IncrementalScan(pages, resource.key, after_id + 1).rows() for row in page]
        except RowNotFound as error:
            if resource.parent and self._is_gone(BY_NAME[resource.parent], above):
                return [], True  # nothing can be below a row that is gone
            raise UnexpectedResponse(
                error.what, where=error.where, hint="run again later; what was done is kept"
            ) from None
        tally = pages.tally
        # In a list that grows all the while nothing is ever quiet: as many rows as were counted is enough.
        is_whole = tally.verdict == "complete" or (tally.verdict == "unproven" and tally.server_count is not None)
        return rows, is_whole

    def _is_gone(self, parent: Resource, above: Mapping[str, int]) -> bool:
        try:
            self._means.client.get(path_of(parent, {}, next(iter(above.values()))))
        except RowNotFound:
            return True
        return False
