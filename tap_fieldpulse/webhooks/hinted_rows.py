"""Rows that webhooks named since the run before, read by id before their list is. Nothing depends on them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, ClassVar

from fieldpulse_api.errors import RecordError, ServiceError
from fieldpulse_api.http.client import Client
from fieldpulse_api.reading.pages import ReadOptions, Row
from fieldpulse_api.reading.prefetch import map_in_order
from fieldpulse_api.reading.single_rows import find_row
from fieldpulse_api.resources.model import Operation, Resource

from .inbox import valid_sequence

_STATE = "hinted"


class HintedRows:
    """The rows of one resource that were named. What is gone, or cannot be read by id, is left to the list.

    Shape: `named` are ids, each with the number of the last delivery that named it, the last named first. The state
    is the highest number: what was named up to it was read, or left to the list.
    """

    MAX_ROWS: ClassVar[int] = 1000
    """How many rows are read by id; each is a request."""

    def __init__(
        self,
        named: Sequence[tuple[int, int]],
        client: Client,
        resource: Resource,
        reading: ReadOptions,
        logger: logging.Logger,
    ) -> None:
        self.request_count = 0
        self._named, self._client, self._resource, self._reading = named, client, resource, reading
        self._logger = logger
        self._rows: dict[int, Row] = {}

    @staticmethod
    def supports(resource: Resource) -> bool:
        """Say whether rows can be read by nothing but their ids."""
        return resource.item_path is not None and resource.parent is None and Operation.GET in resource.operations

    @staticmethod
    def last_sequence(state: Mapping[str, Any]) -> int:
        """Return the number behind which deliveries are new to a stream."""
        return valid_sequence(state.get(_STATE))

    def read(self) -> None:
        """Read the rows."""
        ids = [one for one, _ in self._named[: self.MAX_ROWS]]
        if len(ids) < len(self._named):
            self._logger.info(
                "%s: webhooks named more than %d rows: the list shows the rest", self._resource.name, self.MAX_ROWS
            )
        try:
            for row in map_in_order(self._ask, ids, max_in_flight=self._reading.pages_in_flight):
                self.request_count += 1
                if row:
                    self._rows[int(row["id"])] = row
        except ServiceError as error:
            name = self._resource.name
            self._logger.warning("%s: rows that webhooks named are left to the list: %s", name, error.one_line)

    def restrict_to(self, fit: Callable[[Row], bool], *, columns: Collection[str] | None) -> None:
        """Keep the rows that fit, with these columns only, if any are given."""
        fitting = {one: row for one, row in self._rows.items() if fit(row)}
        if columns:
            fitting = {
                one: {name: value for name, value in row.items() if name in columns} for one, row in fitting.items()
            }
        self._rows = fitting

    def rows(self) -> Iterator[list[Row]]:
        """Yield the rows in lists of a page's size at most."""
        rows = list(self._rows.values())
        for start in range(0, len(rows), self._reading.page_size):
            yield rows[start : start + self._reading.page_size]

    def covers(self, row: Row) -> bool:
        """Say whether a row of the list holds nothing that the row by id did not."""
        shown = self._rows.get(int(row["id"]))
        return shown is not None and row.items() <= shown.items()

    def next_state(self) -> dict[str, int]:
        """Return what is noted of the deliveries, where there were any."""
        return {_STATE: self._named[0][1]} if self._named else {}

    def _ask(self, identity: int) -> Row | None:
        try:
            return find_row(self._client, self._resource, {"id": identity})
        except RecordError:  # the list tells whether there is such a row
            return None
