"""Compares the rows of a stream with those of earlier runs, to find new, changed and deleted rows.

A row is compared in the form that its stream emits, before derived properties are added: labels and custom field names
may change although the row did not. What a run observes is stored in the snapshot under a generation of its own.

Invariant: an observation replaces an earlier one only once the STATE behind it has come back (see `snapshot`). Every
change is therefore reported at least once, and a report that is repeated has the same `event_id`.

Nothing is reported before the snapshot has a baseline, the full list of an earlier run: every row would look created.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from datetime import datetime, timezone
from functools import cached_property
from itertools import chain
from typing import NamedTuple

from fieldpulse_api.reading.pages import Row
from fieldpulse_api.resources.model import Resource
from tap_fieldpulse.reading.filters import Filters
from tap_fieldpulse.reading.list_reader import ListReader
from tap_fieldpulse.records.record_builder import Record

from . import change_event as events
from .delete_detection import DeleteDetector
from .deleted_rows import delete_record, deleted_row
from .snapshot import StreamSnapshot, chunks

_DELETES_PER_BATCH = 100
_NO_WRITES: Mapping[int, int] = {}


class DeletedBatch(NamedTuple):
    """Deleted rows: as records of `deleted_rows`, as records of their own stream, and as change events."""

    rows: list[Record]
    records: list[Record]
    events: list[Record]


class Observation(NamedTuple):
    """What a row has become since an earlier run: its change events, and the columns that changed.

    `changed` is None if the earlier contents of the row are not known. `seen_write` is the last write of our target
    that the earlier run knew of.
    """

    events: list[Record]
    changed: set[str] | None
    seen_write: int = 0


class ChangeTracker:
    """Track the rows of one stream from run to run.

    With `keeps_contents`, the snapshot gets the contents of rows; without, it gets their ids. With `reports_changes`,
    there are change events. Without `reports_created`, unknown rows are stored silently: after a change of filters they
    need not be new.
    """

    def __init__(
        self,
        snapshot: StreamSnapshot,
        resource: Resource,
        filters: Filters,
        *,
        keeps_contents: bool,
        reports_changes: bool,
        reports_created: bool,
    ) -> None:
        self.generation = snapshot.generation
        self._snapshot, self._resource, self._filters = snapshot, resource, filters
        self._keeps_contents, self._reports_created = keeps_contents, reports_created
        self._reports_changes = reports_changes
        self._path_columns = tuple(set(re.findall(r"{(\w+)}", resource.item_path or "")) - {"id"})

    @cached_property
    def _known_ids(self) -> AbstractSet[int]:
        return self._snapshot.row_ids()

    def is_unknown(self, row: Row) -> bool:
        """Return whether no earlier run saw the row, although one saw the full list.

        Such a row was restored, or its `updated_at` is older than its creation.
        """
        return self._snapshot.has_baseline and int(row["id"]) not in self._known_ids

    def store(self, records: list[Record], write_numbers: Mapping[int, int] = _NO_WRITES) -> dict[int, bytes | None]:
        """Store records, each with the last write of our target, and return what was known of them before."""
        bodies = {int(record["id"]): self._body(record, write_numbers.get(int(record["id"]), 0)) for record in records}
        known = self._snapshot.read_bodies(bodies)
        self._snapshot.upsert(
            {
                row_id: body
                for row_id, body in bodies.items()
                if row_id not in known or (self._keeps_contents and known[row_id] != body)
            }
        )
        return known

    def observe(
        self, records: list[Record], write_numbers: Mapping[int, int] = _NO_WRITES, *, omits_nulls: bool = False
    ) -> list[Observation]:
        """Store records, and return for each what has changed between what was known of it and its contents now.

        `omits_nulls` says that the rows have no null: the server leaves such columns out.
        """
        known = self.store(records, write_numbers)
        if not self._keeps_contents:
            return [Observation([], None) for _ in records]
        return [self._observation(known, record, omits_nulls=omits_nulls) for record in records]

    def _observation(self, known: dict[int, bytes | None], record: Record, *, omits_nulls: bool) -> Observation:
        found = events.changes_of_row(self._resource, known, record, omits_nulls=omits_nulls)
        is_known = int(record["id"]) in known
        is_reported = self._reports_changes and (self._reports_created or is_known)
        reported = [self._event(change, record) for change in found] if is_reported else []
        before = known.get(int(record["id"]))
        if before is None:
            return Observation(reported, None)
        return Observation(reported, events.changed_columns(found), events.seen_write(before))

    def find_deleted(self, detector: DeleteDetector, list_reader: ListReader) -> Iterator[DeletedBatch]:
        """Yield the deleted rows, as records of each kind.

        A row whose last known contents match no filter was never emitted, so its deletion is not emitted either.

        Raises: SafetyLimitReached.
        """
        missing = detector.missing_ids(self._known_ids, list_reader)
        explained = detector.explain(chain.from_iterable(self._known_rows(missing)), len(self._known_ids))
        self._snapshot.mark_deleted(explained.moved_ids)
        now = datetime.now(timezone.utc)
        for rows in self._known_rows(explained.deleted_ids):
            self._snapshot.mark_deleted(int(row["id"]) for row in rows)
            emitted = [row for row in rows if not self._has_contents(row) or self._filters.matches(row)]
            if not emitted:
                continue
            found = [self._event(events.Change("deleted"), row) for row in emitted] if self._reports_changes else []
            times = {int(row["id"]): explained.deleted_at.get(int(row["id"])) for row in emitted}
            yield DeletedBatch(
                rows=[deleted_row(self._resource.name, row_id, time, now) for row_id, time in times.items()],
                records=[delete_record(row_id, time, now) for row_id, time in times.items()],
                events=found,
            )

    def commit(self, *, is_full_list: bool) -> None:
        """Keep what was stored; `is_full_list` if that is the full list."""
        self._snapshot.commit(is_full_list=is_full_list)

    def on_state_emitted(self) -> None:
        """Store that the STATE behind these observations was emitted, and close the snapshot."""
        self._snapshot.on_state_emitted()
        self._snapshot.close()

    def close(self) -> None:
        """Close the snapshot; what was not committed is lost."""
        self._snapshot.close()

    def _known_rows(self, ids: Iterable[int]) -> Iterator[list[Record]]:
        """Yield the last known contents of rows, in the order of the ids. Many of them are never in memory at once."""
        for chunk in chunks(ids, _DELETES_PER_BATCH):
            bodies = self._snapshot.read_bodies(chunk)
            known = [(row_id, bodies[row_id]) for row_id in chunk if row_id in bodies]
            yield [events.unpack(body or events.EMPTY_CONTENTS) | {"id": row_id} for row_id, body in known]

    def _event(self, change: events.Change, record: Record) -> Record:
        now = datetime.now(timezone.utc)
        return events.change_event(self._resource, change, record, generation=self.generation, now=now)

    def _body(self, record: Record, write_number: int) -> bytes | None:
        """Return the stored part of a record: its contents, or the columns that its path by id needs besides the id."""
        if self._keeps_contents:
            return events.pack(events.comparable_contents(record), write_number)
        return events.pack({name: record.get(name) for name in self._path_columns}) if self._path_columns else None

    def _has_contents(self, row: Row) -> bool:
        return not set(row) <= {"id", *self._path_columns}
