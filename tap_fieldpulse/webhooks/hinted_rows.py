"""Rows that webhooks have named since the last run, read by id before the list.

A delivery is only a hint: the row comes from the API, and the list is read as without it. A lost or forged delivery
therefore changes the number of requests and the order of records, but not their contents.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, ClassVar

from fieldpulse_api.errors import RecordError, ServiceError
from fieldpulse_api.http.client import Client
from fieldpulse_api.reading.pages import ReadOptions, Row
from fieldpulse_api.reading.prefetch import map_in_order
from fieldpulse_api.reading.single_rows import find_row
from fieldpulse_api.resources.model import Resource

from .inbox import valid_sequence

_STATE_KEY = "hinted"


class HintedRows:
    """The rows of one resource that webhooks have named.

    `named` holds pairs of a row id and the sequence number of the last delivery that named it, the newest first. The
    state is the highest of these numbers. Rows that cannot be read by id are left to the list.
    """

    MAX_ROWS: ClassVar[int] = 1000
    """Maximum number of rows that are read by id, with one request each."""

    def __init__(
        self,
        named: Sequence[tuple[int, int]],
        client: Client,
        resource: Resource,
        options: ReadOptions,
        logger: logging.Logger,
    ) -> None:
        self.request_count = 0
        self._named, self._client, self._resource, self._options = named, client, resource, options
        self._logger = logger
        self._rows: dict[int, Row] = {}

    @staticmethod
    def last_sequence(state: Mapping[str, Any]) -> int:
        """Return the sequence number of the last delivery that a stream has read as a hint."""
        return valid_sequence(state.get(_STATE_KEY))

    def read(self) -> None:
        """Read the rows."""
        name = self._resource.name
        ids = [row_id for row_id, _ in self._named[: self.MAX_ROWS]]
        if len(ids) < len(self._named):
            self._logger.info(
                "%s: webhooks named more than %d rows; the others are read from the list", name, self.MAX_ROWS
            )
        try:
            for row in map_in_order(self._read_row, ids, max_in_flight=self._options.pages_in_flight):
                self.request_count += 1
                if row:
                    self._rows[int(row["id"])] = row
        except ServiceError as error:
            self._logger.warning(
                "%s: rows that webhooks named cannot be read by id, and are left to the list: %s", name, error.one_line
            )

    def restrict_to(self, matches: Callable[[Row], bool], *, columns: Collection[str] | None) -> None:
        """Keep the rows that match, and of these only some columns, if any are given."""
        self._rows = {
            row_id: {name: value for name, value in row.items() if name in columns} if columns else row
            for row_id, row in self._rows.items()
            if matches(row)
        }

    def rows(self) -> Iterator[list[Row]]:
        """Yield the rows in lists of at most a page."""
        rows = list(self._rows.values())
        for start in range(0, len(rows), self._options.page_size):
            yield rows[start : start + self._options.page_size]

    def covers(self, row: Row) -> bool:
        """Return whether a row of the list has the same values as the row that was read by id."""
        hinted = self._rows.get(int(row["id"]))
        return hinted is not None and row.items() <= hinted.items()

    def next_state(self) -> dict[str, int]:
        """Return the state, if there were any deliveries."""
        return {_STATE_KEY: self._named[0][1]} if self._named else {}

    def _read_row(self, row_id: int) -> Row | None:
        try:
            return find_row(self._client, self._resource, {"id": row_id})
        except RecordError:  # the list shows whether the row exists
            return None
