"""The writing of one record: from its plan to its outcome, and to the ticket that lets STATEs pass."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Protocol

from fieldpulse_api.errors import (
    FieldPulseError,
    RecordError,
    ReferenceNotFound,
    RowNotFound,
    ServerError,
    UncertainWrite,
)
from target_fieldpulse.planning.plan import Plan
from target_fieldpulse.records.ledger_key import KeyKind, LedgerKey
from target_fieldpulse.records.parsed_record import ROW_NUMBER, ParsedRecord
from target_fieldpulse.reporting.audit import OUTCOMES_IN_LEDGER
from target_fieldpulse.reporting.open_rejects import SETTLED
from target_fieldpulse.reporting.outcomes import Outcome, Outcomes, WriteResult
from target_fieldpulse.reporting.rejects_lines import content_of_record
from target_fieldpulse.reporting.value_counts import ValueCounts

from .server_failures import ServerFailures
from .state_queue import StateQueue
from .unwritten_records import UnwrittenRecords
from .waiting_records import Submission, WaitingRecords
from .wiring import RunServices

_LOGGER = logging.getLogger(__name__)


class RunStopped(Exception):
    """The run was stopped before the outcome of a write was known."""


class RecordObserver(Protocol):
    """What another program learns of each record. Called by the threads that write records."""

    def planned(self, plan: Plan, services: RunServices) -> None:
        """Look at a plan before it is executed. Any error but a RecordError ends the run: nothing is sent."""

    def ended(self, result: WriteResult, error: FieldPulseError | None) -> None:
        """Learn the outcome of a record, and why it was not written."""


class RecordWriter:
    """Writes records. May be used by many threads.

    The ticket of a record is closed once it is written, or safe in the rejects file. Until then no STATE passes it.
    """

    def __init__(
        self,
        services: Callable[[], RunServices],
        *,
        waiting: WaitingRecords,
        unwritten: UnwrittenRecords,
        server_failures: ServerFailures,
        states: StateQueue,
        outcomes: Outcomes,
        value_counts: ValueCounts,
        stopped: threading.Event,
        observer: RecordObserver | None = None,
    ) -> None:
        self._observer = observer
        self._services, self._waiting, self._unwritten = services, waiting, unwritten
        self._server_failures, self._states, self._stopped = server_failures, states, stopped
        self._outcomes, self._value_counts = outcomes, value_counts

    def write(self, submission: Submission) -> None:
        """Write a record, or let it wait.

        Raises: RunStopped if the run was stopped before the outcome was known; any error that ends the run.
        """
        services, plan = self._services(), None
        try:
            services.audit.start_record()
            plan = self._waiting.attempt(submission, lambda record: submission.plan or services.planner.plan(record))
            if plan is None:
                self._states.hold(submission.ticket)
                return
            services.audit.start_record()  # look-ups are shared: their requests belong to no record
            result = self._execute(services, submission.record, plan)
            self._report_dropped(submission, plan)
        except ReferenceNotFound as error:
            self._reject(submission, self._unwritten.with_cause(error), plan)
        except (RecordError, UncertainWrite) as error:
            self._reject(submission, error, plan)
        except ServerError as error:
            if plan is None:  # a list cannot be read: every record needs it
                raise
            self._fail(submission, error, plan)
        else:
            self._outcomes.count_outcome(submission.stream, result.outcome)
            self._audit(submission, result, plan)
            if self._observer:
                self._observer.ended(result, None)
            if result.outcome in SETTLED:
                self._close_rejects(submission, plan)
            self._states.close_ticket(submission.ticket)
            if result.outcome in OUTCOMES_IN_LEDGER:
                self._server_failures.settle()

    def _execute(self, services: RunServices, record: ParsedRecord, plan: Plan) -> WriteResult:
        """Execute a plan, or if the row of the record's key is gone, that of the row that matches instead."""
        try:
            return self._execute_plan(services, plan)
        except RowNotFound:
            is_by_key = plan.ledger_key.kind is KeyKind.EXTERNAL_ID and record.row_id is None
            if plan.action != "update" or not is_by_key:
                raise
            return self._execute_plan(services, services.planner.plan_survivor(record, plan))

    def _execute_plan(self, services: RunServices, plan: Plan) -> WriteResult:
        if self._observer:
            self._observer.planned(plan, services)
        return services.executor.execute(plan)

    def _report_dropped(self, submission: Submission, plan: Plan) -> None:
        """Count and name the values of a written record that were left out."""
        if plan.dropped:
            self._value_counts.add_dropped(submission.stream, plan.dropped)
            reasons = "; ".join(plan.dropped.values())
            _LOGGER.warning("left out: %s %s: %s", submission.stream, submission.record.key.redacted, reasons)

    def _audit(
        self, submission: Submission, result: WriteResult, plan: Plan | None, error: FieldPulseError | None = None
    ) -> None:
        if result.outcome not in OUTCOMES_IN_LEDGER:
            key, action = (plan.ledger_key, plan.action) if plan else (submission.record.key, "none")
            self._services().audit.append(key, action, result, error.one_line if error else None)

    def _reject(self, submission: Submission, error: RecordError | UncertainWrite, plan: Plan | None) -> None:
        if isinstance(error, UncertainWrite) and self._stopped.is_set():
            raise RunStopped from None
        _add_row_number(error, submission.record)
        outcome: Outcome = "uncertain" if isinstance(error, UncertainWrite) else "rejected"
        rejected_at = time.time()
        self._store(submission, outcome, error, plan, rejected_at=rejected_at)
        self._note_unwritten(submission, outcome, error, plan, rejected_at=rejected_at)
        self._states.close_ticket(submission.ticket)

    def _fail(self, submission: Submission, error: ServerError, plan: Plan) -> None:
        """Count a record for which the server failed. It is stored once another record proves that the server is up.

        Raises: ServerError if too many records fail.
        """
        _add_row_number(error, submission.record)
        entry = self._services().ledger.find(plan.ledger_key)
        outcome: Outcome = "uncertain" if entry and entry.status == "pending" else "failed"
        rejected_at = time.time()

        def settle() -> None:
            self._store(submission, outcome, error, plan, rejected_at=rejected_at)
            self._states.close_ticket(submission.ticket)

        self._note_unwritten(submission, outcome, error, plan, rejected_at=rejected_at)
        self._server_failures.append(error, settle)

    def _store(
        self, submission: Submission, outcome: Outcome, error: FieldPulseError, plan: Plan | None, *, rejected_at: float
    ) -> None:
        """Store a record in the rejects file, and then its entry."""
        record = submission.record
        key = plan.ledger_key if plan and not record.key.value else record.key
        content = self._unwritten.append(submission, outcome, error, rejected_at=rejected_at)
        self._services().rejects.add(
            key, content, outcome, error.one_line, rejected_at=record.rejected_at or rejected_at
        )

    def _close_rejects(self, submission: Submission, plan: Plan) -> None:
        """Close what waits for a record that was written: older rejects of its key, or of the same record."""
        record = submission.record
        self._services().rejects.close_key(
            {record.key, plan.ledger_key, LedgerKey(record.key.stream, KeyKind.EXTERNAL_ID, "")},
            lambda: content_of_record(submission.schema_message["stream"], record.values),
            record.rejected_at or time.time(),
        )

    def _note_unwritten(
        self, submission: Submission, outcome: Outcome, error: FieldPulseError, plan: Plan | None, *, rejected_at: float
    ) -> None:
        """Count and audit a record that was not written, and note in the ledger that the row of its key is outdated."""
        self._outcomes.count_outcome(submission.stream, outcome)
        self._audit(submission, WriteResult(outcome), plan, error)
        if self._observer:
            self._observer.ended(WriteResult(outcome), error)
        if not self._unwritten.is_dry:
            key = plan.ledger_key if plan else submission.record.key
            is_row_certain = outcome == "rejected"
            self._services().ledger.mark_outdated(key, rejected_at=rejected_at, is_row_certain=is_row_certain)


def _add_row_number(error: FieldPulseError, record: ParsedRecord) -> None:
    """Add to an error in which row of a person's file its record is."""
    row = record.values.get(ROW_NUMBER)
    if row is not None:
        error.where = f"row {row} · {error.where}"
