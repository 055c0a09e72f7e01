"""The rows that were added to a list after a known id. Threads that ask at about the same time share one read."""

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

from .services import WriteServices, row_path


@dataclass(frozen=True)
class NewRows:
    """The result of one read.

    `is_complete` means that every row above `max_id_before` that existed when the read began is in `rows`.
    """

    read_number: int
    max_id_before: int
    rows: list[Row]
    is_complete: bool


class NewRowReader:
    """Read new rows. May be used by many threads."""

    def __init__(self, services: WriteServices) -> None:
        self._services = services
        self._locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        self._read_numbers: defaultdict[str, int] = defaultdict(int)
        self._last: dict[str, NewRows] = {}

    def read(
        self, resource: Resource, parent_ids: Mapping[str, int], max_id_before: int, *, with_custom_fields: bool
    ) -> NewRows:
        """Return the rows above an id, from a read that begins after this call: by this thread, or by another one.

        Raises: UnexpectedResponse if the list is missing although its parent exists; what `Client.get` raises.
        """
        path = resource.path.format(**parent_ids)
        last_begun = self._read_numbers[path]
        with self._locks[path]:
            last = self._last.get(path)
            if last and last.read_number > last_begun and last.max_id_before <= max_id_before:
                return last
            self._read_numbers[path] += 1
            read_number = self._read_numbers[path]
            query = dict(resource.with_custom_fields_params) if with_custom_fields else {}
            pages = Pages(self._services.client, resource, replace(self._services.read_options, query=query), path)
            try:
                rows = [row for page in IncrementalScan(pages, "id", max_id_before + 1).rows() for row in page]
                is_complete = _is_complete(pages)
            except RowNotFound as error:
                if not resource.parent or not self._is_gone(BY_NAME[resource.parent], parent_ids):
                    raise UnexpectedResponse(
                        error.what, where=error.where, hint="run again later; what was written is kept"
                    ) from None
                rows, is_complete = [], True  # a row that is gone has no rows below it
            self._last[path] = NewRows(read_number, max_id_before, rows, is_complete)
            return self._last[path]

    def _is_gone(self, parent: Resource, parent_ids: Mapping[str, int]) -> bool:
        try:
            self._services.client.get(row_path(parent, {}, next(iter(parent_ids.values()))))
        except RowNotFound:
            return True
        return False


def _is_complete(pages: Pages) -> bool:
    """Return whether all rows were read. The server's count suffices: a list that keeps growing is never proved."""
    stats = pages.stats
    return stats.verdict == "complete" or (stats.verdict == "unproven" and stats.server_count is not None)
