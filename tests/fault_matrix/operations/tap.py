"""Operations of the tap: runs with and without faults, while people in the office change rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from fieldpulse_api.errors import IncompleteRead
from fieldpulse_api.resources.catalogue import BY_NAME
from fieldpulse_sandbox.sandbox import Sandbox
from tap_fieldpulse.changes.delete_detection import CANNOT_TELL
from tap_fieldpulse.changes.deleted_rows import DELETED_ROWS
from tests.fault_matrix.accounts import can_prove_completeness, hidden_columns
from tests.fault_matrix.event_history import EventHistory
from tests.fault_matrix.invariants import PassesFilter, Warehouse, names_unavailable_list, no_unexpected_error
from tests.fault_matrix.office import OfficeClock, Row, Rows, edit_rows, rows_of
from tests.fault_matrix.plugins import Message, run_tap
from tests.harness.results import RunResult

Config = dict[str, Any]
RunTap = Callable[[Config, Message | None], list[RunResult]]


@dataclass(frozen=True)
class ReadOperation:
    """One way to read.

    `after_first_run`: a run without faults comes before. `finds_deletes`: deleted rows are detected.
    `needs_update_times`: a changed row is read again only if its time, or its parent's, changed too.
    """

    streams: tuple[str, ...]
    config: Config = field(default_factory=dict)
    after_first_run: bool = False
    finds_deletes: bool = False
    needs_update_times: bool = False
    extra_streams: tuple[str, ...] = ()
    passes_filter: PassesFilter = lambda _stream, _row: True


def _is_lead(stream: str, row: Row) -> bool:
    return row["status"] == ("lead" if stream == "customers" else 1)


READ_OPERATIONS: dict[str, ReadOperation] = {
    "tap-full": ReadOperation(("customers", "jobs")),
    "tap-tables": ReadOperation(("users", "teams", "lead_sources", "job_statuses")),
    "tap-incremental": ReadOperation(("customers", "jobs"), after_first_run=True),
    "tap-busy": ReadOperation(("invoices", "payments"), {"pages_in_flight": 2}, after_first_run=True),
    "tap-children": ReadOperation(("customer_contacts",), {"contacts_full_refresh_days": 0}),
    "tap-children-again": ReadOperation(("customer_contacts",), after_first_run=True, needs_update_times=True),
    "tap-details": ReadOperation(("jobs",), {"detail_streams": ["jobs"]}, after_first_run=True),
    "tap-deletes": ReadOperation(
        ("customers", "jobs"),
        {"detect_deletes": True, "max_delete_percent": 100},
        after_first_run=True,
        finds_deletes=True,
        extra_streams=(DELETED_ROWS,),
    ),
    "tap-events": ReadOperation(
        ("customers", "jobs"),
        {"detect_deletes": True, "max_delete_percent": 100},
        after_first_run=True,
        finds_deletes=True,
        extra_streams=("change_events", DELETED_ROWS),
    ),
    "tap-filters": ReadOperation(
        ("customers", "jobs"),
        {"filters": {"customers": {"status": ["lead"]}, "jobs": {"status": [1]}}},
        after_first_run=True,
        passes_filter=_is_lead,
    ),
}


class TapCheck:
    """The check of one point of the tap."""

    def __init__(
        self, sandbox: Sandbox, clock: OfficeClock, reading: ReadOperation, random: Random, folder: Path
    ) -> None:
        self._box, self._clock, self._reading, self._random = sandbox, clock, reading, random
        self.config: Config = {
            "api_key": sandbox.key,
            "api_url": sandbox.url,
            "rate_limit_store": "memory",
            "requests_per_second": 50,
            "page_size": random.choice((3, 4, 5, 7, 10, 100)),
            "pages_in_flight": random.choice((1, 2, 16)),
            "lookback_seconds": 0,
            "completeness": random.choice(("warn", "fail")),
            "timezone": sandbox.behaviour.time_zone,
            "snapshot_url": f"sqlite:///{folder}/snapshot.db",
            **reading.config,
        }
        self.warehouse = Warehouse(reading.streams, reading.passes_filter, hidden_columns(sandbox.behaviour))
        self._histories = {
            name: EventHistory(name) for name in reading.streams if "change_events" in reading.extra_streams
        }

    def run(self, faulty: RunTap) -> Iterator[str]:
        """Run without faults, with faults, and twice without again, while rows change between the runs.

        Nothing changes before the last run: every row of each stream that was read must be there, whatever the verdict.
        """
        if self._reading.after_first_run:
            yield from self._read(self._run_without_faults, is_calm=True)
            self._office_works()
        yield from self._read(faulty)
        if self._random.random() < 0.7:
            self._office_works()
        yield from self._read(self._run_without_faults, is_calm=True)
        yield from self._read(self._run_without_faults, is_calm=True, is_last=True)

    def _office_works(self) -> None:
        self._clock.advance(self._random.choice((0, 1, 7)))
        edit_rows(self._box, self._random, self._reading.streams)
        self._clock.advance(self._random.choice((0, 1, 7)))

    def _run_without_faults(self, config: Config, state: Message | None) -> list[RunResult]:
        return [run_tap(config, *self._reading.streams, *self._reading.extra_streams, state=state)]

    def _rows(self) -> dict[str, Rows]:
        return {name: rows_of(self._box, name) for name in self._reading.streams}

    def _read(self, run: RunTap, *, is_calm: bool = False, is_last: bool = False) -> Iterator[str]:
        """Run, load what all runs at this time emitted, and check it. `is_calm`: there are no faults."""
        before = self._rows()
        results = run(self.config, self.warehouse.state)
        after = self._rows()
        for result in results:
            yield from self._check(result, before, after, is_calm=is_calm, is_last=is_last)

    def _check(
        self, result: RunResult, before: dict[str, Rows], after: dict[str, Rows], *, is_calm: bool, is_last: bool
    ) -> Iterator[str]:
        yield from no_unexpected_error(result)
        tokens = self._snapshot_generations()
        yield from self.warehouse.load(result, before, after)
        for name, history in self._histories.items():
            if self._snapshot_generations()[name] != tokens[name]:
                yield from self._check_events(history, name, result, before[name], after[name])
        if not is_calm:
            return
        behaviour = self._box.behaviour
        closed = [BY_NAME[name].path for name in self._reading.streams if name in behaviour.unavailable_resources]
        if closed:
            yield from names_unavailable_list(result, closed)
            return
        is_proved = set(result.verdicts.values()) == {"complete"} and not result.error
        if can_prove_completeness(behaviour) and not is_proved:
            yield f"nothing went wrong, and nothing was proved: {result.verdicts} {result.error}"
        if result.error and not (isinstance(result.error, IncompleteRead) and self.config["completeness"] == "fail"):
            yield f"nothing went wrong, and the run failed: {result.error}"
        if is_proved or (is_last and not behaviour.shuffle_unsorted):
            streams = [name for name in self._reading.streams if name in result.verdicts]
            yield from self.warehouse.differences(after, streams, exactly=is_proved and self._reading.finds_deletes)

    def _snapshot_generations(self) -> dict[str, int | None]:
        """Return the snapshot generation of each stream in the state. Events of other generations are emitted again."""
        bookmarks = (self.warehouse.state or {}).get("bookmarks", {})
        return {name: bookmarks.get(name, {}).get("snapshot") for name in self._reading.streams}

    def _check_events(
        self, history: EventHistory, name: str, result: RunResult, before: Rows, after: Rows
    ) -> Iterator[str]:
        """Apply the events of a run, and compare with the account if it did not change and was read whole."""
        events = [event for event in result.records["change_events"] if event["stream"] == name]
        if history.has_started:
            yield from history.apply(events)
        if result.verdicts.get(name) != "complete" or result.status or before != after:
            return
        if history.has_started:
            is_unsure = any(line.startswith(f"{name}: {CANNOT_TELL}") for line in result.log_lines)
            yield from history.differences(
                after, self.warehouse.columns_not_listed(name) | {"updated_at"}, exactly=not is_unsure
            )
        else:
            history.start_with(
                {row_id: record for row_id, record in self.warehouse.records[name].items() if row_id in after}
            )
