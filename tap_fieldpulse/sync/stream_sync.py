"""One stream in one run: what happens to each row that is read, and where the next run continues."""

from __future__ import annotations

import logging
import time
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from itertools import chain
from typing import Any

from fieldpulse_api.errors import IncompleteRead, SafetyLimitReached
from fieldpulse_api.reading.pages import Row
from fieldpulse_api.resources.model import Resource
from fieldpulse_api.values.scalars import iso_timestamp
from fieldpulse_plugin.exit_codes import reason_of
from fieldpulse_plugin.history.facts import now
from fieldpulse_plugin.progress import Progress
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

State = dict[str, Any]


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


class StreamSync:
    """Read one resource batch by batch, and move its `state` at the end.

    Raises: IncompleteRead if `completeness` is `fail` and the list is not complete; what reading raises.
    """

    def __init__(
        self,
        plan: SyncPlan,
        parts: StreamSyncParts,
        state: State,
        *,
        settings: TapSettings,
        summary: RunSummary,
        logger: logging.Logger,
    ) -> None:
        self._plan, self._parts, self._state = plan, parts, state
        self._settings, self._summary, self._logger = settings, summary, logger
        self._name, self._list_reader, self._tracker = parts.resource.name, parts.list_reader, parts.tracker
        self._events_without_records: list[Record] = []
        self._event_count = self._filtered_out = 0
        self._left_out = None if parts.written_rows is None else 0
        self._facts = summary.start_stream(self._name)

    @property
    def request_count(self) -> int:
        """Return the number of pages of the list and of rows by id that were read so far."""
        by_id = (self._parts.details, self._parts.hinted_rows)
        return self._list_reader.stats.pages + sum(part.request_count for part in by_id if part)

    def batches(self) -> Iterator[Batch]:
        """Yield what to emit, then move the state and log the result."""
        started_at = time.monotonic()
        try:
            for batch in self._batches():
                self._count(batch)
                yield self._with_names(batch)
            self._finish(time.monotonic() - started_at)
        except BaseException as error:
            self._facts.error = reason_of(error)
            if self._tracker:
                self._tracker.close()
            raise
        finally:
            self._tell_history()

    def on_state_emitted(self) -> None:
        """Store that the STATE behind this stream was emitted."""
        if self._tracker:
            self._tracker.on_state_emitted()

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
        self._filtered_out += is_changed
        tracks_contents = self._plan.tracking is Tracking.CONTENTS
        needs_storing = tracks_contents and (is_changed or self._plan.compares_unchanged_rows)
        return RowAction.STORE if needs_storing else RowAction.SKIP

    def _count(self, batch: Batch) -> None:
        facts = self._facts
        facts.records += len(batch.records)
        facts.requests = self.request_count
        self._event_count += len(batch.events)
        if self._plan.tracking is Tracking.CONTENTS:
            changed_rows = {
                event["object_id"] for event in batch.events if event["event"] not in ("created", "deleted")
            }
            facts.new = (facts.new or 0) + sum(event["event"] == "created" for event in batch.events)
            facts.changed = (facts.changed or 0) + len(changed_rows)
        if self._parts.delete_detector:
            facts.deleted = (facts.deleted or 0) + len(batch.deleted_rows)

    def _tell_history(self) -> None:
        """Complete the facts of the stream, whether it was read to its end or not."""
        facts, stats = self._facts, self._list_reader.stats
        facts.requests, facts.server_count = self.request_count, stats.server_count
        facts.verdict = None if facts.error else stats.verdict
        facts.drift = list(self._parts.record_builder.warnings())
        bookmark = self._state.get("replication_key_value")
        facts.bookmark = None if bookmark is None else str(bookmark)
        facts.ended_at = now()

    def _is_unknown(self, row: Row) -> bool:
        return self._tracker is not None and self._plan.reads_full_list and self._tracker.is_unknown(row)

    def _with_names(self, batch: Batch) -> Batch:
        names = self._parts.event_names
        return replace(batch, events=[names.add_to(self._parts.resource, event) for event in batch.events])

    def _batches(self) -> Iterator[Batch]:
        rate = self._settings.client.requests_per_second if self._settings.client else 0
        progress = Progress(self._name, self._list_reader, lambda: self.request_count, rate, self._logger)
        with progress, closing(self._parts.rows):
            pages: Iterator[list[Row]] = self._parts.rows
            if self._parts.hinted_rows:
                pages = yield from self._hinted_batches(self._parts.hinted_rows, pages)
            rows_to_emit = self._rows_to_emit(pages)
            for rows in self._parts.details.complete(rows_to_emit) if self._parts.details else rows_to_emit:
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

        Reading details runs ahead of the batches, so events of compared rows wait in a list for the next batch.
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
            if by_action[RowAction.EMIT]:
                yield by_action[RowAction.EMIT]

    def _emitted_batch(self, rows: list[Row]) -> Batch:
        """Return the batch of rows that become records, and count those that do not after all."""
        batch = self._build_batch(rows)
        if self._parts.written_rows is not None:
            self._left_out = (self._left_out or 0) + len(rows) - len(batch.records)
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
        self._left_out = (self._left_out or 0) + len(own)
        return DeletedBatch(
            rows=[row for row in deleted.rows if row["id"] not in own],
            records=[record for record in deleted.records if record["id"] not in own],
            events=[event for event in deleted.events if event["object_id"] not in own],
        )

    def _finish(self, seconds: float) -> None:
        stats = self._list_reader.stats
        for warning in [*stats.notes, *self._parts.record_builder.warnings()]:
            self._logger.warning("%s: %s", self._name, warning)
        self._logger.info("%s: %s seconds=%.1f %s", self._name, self._figures(), seconds, stats.verdict)
        if stats.vanished_parents:
            self._logger.info("%s: %d parents were deleted during the scan", self._name, stats.vanished_parents)
        if stats.verdict != "complete" and self._settings.completeness != "off":
            self._report_incomplete()
        else:
            self._move_state()
        if self._parts.hinted_rows:
            self._state.update(self._parts.hinted_rows.next_state())
        if self._tracker:
            is_full_list = self._plan.reads_full_list and stats.verdict != "incomplete"
            self._tracker.commit(is_full_list=is_full_list)
            self._state["snapshot"] = self._tracker.generation
        self._summary.add_stream(self._facts.records, stats.verdict, left_out=self._left_out)

    def _figures(self) -> str:
        stats, details, hinted_rows = self._list_reader.stats, self._parts.details, self._parts.hinted_rows
        figures = {
            "records": self._facts.records,
            "pages": stats.pages,
            "server_count": "unknown" if stats.server_count is None else stats.server_count,
            "duplicates": stats.duplicates,
            "filtered_out": self._filtered_out if self._parts.filters.tests else None,
            "left_out": self._left_out,
            "details": details.request_count if details else None,
            "webhook_reads": hinted_rows.request_count if hinted_rows else None,
            "deleted": (self._facts.deleted or 0) if self._parts.delete_detector else None,
            "events": self._event_count if self._plan.tracking is Tracking.CONTENTS else None,
        }
        return " ".join(f"{name}={value}" for name, value in figures.items() if value is not None)

    def _move_state(self) -> None:
        """Update the state.

        `events` says that this run kept the contents of all rows that it read. `start_date` is the earliest so far.
        A key that no longer applies becomes null: a runner that merges states would keep one that is left out.
        """
        tracks_contents = True if self._plan.tracking is Tracking.CONTENTS else None
        start_date = iso_timestamp(self._plan.start_date) if self._plan.start_date else None
        optional = {"filters": self._parts.filters.digest, "events": tracks_contents, "start_date": start_date}
        self._state.update(self._list_reader.next_state())
        self._state.update(
            {name: value for name, value in optional.items() if value is not None or name in self._state}
        )

    def _report_incomplete(self) -> None:
        stats = self._list_reader.stats
        count = "sent no count" if stats.server_count is None else f"counts {stats.server_count}"
        error = IncompleteRead(
            f"Stream {self._name} is {stats.verdict}: {stats.records} rows were read, the server {count}.",
            where=f"GET {self._parts.resource.path} · {stats.pages} pages",
            hint="run again: the bookmark was not moved. The setting completeness decides whether the run fails",
        )
        if self._settings.completeness == "fail":
            self._summary.add_stream(self._facts.records, stats.verdict)
            raise error
        self._logger.warning("%s", error.one_line)


def _write_numbers(written: Mapping[int, WrittenRow]) -> dict[int, int]:
    return {row_id: row.write_number for row_id, row in written.items()}
