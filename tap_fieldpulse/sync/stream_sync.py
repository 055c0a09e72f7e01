"""One resource in one run: what becomes of each row that is read, and where the next run goes on."""

from __future__ import annotations

import logging
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from fieldpulse_api.errors import IncompleteRead, SafetyLimitReached
from fieldpulse_api.http.client import Client
from fieldpulse_api.reading.pages import ReadOptions, Row
from fieldpulse_api.resources.model import Resource
from tap_fieldpulse.changes.change_tracker import ChangeTracker
from tap_fieldpulse.changes.delete_detection import DeleteDetector
from tap_fieldpulse.reading.filters import Filters
from tap_fieldpulse.reading.list_reader import ListReader
from tap_fieldpulse.reading.row_details import RowDetails
from tap_fieldpulse.records.record_builder import Record, RecordBuilder
from tap_fieldpulse.webhooks.hinted_rows import HintedRows

from .progress import Progress

State = dict[str, Any]


@dataclass(frozen=True)
class Batch:
    """What is emitted together: records of the stream, and the events that they show."""

    records: list[Record]
    events: list[Record] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class StreamSyncParts:
    """What a source is put together from.

    `memory` is there if deletes or events are looked for, `hints` if webhooks are received.
    `must_be_complete` makes it an error if the list was not proved so.
    """

    client: Client
    read_options: ReadOptions
    resource: Resource
    record_builder: RecordBuilder
    filters: Filters
    list_reader: ListReader
    details: RowDetails | None
    tracker: ChangeTracker | None
    delete_detector: DeleteDetector | None
    hinted_rows: HintedRows | None
    must_be_complete: bool


