"""Finds deleted rows: known rows that are missing from the full list and that `GET` by id does not return.

The API reports no deletes. Where the account profile says that `deleted=true` returns deleted rows, these are read and
compared with the known ones. Elsewhere the whole list is read. A row may be missing from it because the server skipped
it, so a missing row counts as deleted only if all of this holds:

- the list was read in full and its verdict is `complete`;
- `GET` by id returns 404, or a row with a `deleted_at`;
- it is not in the list that such rows move to, as an estimate that became an invoice;
- the deleted rows are at most `max_delete_percent` of all known rows. More of them rather mean that the key has lost
  a permission, or that the snapshot belongs to another account. Then no delete is reported at all.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from typing import Literal

from fieldpulse_api.errors import SafetyLimitReached, UnexpectedResponse
from fieldpulse_api.http.client import Client
from fieldpulse_api.reading.full_scan import FullScan
from fieldpulse_api.reading.id_set import IdSet
from fieldpulse_api.reading.pages import Pages, ReadOptions, Row
from fieldpulse_api.reading.prefetch import map_in_order
from fieldpulse_api.reading.single_rows import find_row, is_marked_deleted
from fieldpulse_api.resources.catalogue import BY_NAME
from fieldpulse_api.resources.model import Resource
from fieldpulse_api.values.scalars import iso_timestamp, optional_time
from tap_fieldpulse.reading.list_reader import ListReader

CANNOT_TELL = "cannot tell whether a row was deleted"


Fate = Literal["deleted", "moved", "exists"]


@dataclass
class MissingRows:
    """What became of rows that are missing from a list: the ids of deleted ones, and of moved ones.

    `deleted_at` has the times of deletion that FieldPulse told, by id.
    """

    deleted_ids: IdSet = field(default_factory=IdSet)
    moved_ids: IdSet = field(default_factory=IdSet)
    deleted_at: dict[int, str] = field(default_factory=dict)


class DeleteDetector:
    """Find deleted rows of one resource, in the list of deleted rows if `reads_deleted_list`."""

    def __init__(
        self,
        client: Client,
        resource: Resource,
        options: ReadOptions,
        logger: logging.Logger,
        *,
        max_percent: float,
        reads_deleted_list: bool = False,
    ) -> None:
        self._client, self._resource, self._options, self._logger = client, resource, options, logger
        self._max_percent, self._reads_deleted_list = max_percent, reads_deleted_list
        self._deleted_at: dict[int, str] = {}

    def missing_ids(self, known: AbstractSet[int], list_reader: ListReader) -> AbstractSet[int]:
        """Return the known ids that are missing from the list; none if it is not proved complete."""
        if self._reads_deleted_list:
            return self._ids_of_deleted_rows(known)
        if not list_reader.reads_full_list:
            return IdSet()
        verdict = list_reader.stats.verdict
        if verdict != "complete":
            self._logger.warning("%s: skipped delete detection, because the list is %s", self._resource.name, verdict)
            return IdSet()
        return known - list_reader.row_ids

    def explain(self, missing: Iterable[Row], known_count: int) -> MissingRows:
        """Return which of the missing rows were deleted, and which moved to another list.

        Raises: SafetyLimitReached as soon as they are more than `max_percent` of the known rows.
        """
        result, name = MissingRows(deleted_at=self._deleted_at), self._resource.name
        existing_count = 0
        for row, fate in map_in_order(self._fate_of, missing, max_in_flight=self._options.pages_in_flight):
            if fate == "deleted":
                result.deleted_ids.add(int(row["id"]))
            elif fate == "moved":
                result.moved_ids.add(int(row["id"]))
            else:
                existing_count += 1
            if len(result.deleted_ids) * 100 > self._max_percent * known_count:
                raise self._limit_error(len(result.deleted_ids), known_count)
        if result.moved_ids:
            self._logger.info("%s: %d rows have moved to %s", name, len(result.moved_ids), self._resource.moves_to)
        if existing_count:
            self._logger.info("%s: %d rows are missing from the list but exist by id", name, existing_count)
        return result

    def _ids_of_deleted_rows(self, known: AbstractSet[int]) -> IdSet:
        """Return the known ids in the list of deleted rows; none if the server ignores the parameter after all."""
        pages = Pages(self._client, self._resource, replace(self._options, query={"deleted": "true"}))
        row_ids = IdSet()
        for rows in FullScan(pages).rows():
            if not all(is_marked_deleted(row, self._options.zone) for row in rows):
                self._logger.warning(
                    "%s: skipped delete detection, because `deleted=true` has no effect: "
                    "run `fieldpulse doctor --profile` again",
                    self._resource.name,
                )
                return IdSet()
            for row in rows:
                if int(row["id"]) in known:
                    row_ids.add(int(row["id"]))
                    self._remember_time(row)
        return row_ids

    def _remember_time(self, row: Row) -> None:
        deleted_at = optional_time(row.get("deleted_at"), self._options.zone)
        if deleted_at:
            self._deleted_at[int(row["id"])] = iso_timestamp(deleted_at)

    def _limit_error(self, deleted_count: int, known_count: int) -> SafetyLimitReached:
        return SafetyLimitReached(
            f"Too many rows of stream {self._resource.name} were deleted: at least {deleted_count} of {known_count} "
            f"known rows, the limit is {self._max_percent:g} %. No delete of the stream was reported.",
            where="setting max_delete_percent",
            hint="check the rows in FieldPulse; if they were deleted on purpose, raise the setting for one run",
        )

    def _fate_of(self, row: Row) -> tuple[Row, Fate]:
        """Return a row and what became of it; it counts as existing if that is unknown."""
        try:
            if self._resource.moves_to and self._exists(BY_NAME[self._resource.moves_to], row):
                return row, "moved"
            return row, "exists" if self._exists(self._resource, row) else "deleted"
        except UnexpectedResponse as error:
            self._logger.warning("%s: %s: %s", self._resource.name, CANNOT_TELL, error.one_line)
            return row, "exists"

    def _exists(self, resource: Resource, row: Row) -> bool:
        found = find_row(self._client, resource, row)
        if found is not None and is_marked_deleted(found, self._options.zone):
            self._remember_time(found)
            return False
        return found is not None
