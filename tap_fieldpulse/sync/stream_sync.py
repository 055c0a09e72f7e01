"""One stream in one run: its batches, its result, and where the next run continues."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any

from fieldpulse_api.errors import IncompleteRead
from fieldpulse_api.values.scalars import iso_timestamp
from fieldpulse_plugin.exit_codes import reason_of
from fieldpulse_plugin.history.facts import now
from fieldpulse_plugin.progress import Progress
from tap_fieldpulse.settings import TapSettings

from .row_batches import Batch, RowBatches, StreamSyncParts
from .run_summary import RunSummary
from .sync_plan import SyncPlan, Tracking

State = dict[str, Any]


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
        self._row_batches = RowBatches(plan, parts, settings=settings, summary=summary, logger=logger)
        self._event_count = 0
        self._facts = summary.start_stream(self._name)

    @property
    def request_count(self) -> int:
        """Return the number of pages of the list and of rows by id that were read so far."""
        by_id = (self._parts.details, self._parts.hinted_rows)
        return self._list_reader.stats.pages + sum(part.request_count for part in by_id if part)

    def batches(self) -> Iterator[Batch]:
        """Yield what to emit, then move the state and log the result."""
        started_at = time.monotonic()
        rate = self._settings.client.requests_per_second if self._settings.client else 0
        progress = Progress(self._name, self._list_reader, lambda: self.request_count, rate, self._logger)
        try:
            with progress, closing(self._parts.rows):
                for batch in self._row_batches:
                    self._count(batch)
                    yield batch
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
        self._summary.add_stream(self._facts.records, stats.verdict, left_out=self._row_batches.left_out)

    def _figures(self) -> str:
        stats, details, hinted_rows = self._list_reader.stats, self._parts.details, self._parts.hinted_rows
        figures = {
            "records": self._facts.records,
            "pages": stats.pages,
            "server_count": "unknown" if stats.server_count is None else stats.server_count,
            "duplicates": stats.duplicates,
            "filtered_out": self._row_batches.filtered_out if self._parts.filters.tests else None,
            "left_out": self._row_batches.left_out,
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
