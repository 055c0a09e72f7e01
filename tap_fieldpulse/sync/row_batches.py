"""What happens to each row of a list: it becomes a record, change events, both, or neither."""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from itertools import chain

from fieldpulse_api.errors import SafetyLimitReached
from fieldpulse_api.reading.pages import Row
from fieldpulse_api.resources.model import Resource
from fieldpulse_plugin.written_rows import WrittenRow, WrittenRows
from tap_fieldpulse.changes.change_tracker import ChangeTracker, DeletedBatch, Observation
from tap_fieldpulse.changes.delete_detection import DeleteDetector
from tap_fieldpulse.reading.event_names import EventNames
from tap_fieldpulse.reading.filters import Filters
from tap_fieldpulse.reading.list_reader import ListReader
from tap_fieldpulse.reading.row_details import RowDetails
from tap_fieldpulse.records.record_builder import Record, RecordBuilder
from tap_fieldpulse.settings import TapSettings
from tap_fieldpulse.webhooks.hinted_rows import HintedRows

from .run_summary import RunSummary
from .sync_plan import SyncPlan, Tracking


class RowAction(Enum):
    """What happens to a row of the list."""

    EMIT = auto()  # becomes a record
    COMPARE = auto()  # becomes no record, but may show changes that an earlier run missed
    STORE = auto()  # becomes no record and no event: it matches no filter, and is only stored to compare with later
    SKIP = auto()


@dataclass(frozen=True)
class Batch:
    """Records of the stream, the change events that precede them, and records of `deleted_rows`."""

    records: list[Record]
    events: list[Record] = field(default_factory=list)
    deleted_rows: list[Record] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class StreamSyncParts:
    """What a stream is read with. An optional part is there if the plan asks for it."""

    resource: Resource
    record_builder: RecordBuilder
    filters: Filters
    list_reader: ListReader
    rows: Generator[list[Row], None, None]
    details: RowDetails | None
    tracker: ChangeTracker | None
    delete_detector: DeleteDetector | None
    hinted_rows: HintedRows | None
    event_names: EventNames
    written_rows: WrittenRows | None