class StreamSync:
    """Read one resource, batch by batch; `state` is the stream's, and moves when the end was reached.

    `stopped` is the guard that stopped the sweep, if one did: the rest goes on.

    Raises: Incomplete, where the setting `completeness` wants it; what reading raises.
    """

    def __init__(self, parts: StreamSyncParts, state: State, logger: logging.Logger) -> None:
        self.delete_limit_error: SafetyLimitReached | None = None
        self._parts, self._state, self._logger = parts, state, logger
        self._resource, self._record_builder, self._list_reader, self._tracker = (
            parts.resource,
            parts.record_builder,
            parts.list_reader,
            parts.tracker,
        )
        self._late: list[Record] = []
        self._records = self._events = self._filtered_out = self._deleted = 0

    @property
    def requests(self) -> int:
        """Return how many requests the list, and the rows by id, have cost so far."""
        by_id = (self._parts.details, self._parts.hinted_rows)
        return self._list_reader.stats.pages + sum(one.request_count for one in by_id if one)

    def batches(self) -> Iterator[Batch]:
        """Yield what is to be emitted, and then move the state and say what was read and proved."""
        began = time.monotonic()
        try:
            for batch in self._batches():
                self._records += len(batch.records)
                self._events += len(batch.events)
                yield batch
            self._end(time.monotonic() - began)
        except BaseException:
            if self._tracker:
                self._tracker.close()
            raise

    def on_state_emitted(self) -> None:
        """Note that the state has been emitted."""
        if self._tracker:
            self._tracker.on_state_emitted()

    def _batches(self) -> Iterator[Batch]:
        rate = self._parts.client.settings.requests_per_second
        with Progress(self._resource.name, self._list_reader, lambda: self.requests, rate, self._logger):
            listed = self._list_reader.rows()
            if self._parts.hinted_rows:
                listed = yield from self._hinted(self._parts.hinted_rows, listed)
            pages = self._wanted(listed)
            for rows in self._parts.details.complete(pages) if self._parts.details else pages:
                yield self._batch(rows)
                yield from self._late_events()
            yield from self._late_events()
            if self._tracker and self._parts.delete_detector:
                yield from self._delete_batches(self._tracker, self._parts.delete_detector)

    def _hinted(self, hints: HintedRows, listed: Iterator[list[Row]]) -> Generator[Batch, None, Iterator[list[Row]]]:
        """Yield the rows that webhooks named, as the list shows rows, unless details are wanted; return the list."""
        hints.read()
        first = next(listed, [])
        hints.restrict_to(self._parts.filters.matches, columns=None if self._parts.details else {*chain(*first)})
        for rows in hints.rows():
            yield self._batch(rows)
        return chain([first] if first else [], listed)

    def _wanted(self, listed: Iterator[list[Row]]) -> Iterator[list[Row]]:
        """Yield the rows that become records: new ones that fit the filters, and were not emitted as hints."""
        for rows in listed:
            wanted: list[Row] = []
            others: list[Row] = []
            for row in rows:
                if self._parts.hinted_rows and self._parts.hinted_rows.covers(row):
                    continue
                is_wanted = self._is_new(row) and self._parts.filters.matches(row)
                (wanted if is_wanted else others).append(row)
            self._look_at(others)
            if wanted:
                yield wanted

    def _is_new(self, row: Row) -> bool:
        is_news = self._tracker is not None and self._list_reader.reads_full_list and self._tracker.is_unknown(row)
        return self._list_reader.is_changed_since_bookmark(row) or is_news

    def _look_at(self, rows: list[Row]) -> None:
        """Remember what is needed of rows that become no records, and note what the old ones among them show."""
        silent: list[Row] = []
        telling: list[Row] = []
        for row in rows:
            fits, is_new = self._parts.filters.matches(row), self._list_reader.is_changed_since_bookmark(row)
            self._filtered_out += is_new and not fits
            if fits and self._tracker and self._tracker.needs_full_comparison:
                telling.append(row)
            elif self._tracker and self._tracker.tracks_changes and (is_new or self._tracker.needs_full_comparison):
                silent.append(row)
        if self._tracker and silent:
            self._tracker.observe([self._record_builder.shape(row) for row in silent], store_only=True)
        if self._tracker and telling:
            self._late += self._taken(self._tracker, telling).events

    def _batch(self, rows: list[Row]) -> Batch:
        if self._tracker:
            return self._taken(self._tracker, rows)
        return Batch([self._record_builder.add_derived(self._record_builder.shape(row), row) for row in rows])

    def _taken(self, memory: ChangeTracker, rows: list[Row]) -> Batch:
        """Take rows in as they are, before what is derived of them, which may change without them."""
        records = [self._record_builder.shape(row) for row in rows]
        found = memory.observe(records)
        for record, row in zip(records, rows, strict=True):
            self._record_builder.add_derived(record, row)
        return Batch(records, found)

    def _late_events(self) -> Iterator[Batch]:
        late, self._late = self._late, []
        if late:
            yield Batch([], late)

    def _delete_batches(self, memory: ChangeTracker, sweep: DeleteDetector) -> Iterator[Batch]:
        try:
            for records, found in memory.find_deleted(sweep, self._list_reader):
                self._deleted += len(records)
                yield Batch(records, found)
        except SafetyLimitReached as error:
            self._logger.error("%s", error)  # noqa: TRY400  it is foreseen
            self.delete_limit_error = error

    def _end(self, seconds: float) -> None:
        tally = self._list_reader.stats
        name = self._resource.name
        for note in [*tally.notes, *self._record_builder.warnings()]:
            self._logger.warning("%s: %s", name, note)
        counted = "unknown" if tally.server_count is None else tally.server_count
        self._logger.info(
            "%s: records=%d pages=%d counted=%s repeats=%d %sseconds=%.1f %s",
            *(
                name,
                self._records,
                tally.pages,
                counted,
                tally.duplicates,
                self._more_figures(),
                seconds,
                tally.verdict,
            ),
        )
        if tally.vanished_parents:
            self._logger.info("%s: %d of the parents were deleted while they were read", name, tally.vanished_parents)
        if tally.verdict != "complete" and self._parts.read_options.check_completeness:
            self._say_unproved()
        else:
            self._move_state()
        if self._parts.hinted_rows:
            self._state.update(self._parts.hinted_rows.next_state())
        if self._tracker:
            self._tracker.commit(is_full_list=self._list_reader.reads_full_list and tally.verdict != "incomplete")
            self._state["snapshot"] = self._tracker.generation

    def _more_figures(self) -> str:
        details, memory = self._parts.details, self._tracker
        figures = {
            "in_vain": self._filtered_out if self._parts.filters.tests else None,
            "details": details.request_count if details else None,
            "hinted": self._parts.hinted_rows.request_count if self._parts.hinted_rows else None,
            "deleted": self._deleted if self._parts.delete_detector else None,
            "events": self._events if memory and memory.tracks_changes else None,
        }
        return "".join(f"{name}={value} " for name, value in figures.items() if value is not None)

    def _move_state(self) -> None:
        """Say where the next run goes on; `events` that this one kept the contents of all that it read.

        What does not hold any more becomes null: a runner that merges states would keep a key that is only left out.
        """
        has_events = True if self._tracker and self._tracker.tracks_changes else None
        more = {"filters": self._parts.filters.digest, "events": has_events}
        self._state.update(self._list_reader.next_state())
        self._state.update({name: one for name, one in more.items() if one is not None or name in self._state})

    def _say_unproved(self) -> None:
        tally = self._list_reader.stats
        counted = "does not count them" if tally.server_count is None else f"counts {tally.server_count}"
        error = IncompleteRead(
            f"Stream {self._resource.name} is {tally.verdict}: {tally.records} rows were read, the server {counted}.",
            where=f"GET {self._resource.path} · {tally.pages} pages",
            hint="run again; the bookmark was not moved. Setting completeness decides whether the run fails",
        )
        if self._parts.must_be_complete:
            raise error
        self._logger.warning("%s", error)
