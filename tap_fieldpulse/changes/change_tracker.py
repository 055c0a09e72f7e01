"""What is remembered of a stream's rows, and what that shows of those that are read: new ones, changes, deletes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timezone
from functools import cached_property

from fieldpulse_api.reading.pages import Row
from fieldpulse_api.resources.model import Resource
from tap_fieldpulse.reading.filters import Filters
from tap_fieldpulse.reading.list_reader import ListReader
from tap_fieldpulse.records.record_builder import Record

from . import change_event as events
from .delete_detection import DeleteDetector
from .snapshot import StreamSnapshot

_AT_ONCE = 100


class ChangeTracker:
    """The rows of one stream from run to run. With `has_events` their contents are kept, else only their ids.

    `is_gapless` says that the run before this one kept contents too; `is_refiltered` that it looked at
    other rows, so that one that is not known need not be new. Nothing is told of a list that was never taken
    in whole.
    """

    def __init__(
        self,
        snapshot: StreamSnapshot,
        resource: Resource,
        filters: Filters,
        *,
        tracks_changes: bool,
        tracked_last_run: bool,
        filters_changed: bool,
    ) -> None:
        self.tracks_changes, self.generation = tracks_changes, snapshot.generation
        self.needs_full_comparison = not snapshot.has_baseline or (tracks_changes and not tracked_last_run)
        self._snapshot, self._resource, self._filters = snapshot, resource, filters
        self._is_refiltered = filters_changed
        self._path_needs = tuple(set(re.findall(r"{(\w+)}", resource.item_path or "")) - {"id"})

    @cached_property
    def _known(self) -> set[int]:
        return self._snapshot.row_ids()

    def is_unknown(self, row: Row) -> bool:
        """Say whether a row is not known, though the whole list was: restored, or stamped late."""
        return self._snapshot.has_baseline and int(row["id"]) not in self._known

    def observe(self, records: list[Record], *, store_only: bool = False) -> list[Record]:
        """Take records in, and return the events between what was known and them."""
        now = {int(record["id"]): self._stored_body(record) for record in records}
        known = self._snapshot.read_bodies(now)
        is_other = {
            one for one, body in now.items() if one not in known or (self.tracks_changes and known[one] != body)
        }
        self._snapshot.upsert({one: now[one] for one in now if one in is_other})
        if store_only or not self.tracks_changes or not self._snapshot.has_baseline:
            return []
        return [event for record in records for event in self._events_of(record, known)]

    def find_deleted(self, sweep: DeleteDetector, read: ListReader) -> Iterator[tuple[list[Record], list[Record]]]:
        """Yield records and events of rows that are gone; of those that did not fit the filters nobody ever heard.

        Raises: GuardStopped.
        """
        missing = sweep.missing_ids(self._known, read)
        gone = sweep.confirm_deleted(missing, len(self._known), self._snapshot)
        self._snapshot.mark_deleted(int(row["id"]) for row in gone)
        heard = [row for row in gone if not self._has_contents(row) or self._filters.matches(row)]
        now = datetime.now(timezone.utc)
        for start in range(0, len(heard), _AT_ONCE):
            some = heard[start : start + _AT_ONCE]
            is_told = self.tracks_changes and self._snapshot.has_baseline
            found = [self._event(events.Change("deleted"), row) for row in some] if is_told else []
            yield [sweep.delete_record(row, now) for row in some], found

    def commit(self, *, is_full_list: bool) -> None:
        """Keep what was taken in."""
        self._snapshot.commit(is_full_list=is_full_list)

    def on_state_emitted(self) -> None:
        """Note that the state has left, and let go."""
        self._snapshot.on_state_emitted()
        self._snapshot.close()

    def close(self) -> None:
        """Give up what was taken in."""
        self._snapshot.close()

    def _events_of(self, record: Record, known: dict[int, bytes | None]) -> Iterator[Record]:
        if self._is_refiltered and int(record["id"]) not in known:
            return
        for change in events.changes_of_row(self._resource, known, record):
            yield self._event(change, record)

    def _event(self, change: events.Change, record: Record) -> Record:
        return events.change_event(
            self._resource, change, record, generation=self.generation, now=datetime.now(timezone.utc)
        )

    def _stored_body(self, record: Record) -> bytes | None:
        """Return what is kept of a record: its contents, or what its path by id needs."""
        if self.tracks_changes:
            return events.pack(events.comparable_contents(record))
        return events.pack({name: record.get(name) for name in self._path_needs}) if self._path_needs else None

    def _has_contents(self, row: Row) -> bool:
        return not set(row) <= {"id", *self._path_needs}