class RowBatches:
    """The batches of one list. `filtered_out` counts rows that no filter matches and that changed.

    `left_out` counts what a target of ours wrote; None if that is not left out.
    """

    def __init__(
        self,
        plan: SyncPlan,
        parts: StreamSyncParts,
        *,
        settings: TapSettings,
        summary: RunSummary,
        logger: logging.Logger,
    ) -> None:
        self.filtered_out = 0
        self.left_out = None if parts.written_rows is None else 0
        self._plan, self._parts = plan, parts
        self._settings, self._summary, self._logger = settings, summary, logger
        self._list_reader, self._tracker = parts.list_reader, parts.tracker
        self._events_without_records: list[Record] = []

    def __iter__(self) -> Iterator[Batch]:
        """Yield the batches; read the list as far as that takes."""
        return map(self._with_names, self._batches())

    def decide(self, row: Row) -> RowAction:
        """Return what happens to a row of the list.

        A row that changed since the bookmark, or that is unknown, is emitted if it matches the filters. Another one is
        compared if the plan compares unchanged rows. Rows that match no filter are stored if their contents are
        tracked: a later change of the row must be compared with them. A row is skipped if a webhook named it and its
        record has already been emitted with the same values.
        """
        if self._parts.hinted_rows and self._parts.hinted_rows.covers(row):
            return RowAction.SKIP
        is_changed = self._list_reader.is_changed_since_bookmark(row)
        if self._parts.filters.matches(row):
            if is_changed or self._is_unknown(row):
                return RowAction.EMIT
            return RowAction.COMPARE if self._plan.compares_unchanged_rows else RowAction.SKIP
        self.filtered_out += is_changed
        tracks_contents = self._plan.tracking is Tracking.CONTENTS
        needs_storing = tracks_contents and (is_changed or self._plan.compares_unchanged_rows)
        return RowAction.STORE if needs_storing else RowAction.SKIP

    def _batches(self) -> Iterator[Batch]:
        pages: Iterator[list[Row]] = self._parts.rows
        if self._parts.hinted_rows:
            pages = yield from self._hinted_batches(self._parts.hinted_rows, pages)
        rows_to_emit = self._rows_to_emit(pages)
        for rows in self._parts.details.complete(rows_to_emit) if self._parts.details else rows_to_emit:
            if rows:
                yield self._emitted_batch(rows)
            yield from self._pending_events()
        yield from self._pending_events()
        if self._tracker and self._parts.delete_detector:
            yield from self._delete_batches(self._tracker, self._parts.delete_detector)

    def _hinted_batches(
        self, hinted_rows: HintedRows, pages: Iterator[list[Row]]
    ) -> Generator[Batch, None, Iterator[list[Row]]]:
        """Yield the rows that webhooks named, with the columns that the list has; return the list.

        With details, rows keep all their columns: the list's rows get these too.
        """
        hinted_rows.read()
        first = next(pages, [])
        hinted_rows.restrict_to(self._parts.filters.matches, columns=None if self._parts.details else {*chain(*first)})
        for rows in hinted_rows.rows():
            yield self._emitted_batch(rows)
        return chain([first] if first else [], pages)

    def _rows_to_emit(self, pages: Iterable[list[Row]]) -> Iterator[list[Row]]:
        """Yield the rows that become records; store and compare the others on the way.

        Reading details runs ahead of the batches, so events of compared rows wait in a list for the next batch. A page
        that has only such rows is yielded without any, so that no more events than its own wait.
        """
        for rows in pages:
            by_action: dict[RowAction, list[Row]] = {action: [] for action in RowAction}
            for row in rows:
                by_action[self.decide(row)].append(row)
            if self._tracker and by_action[RowAction.STORE]:
                rows_to_store = by_action[RowAction.STORE]
                records = [self._parts.record_builder.shape(row) for row in rows_to_store]
                self._tracker.store(records, _write_numbers(self._written(rows_to_store)))
            if by_action[RowAction.COMPARE]:
                self._events_without_records += self._build_batch(by_action[RowAction.COMPARE]).events
            if by_action[RowAction.EMIT] or self._events_without_records:
                yield by_action[RowAction.EMIT]

    def _emitted_batch(self, rows: list[Row]) -> Batch:
        """Return the batch of rows that become records, and count those that do not after all."""
        batch = self._build_batch(rows)
        if self._parts.written_rows is not None:
            self.left_out = (self.left_out or 0) + len(rows) - len(batch.records)
        return batch

    def _build_batch(self, rows: list[Row]) -> Batch:
        """Return the records of rows, and their change events.

        Records are built in two steps. The tracker must see a record before its derived properties are added: labels
        and custom field names may change although the row did not. An event's object is the record itself, so it has
        them as well.
        """
        builder = self._parts.record_builder
        records = [builder.shape(row) for row in rows]
        written = self._written(rows)
        observed = []
        if self._tracker:
            omits_nulls = not any(None in row.values() for row in rows)
            observed = self._tracker.observe(records, _write_numbers(written), omits_nulls=omits_nulls)
        echoes = self._echoes(rows, observed, written)
        for record, row in zip(records, rows, strict=True):
            builder.add_derived(record, row)
        events = [event for each in observed for event in each.events if event["object_id"] not in echoes]
        return Batch([record for record in records if record["id"] not in echoes] if echoes else records, events)

    def _written(self, rows: list[Row]) -> Mapping[int, WrittenRow]:
        """Return what a target of ours sent for rows; empty if the setting skip_written_by is not set."""
        written_rows = self._parts.written_rows
        if written_rows is None:
            return {}
        return written_rows.read(self._parts.resource, [int(row["id"]) for row in rows])

    def _echoes(self, rows: list[Row], observed: list[Observation], written: Mapping[int, WrittenRow]) -> set[int]:
        """Return the ids of the rows that a target of ours wrote, and that no person has changed since."""
        if not written:
            return set()
        unseen = Observation([], None)
        pairs = [(row, each if self._plan.has_seen_rows else unseen) for row, each in zip(rows, observed, strict=True)]
        return {
            int(row["id"]) for row, each in pairs if written[int(row["id"])].is_echo(row, each.changed, each.seen_write)
        }

    def _pending_events(self) -> Iterator[Batch]:
        events, self._events_without_records = self._events_without_records, []
        if events:
            yield Batch([], events)

    def _delete_batches(self, tracker: ChangeTracker, detector: DeleteDetector) -> Iterator[Batch]:
        try:
            for deleted in tracker.find_deleted(detector, self._list_reader):
                batch = self._without_own_deletes(deleted)
                yield Batch(batch.records if self._settings.delete_records else [], batch.events, batch.rows)
        except SafetyLimitReached as error:
            # A warning: the other streams go on, and the error that ends the run is logged once, at its end.
            self._logger.warning("%s", error.one_line)
            self._summary.safety_limit_errors.append(error)

    def _without_own_deletes(self, deleted: DeletedBatch) -> DeletedBatch:
        if self._parts.written_rows is None:
            return deleted
        written = self._parts.written_rows.read(self._parts.resource, [row["id"] for row in deleted.rows])
        own = {row_id for row_id, each in written.items() if each.is_deleted}
        self.left_out = (self.left_out or 0) + len(own)
        return DeletedBatch(
            rows=[row for row in deleted.rows if row["id"] not in own],
            records=[record for record in deleted.records if record["id"] not in own],
            events=[event for event in deleted.events if event["object_id"] not in own],
        )

    def _is_unknown(self, row: Row) -> bool:
        return self._tracker is not None and self._plan.reads_full_list and self._tracker.is_unknown(row)

    def _with_names(self, batch: Batch) -> Batch:
        names = self._parts.event_names
        return replace(batch, events=[names.add_to(self._parts.resource, event) for event in batch.events])


def _write_numbers(written: Mapping[int, WrittenRow]) -> dict[int, int]:
    return {row_id: row.write_number for row_id, row in written.items()}
