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

from .services import WriteServices, row_path


@dataclass(frozen=True)
class NewRows:
    """What one reading found. `is_whole`: a row that was there when it began must be among them."""

    read_number: int
    max_id_before: int
    rows: list[Row]
    is_whole: bool


class NewRowReader:
    """The readings of a run. May be used by many threads."""

    def __init__(self, services: WriteServices) -> None:
        self._services = services
        self._locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        self._read_numbers: defaultdict[str, int] = defaultdict(int)
        self._last: dict[str, NewRows] = {}

    def read(
        self, resource: Resource, parent_ids: Mapping[str, int], max_id_before: int, *, with_custom_fields: bool
    ) -> NewRows:
        """Return the rows above an id, from a reading that begins now, whoever makes it; `values` shows custom fields.

        Raises: UnexpectedReply where the list is gone and cannot be; what `Client.get` raises.
        """
        path = resource.path.format(**parent_ids)
        seen = self._read_numbers[path]
        with self._locks[path]:
            last = self._last.get(path)
            if last and last.read_number > seen and last.max_id_before <= max_id_before:
                return last
            self._read_numbers[path] += 1
            number = self._read_numbers[path]
            rows, is_whole = self._read_list(
                resource, parent_ids, path, max_id_before, with_custom_fields=with_custom_fields
            )
            self._last[path] = NewRows(number, max_id_before, rows, is_whole)
            return self._last[path]

    def _read_list(
        self,
        resource: Resource,
        parent_ids: Mapping[str, int],
        path: str,
        max_id_before: int,
        *,
        with_custom_fields: bool,
    ) -> tuple[list[Row], bool]:
        query = dict(resource.with_custom_fields_params) if with_custom_fields else {}
        pages = Pages(self._services.client, resource, replace(self._services.read_options, query=query), path)
        try:
            rows = [row for page in IncrementalScan(pages, "id", max_id_before + 1).rows() for row in page]
        except RowNotFound as error:
            if resource.parent and self._is_gone(BY_NAME[resource.parent], parent_ids):
                return [], True  # nothing can be below a row that is gone
            raise UnexpectedResponse(
                error.what, where=error.where, hint="run again later; what was done is kept"
            ) from None
        tally = pages.tally
        # In a list that grows all the while nothing is ever quiet: as many rows as were counted is enough.
        is_whole = tally.verdict == "complete" or (tally.verdict == "unproven" and tally.server_count is not None)
        return rows, is_whole

    def _is_gone(self, parent: Resource, parent_ids: Mapping[str, int]) -> bool:
        try:
            self._services.client.get(row_path(parent, {}, next(iter(parent_ids.values()))))
        except RowNotFound:
            return True
        return False
