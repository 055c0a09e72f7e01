"""Rows that were known and are gone: missing from the whole list, and answered with 404 by id."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import datetime
from itertools import islice

from fieldpulse_api.ahead import in_order
from fieldpulse_api.client import Client
from fieldpulse_api.details import read_row
from fieldpulse_api.errors import GuardStopped, UnexpectedReply
from fieldpulse_api.pages import Reading, Row
from fieldpulse_api.resource import Resource
from fieldpulse_api.values import iso

from . import events
from .form import Record
from .lists import List
from .snapshot import StreamSnapshot


class Sweep:
    """Look for deleted rows of one resource, where the whole list was read and proved complete."""

    def __init__(self, client: Client, resource: Resource, reading: Reading, logger: logging.Logger) -> None:
        self._client, self._resource, self._reading, self._logger = client, resource, reading, logger

    def missing(self, known: set[int], read: List) -> list[int]:
        """Return the ids that are known and were not read; none where the list was not read whole and proved."""
        if read.is_whole and read.tally.verdict == "complete":
            return sorted(known - read.ids)
        if read.is_whole:
            verdict = read.tally.verdict
            self._logger.warning("%s: deleted rows were not looked for: the list is %s", self._resource.name, verdict)
        return []

    def guard(self, missing: int, known: int, most_percent: float) -> GuardStopped | None:
        """Return why nothing is deleted, if more would be than is allowed."""
        if missing * 100 <= most_percent * known:
            return None
        error = GuardStopped(
            f"{missing} of the {known} rows known of stream {self._resource.name} are not in its list any more: "
            "none was reported as deleted.",
            where="setting max_delete_percent",
            do="look into FieldPulse; if they were deleted there, allow it for one run by raising the setting",
        )
        self._logger.error("%s", error)
        return error

    def gone(self, missing: list[int], snapshot: StreamSnapshot) -> Iterator[list[Row]]:
        """Yield what was last known of rows that are gone, after the snapshot has forgotten them."""
        bodies = snapshot.bodies(missing)
        rows = (events.unpack(body or events.NOTHING) | {"id": one} for one, body in bodies.items())
        answers = in_order(self._ask, rows, at_most=self._reading.pages_in_flight)
        there = 0
        while some := list(islice(answers, self._reading.page_size)):
            gone = [row for row, is_gone in some if is_gone]
            there += len(some) - len(gone)
            snapshot.forget(int(row["id"]) for row in gone)
            if gone:
                yield gone
        if there:
            self._logger.info("%s: %d rows are not in the list, and there by id", self._resource.name, there)

    @staticmethod
    def record(row: Row, now: datetime) -> Record:
        """Return the record that says so: the key, and when it was seen. Nothing else is known."""
        return {"id": row["id"], "deleted_at": iso(now)}

    def _ask(self, row: Row) -> tuple[Row, bool]:
        try:
            found = read_row(self._client, self._resource, row)
        except UnexpectedReply as error:
            self._logger.warning("%s: whether a row was deleted is not known: %s", self._resource.name, error.line)
            return row, False
        return row, found is None or bool(found.get("deleted_at"))
