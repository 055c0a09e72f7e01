"""Rows that were known and are gone: missing from the whole list, and answered with 404 by id."""

from __future__ import annotations

import logging
from datetime import datetime

from fieldpulse_api.errors import SafetyLimitReached, UnexpectedResponse
from fieldpulse_api.http.client import Client
from fieldpulse_api.reading.pages import ReadOptions, Row
from fieldpulse_api.reading.prefetch import map_in_order
from fieldpulse_api.reading.single_rows import find_row
from fieldpulse_api.resources.model import Resource
from fieldpulse_api.values.scalars import iso_timestamp
from tap_fieldpulse.reading.list_reader import ListReader, is_marked_deleted
from tap_fieldpulse.records.record_builder import Record

from . import change_event as events
from .snapshot import StreamSnapshot


class DeleteDetector:
    """Look for deleted rows of one resource, where the whole list was read and proved complete."""

    def __init__(
        self, client: Client, resource: Resource, reading: ReadOptions, logger: logging.Logger, *, max_percent: float
    ) -> None:
        self._client, self._resource, self._reading, self._logger = client, resource, reading, logger
        self._most_percent = max_percent

    def missing_ids(self, known: set[int], read: ListReader) -> list[int]:
        """Return the ids that are known and were not read; none where the list was not read whole and proved."""
        if read.reads_full_list and read.stats.verdict == "complete":
            return sorted(known - read.row_ids)
        if read.reads_full_list:
            verdict = read.stats.verdict
            self._logger.warning("%s: deleted rows were not looked for: the list is %s", self._resource.name, verdict)
        return []

    def confirm_deleted(self, missing: list[int], known: int, snapshot: StreamSnapshot) -> list[Row]:
        """Return what was last known of the missing rows that are gone.

        Raises: GuardStopped when they are more than `most_percent` of those known; it asks no further then.
        """
        bodies = snapshot.read_bodies(missing)
        rows = (events.unpack(body or events.EMPTY_CONTENTS) | {"id": one} for one, body in bodies.items())
        gone: list[Row] = []
        there = 0
        for row, is_gone in map_in_order(self._ask, rows, max_in_flight=self._reading.pages_in_flight):
            if is_gone:
                gone.append(row)
            there += not is_gone
            if len(gone) * 100 > self._most_percent * known:
                raise self._too_many(len(missing), known)
        if there:
            self._logger.info("%s: %d rows are not in the list, and there by id", self._resource.name, there)
        return gone

    @staticmethod
    def delete_record(row: Row, now: datetime) -> Record:
        """Return the record that says so: the key, and when it was seen. Nothing else is known."""
        return {"id": row["id"], "deleted_at": iso_timestamp(now)}

    def _too_many(self, missing: int, known: int) -> SafetyLimitReached:
        return SafetyLimitReached(
            f"{missing} of the {known} rows known of stream {self._resource.name} are not in its list any more, and "
            "too many of them are gone: none was reported as deleted.",
            where="setting max_delete_percent",
            hint="look into FieldPulse; if they were deleted there, allow it for one run by raising the setting",
        )

    def _ask(self, row: Row) -> tuple[Row, bool]:
        try:
            found = find_row(self._client, self._resource, row)
            return row, found is None or is_marked_deleted(found, self._reading.zone)
        except UnexpectedResponse as error:
            self._logger.warning("%s: whether a row was deleted is not known: %s", self._resource.name, error.one_line)
            return row, False


def is_delete_record(record: Record) -> bool:
    """Say whether a record is one of a row that is gone."""
    return {name for name, value in record.items() if value is not None} == {"id", "deleted_at"}
