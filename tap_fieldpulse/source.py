"""One resource in one run: what becomes of each row that is read, and where the next run goes on."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from fieldpulse_api.client import Client
from fieldpulse_api.details import Details
from fieldpulse_api.errors import GuardStopped, Incomplete
from fieldpulse_api.filters import Filters
from fieldpulse_api.pages import Reading, Row
from fieldpulse_api.resource import Resource

from . import events
from .form import Form, Record
from .lists import List
from .progress import Progress
from .snapshot import StreamSnapshot
from .sweep import Sweep

State = dict[str, Any]


@dataclass(frozen=True)
class Batch:
    """What is emitted together: records of the stream, and the events that they show."""

    records: list[Record]
    events: list[Record] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Parts:
    """What a source is put together from. `snapshot` is there if deletes or events are looked for.

    `most_percent` of the known rows may be gone at once. `must_be_complete` makes it an error if the list
    was not proved so.
    """

    client: Client
    reading: Reading
    resource: Resource
    form: Form
    filters: Filters
    list: List
    details: Details | None
    snapshot: StreamSnapshot | None
    has_events: bool
    sweeps: bool
    most_percent: float
    must_be_complete: bool


class Source:
    """Read one resource, batch by batch; `state` is the stream's, and moves when the end was reached.

    `stopped` is the guard that stopped the sweep, if one did: the rest goes on.

    Raises: Incomplete, where the setting `completeness` wants it; what reading raises.
    """

    def __init__(self, parts: Parts, state: State, logger: logging.Logger) -> None:
        self.stopped: GuardStopped | None = None
        self._parts, self._state, self._logger = parts, state, logger
        self._resource, self._form, self._list, self._snapshot = parts.resource, parts.form, parts.list, parts.snapshot
        self._is_filling = parts.has_events and parts.snapshot is not None and not parts.snapshot.is_filled
        self._known = parts.snapshot.ids() if parts.snapshot and (parts.sweeps or parts.filters.tests) else set[int]()
        self._highest = max(self._known, default=0)
        self._others = tuple(set(re.findall(r"{(\w+)}", parts.resource.item_path or "")) - {parts.resource.key})
        self._records = self._events = self._in_vain = self._gone = 0

    @property
    def tally_pages(self) -> int:
        """Return how many list pages were asked for."""
        return self._list.tally.pages

    def batches(self) -> Iterator[Batch]:
        """Yield what is to be emitted, and then move the state and say what was read and proved."""
        began = time.monotonic()
        try:
            yield from self._batches()
            self._end(time.monotonic() - began)
        except BaseException:
            if self._snapshot:
                self._snapshot.close()
            raise

    def has_left(self) -> None:
        """Note that the state has been emitted."""
        if self._snapshot:
            self._snapshot.has_left()
            self._snapshot.close()

    def _batches(self) -> Iterator[Batch]:
        rate = self._parts.client.settings.requests_per_second
        with Progress(self._resource.name, self._list.unit, rate, self._logger) as progress:
            pages = self._wanted(progress)
            for rows in self._parts.details.complete(pages) if self._parts.details else pages:
                yield self._counted(self._batch(rows))
            if self._snapshot and self._parts.sweeps:
                for batch in self._deleted(self._snapshot):
                    yield self._counted(batch)

    def _wanted(self, progress: Progress) -> Iterator[list[Row]]:
        """Yield the rows that become records: new ones that fit the filters; the others are only remembered."""
        for rows in self._list.rows():
            new = [row for row in rows if self._list.is_new(row)]
            wanted = [row for row in new if self._parts.filters.fit(row)]
            self._in_vain += len(new) - len(wanted)
            if len(new) < len(rows):
                self._remember(row for row in rows if not self._list.is_new(row) and self._parts.filters.fit(row))
            progress.show(self._list.done, self._list.total, self._requests())
            if wanted:
                yield wanted

    def _requests(self) -> int:
        return self._list.tally.pages + (self._parts.details.requests if self._parts.details else 0)

    def _batch(self, rows: list[Row]) -> Batch:
        records = [self._form.shape(row) for row in rows]
        found = self._compare(records) if self._snapshot else []
        for record, row in zip(records, rows):  # noqa: B905  made as one
            self._form.complete(record, row)
            self._list.note(record)
        return Batch(records, found)

    def _counted(self, batch: Batch) -> Batch:
        self._records += len(batch.records)
        self._events += len(batch.events)
        return batch

    def _compare(self, records: list[Record]) -> list[Record]:
        """Take the records into the snapshot, and return the events between it and them; none while it is filled."""
        if self._snapshot is None:
            return []
        now = {int(record["id"]): self._kept(record) for record in records}
        before = self._snapshot.bodies(now)
        self._snapshot.put({one: body for one, body in now.items() if one not in before or before[one] != body})
        if self._is_filling or not self._parts.has_events:
            return []
        return [one for record in records for one in self._events_of(record, before)]

    def _events_of(self, record: Record, before: dict[int, bytes | None]) -> Iterator[Record]:
        identity = int(record["id"])
        changes = events.of_a_row(
            self._resource,
            before.get(identity),
            record,
            is_known=identity in before,
            is_new=not self._parts.filters.tests or identity > self._highest,
        )
        for change in changes:
            yield self._event(change, record)

    def _event(self, change: events.Change, record: Record) -> Record:
        generation = self._snapshot.generation if self._snapshot else 0
        return events.event(self._resource, change, record, generation=generation, now=datetime.now(timezone.utc))

    def _kept(self, record: Record) -> bytes | None:
        """Return what the snapshot keeps of a record: its contents for events, else what its path by id needs."""
        if self._parts.has_events:
            return events.pack(events.contents(record))
        return events.pack({name: record.get(name) for name in self._others}) if self._others else None

    def _remember(self, rows: Iterator[Row]) -> None:
        """Take rows into the snapshot that are too old to become records."""
        if self._snapshot and (self._is_filling or self._parts.sweeps):
            records = [self._form.shape(row) for row in rows if self._is_filling or int(row["id"]) not in self._known]
            self._snapshot.put({int(record["id"]): self._kept(record) for record in records})

    def _deleted(self, snapshot: StreamSnapshot) -> Iterator[Batch]:
        sweep = Sweep(self._parts.client, self._resource, self._parts.reading, self._logger)
        missing = sweep.missing(self._known, self._list)
        self.stopped = sweep.guard(len(missing), len(self._known), self._parts.most_percent)
        if self.stopped:
            return
        for gone in sweep.gone(missing, snapshot):
            now = datetime.now(timezone.utc)
            self._gone += len(gone)
            found = []
            if self._parts.has_events and not self._is_filling:
                found = [self._event(events.Change("deleted"), last) for last in gone]
            yield Batch([sweep.record(row, now) for row in gone], found)

    def _end(self, seconds: float) -> None:
        tally = self._list.tally
        for note in [*tally.notes, *self._form.notes()]:
            self._logger.warning("%s: %s", self._resource.name, note)
        self._logger.info(
            "%s: records=%d pages=%d counted=%s repeats=%d %sseconds=%.1f %s",
            self._resource.name,
            self._records,
            tally.pages,
            "unknown" if tally.counted is None else tally.counted,
            tally.repeats,
            self._more_figures(),
            seconds,
            tally.verdict,
        )
        if tally.vanished:
            self._logger.info(
                "%s: %d of the parents were deleted while they were read", self._resource.name, tally.vanished
            )
        if tally.verdict != "complete" and self._parts.reading.prove:
            self._say_unproved()
        else:
            self._move_state()
        if self._snapshot:
            is_filled = self._snapshot.is_filled or (self._list.is_whole and tally.verdict != "incomplete")
            self._snapshot.finish(is_filled=self._parts.has_events and is_filled)
            self._state["snapshot"] = self._snapshot.generation

    def _more_figures(self) -> str:
        details = self._parts.details
        figures = {
            "in_vain": self._in_vain if self._parts.filters.tests else None,
            "details": details.requests if details else None,
            "deleted": self._gone if self._parts.sweeps else None,
            "events": self._events if self._parts.has_events else None,
        }
        return "".join(f"{name}={value} " for name, value in figures.items() if value is not None)

    def _move_state(self) -> None:
        self._state.update(self._list.state())
        if self._parts.filters.digest:
            self._state["filters"] = self._parts.filters.digest
        else:
            self._state.pop("filters", None)

    def _say_unproved(self) -> None:
        tally = self._list.tally
        counted = "does not count them" if tally.counted is None else f"counts {tally.counted}"
        error = Incomplete(
            f"Stream {self._resource.name} is {tally.verdict}: {tally.records} rows were read, the server {counted}.",
            where=f"GET {self._resource.path} · {tally.pages} pages",
            do="run again; the bookmark was not moved. Setting completeness decides whether the run fails",
        )
        if self._parts.must_be_complete:
            raise error
        self._logger.warning("%s", error)
