"""One run of the target: the way of each record from its sink to the executor, and of each STATE behind it."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

from fieldpulse_api.errors import (
    ConfigError,
    RecordError,
    ReferenceNotFound,
    RowNotFound,
    ServerError,
    UncertainWrite,
)
from fieldpulse_api.http.client import Client
from fieldpulse_api.resources.catalogue import WRITABLE
from fieldpulse_api.resources.model import WritableResource
from fieldpulse_plugin.progress import Progress
from target_fieldpulse.planning.plan import Plan
from target_fieldpulse.planning.safety_limits import LimitBuffer, SafetyLimits
from target_fieldpulse.records.field_codec import FieldCodec
from target_fieldpulse.records.ledger_key import KeyKind, LedgerKey
from target_fieldpulse.records.parsed_record import ParsedRecord, RecordParser, times_without_zone
from target_fieldpulse.reporting.audit import OUTCOMES_IN_LEDGER
from target_fieldpulse.reporting.outcomes import Outcome, Outcomes, WriteResult
from target_fieldpulse.reporting.private_files import check_writable
from target_fieldpulse.reporting.rejects_file import RejectsFile
from target_fieldpulse.reporting.report import RunTimer, closing_line, replay_hint, summary_table, write_report
from target_fieldpulse.reporting.value_counts import ValueCounts
from target_fieldpulse.settings import TargetSettings
from target_fieldpulse.writing.services import Waiter

from .keyed_executor import KeyedExecutor, OrderingKey
from .ordering_keys import keys_read, keys_written
from .server_failures import ServerFailures
from .state_queue import State, StateQueue
from .unwritten_records import UnwrittenRecords
from .waiting_records import SchemaMessage, Submission, WaitingRecords
from .wiring import ClientFactory, RunServices, build_services

_LOGGER = logging.getLogger(__name__)
_MAX_SHUTDOWN_SECONDS = 20.0  # for the requests in flight when the run is stopped

Record = dict[str, Any]


class RunStopped(Exception):
    """The run was stopped before the outcome of a write was known."""


class TargetRun:
    """One run. Its methods are called by the thread that reads the input; records are written by a pool of threads.

    A dry run shows what would be written, and emits no STATE. A run that gets no SCHEMA sends no request.
    """

    def __init__(
        self, settings: TargetSettings, emit: Callable[[State], None], *, client_factory: ClientFactory = Client
    ) -> None:
        """Check the paths of all files, before anything is read. Raises: ConfigError."""
        self._settings, self._policy, self._is_dry = settings, settings.policy, settings.dry_run
        self._emit_state, self._client_factory = emit, client_factory
        self._codec = FieldCodec(settings.record_zone, settings.phone_region, api_zone=settings.zone)
        self._safety_limits = SafetyLimits(settings.limits, self._row_count)
        _check_report_path(settings)
        self._rejects = RejectsFile(settings.rejects_path)
        if settings.plan_path and not self._is_dry:
            _LOGGER.warning("plan_path has an effect only with dry_run: this run writes")
        self._timer = RunTimer()
        self._stopped = threading.Event()
        self._outcomes, self._value_counts = Outcomes(), ValueCounts()
        self._states = StateQueue(self._write_state)
        self._pool = KeyedExecutor(math.ceil(settings.client_settings.requests_per_second), self._stopped)
        self._limit_buffer: LimitBuffer | None = LimitBuffer() if self._safety_limits and not self._is_dry else None
        self._uncounted = WaitingRecords(self._keys_written, self._parse)
        self._waiting = WaitingRecords(self._keys_written, self._parse)
        self._unwritten = UnwrittenRecords(self._rejects, self._keys_written, is_dry=self._is_dry)
        self._server_failures = ServerFailures(settings.max_failed)
        self._prepared: set[str] = set()
        self._services: RunServices | None = None
        self._progress = ExitStack()
        self._error: BaseException | None = None

    def prepare(self, resource: WritableResource) -> None:
        """Lock a stream and settle what earlier runs left pending in it.

        Raises: RunLocked if another run writes the stream; ConfigError; what reading raises.
        """
        if self._services is None:
            self._services = build_services(
                self._settings,
                codec=self._codec,
                safety_limits=self._safety_limits,
                waiter=Waiter(self._stopped),
                client_factory=self._client_factory,
            )
            _LOGGER.info("times without a zone are in %s (setting timezone)", self._settings.record_zone)
            client, rate = self._services.client, self._settings.client_settings.requests_per_second
            self._progress.enter_context(
                Progress("target-fieldpulse", self._outcomes, lambda: client.request_count, rate, _LOGGER)
            )
        if self._is_dry:
            return
        referenced = {reference.stream for reference in resource.write_spec.references}
        streams = {resource.name} | (referenced & self._policy.create_missing_references)
        for stream in sorted(streams - self._prepared):  # a SCHEMA may be repeated while creates are in flight
            self._prepared.add(stream)
            self._services.runs.start(stream)
            if not WRITABLE[stream].write_spec.target_resource:
                self._services.uncertain_creates.settle_all(WRITABLE[stream])

    def record_parser(self, resource: WritableResource) -> RecordParser:
        """Return the parser for the records of a stream."""
        return self._policy.record_parser(resource, self._codec)

    def submit(self, record: ParsedRecord, schema_message: SchemaMessage) -> None:
        """Accept one record; block while too many are in flight.

        Raises: the error that ended the run.
        """
        self.raise_if_failed()
        self._outcomes.count_read(record.resource.name)
        self._value_counts.add_times(record.resource.name, times_without_zone(record))
        submission = Submission(record, schema_message, self._states.open_ticket())
        if self._limit_buffer is None:
            self._start(submission)
        else:
            self._count_planned(submission)
            if self._limit_buffer.append(lambda: self._start(submission)):
                self._release_buffered()

    def reject(
        self,
        stream: str,
        error: RecordError,
        *,
        schema_message: SchemaMessage,
        record: Record | str,
        rejected_at: float | None,
    ) -> None:
        """Reject a record of the input, or the line of one, that was not mapped. It is stored as it came."""
        self._outcomes.count_read(stream)
        if not self._is_dry:
            self._rejects.append(schema_message, record, error.one_line, rejected_at=rejected_at or time.time())
        self._outcomes.count_outcome(stream, "rejected")
        key = LedgerKey(stream, KeyKind.EXTERNAL_ID, "")
        self._open_services.audit.append(key, "none", WriteResult("rejected"))

    def skip(self, stream: str) -> None:
        """Count a record that is not to be written."""
        self._outcomes.count_read(stream)
        self._outcomes.count_outcome(stream, "skipped")

    def queue_state(self, state: State) -> None:
        """Queue a state behind the records that were submitted before it."""
        self._states.append(state)

    def raise_if_failed(self) -> None:
        """Raise the error that ended the run, if there was one."""
        if self._error:
            raise self._error

    def finish(self, *, is_stopped: bool = False) -> None:
        """Wait for all writes; if the run was stopped, only for those in flight, and for a limited time."""
        if is_stopped:
            self._stopped.set()
        else:
            self._release_buffered()
            self._pool.wait()
            self._waiting.retry(self._start_again, self._pool.wait)
            self.raise_if_failed()
            self._server_failures.raise_if_unsettled()
            self._states.release()
        self._pool.finish(_MAX_SHUTDOWN_SECONDS if is_stopped else None)

    def close(self, status: int | None = None) -> int:
        """Close all services, log the summary, write the report, and return the exit status.

        `status` is the exit status of the error that ended the run; without an error the outcomes decide.
        """
        self._progress.close()
        self._rejects.close()
        self._uncounted.close()
        self._waiting.close()
        counts = self._outcomes.close()
        if self._services:
            if status is None:
                self._services.runs.end()
            self._services.close()
        if status is None:
            rejected = self._outcomes["rejected"] if self._settings.fail_on_reject else 0
            status = 1 if self._outcomes["uncertain"] or self._outcomes["failed"] or rejected else 0
        for line in (*self._value_counts.lines(self._settings.record_zone), *summary_table(counts)):
            _LOGGER.info("%s", line)
        waiting = self._rejects.count()
        if waiting:
            _LOGGER.warning("%s", replay_hint(waiting, self._settings.rejects_path))
        _LOGGER.info("%s", closing_line(counts))
        if self._settings.report_path:
            try:
                write_report(self._settings.report_path, self._report(counts, status, waiting))
            except OSError as error:  # does not change how the run ended
                _LOGGER.warning("The report cannot be written (%s): setting report_path", error.strerror)
        return status

    @property
    def _open_services(self) -> RunServices:
        """Return the services. `prepare` has opened them before any record of a writable stream comes."""
        if self._services is None:
            raise RuntimeError
        return self._services

    def _row_count(self, stream: str) -> int:
        return self._open_services.ledger.row_count(stream)

    def _report(self, counts: Mapping[str, Mapping[str, int]], status: int, waiting: int) -> Record:
        services = self._services
        return {
            "run": services.audit.run_id if services else None,
            **self._timer.facts(),
            "account": services.ledger.account if services else None,
            "dry_run": self._is_dry,
            "exit_status": status,
            "requests": services.client.request_count if services else 0,
            "rejects_path": str(self._settings.rejects_path),
            "rejects_waiting": waiting,
            "streams": counts,
            "values": self._value_counts.facts(),
        }

    def _count_planned(self, submission: Submission) -> None:
        """Count what a record will do, before anything is sent. Raises: SafetyLimitReached.

        This plan is only counted. The record is planned again when it is written: by then the rows that it refers to
        have their real ids, or were rejected.
        """
        try:
            plan = self._uncounted.attempt(submission, self._open_services.planner.plan)
        except RecordError:  # it is rejected when it is written
            return
        if plan and plan.writes:
            for row in plan.rows_to_create:
                _, is_new = self._open_services.planned_state.add_row(row)
                if is_new:
                    self._safety_limits.count("create", row.stream)
            self._safety_limits.count(plan.action, plan.ledger_key.stream)
            self._open_services.planned_state.apply(plan)

    def _release_buffered(self) -> None:
        """Start the buffered records: they are within the limits, or more than the buffer holds."""
        buffer, self._limit_buffer = self._limit_buffer, None
        if buffer:
            self._uncounted.retry(self._count_planned, end_round=lambda: None)
            self._safety_limits.reset()
            if self._services:
                self._services.planned_state.clear()
            for start in buffer.drain():
                self.raise_if_failed()
                start()

    def _start(self, submission: Submission) -> None:
        """Hand a record to the pool, behind the earlier ones that touch the same rows."""
        record = submission.record
        self._pool.submit(
            lambda: self._work(submission),
            writes=self._keys_written(record),
            after=keys_read(record.resource.write_spec, record.values),
        )

    def _start_again(self, submission: Submission) -> None:
        """Hand a record that has waited to the pool."""
        self.raise_if_failed()
        self._start(replace(submission, ticket=self._states.open_ticket()))

    def _keys_written(self, record: ParsedRecord) -> list[OrderingKey]:
        return keys_written(record, self._policy.match_sets_of(record.resource), self._codec)

    def _parse(self, stream: str, values: Mapping[str, Any]) -> ParsedRecord:
        return self.record_parser(WRITABLE[stream]).parse(values)

    def _work(self, submission: Submission) -> None:
        """Write a record, in a thread of the pool, and close its ticket if it is done with."""
        try:
            with self._outcomes.in_progress(submission.stream):
                self._write(submission)
        except RunStopped:  # the ledger has the pending create; the open ticket holds back every later STATE
            self._outcomes.count_outcome(submission.stream, "uncertain")
        except BaseException as error:  # noqa: BLE001  it ends the run, and must not vanish in a thread
            self._error = self._error or error
            self._stopped.set()

    def _write(self, submission: Submission) -> None:
        services, plan = self._open_services, None
        try:
            services.audit.start_record()
            plan = self._waiting.attempt(submission, services.planner.plan)
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
            self._end(submission, result, plan)
            if result.outcome in OUTCOMES_IN_LEDGER:
                self._server_failures.settle()

    def _execute(self, services: RunServices, record: ParsedRecord, plan: Plan) -> WriteResult:
        """Execute a plan, or if the row of the record's key is gone, that of the row that matches instead."""
        try:
            return services.executor.execute(plan)
        except RowNotFound:
            is_by_key = plan.ledger_key.kind is KeyKind.EXTERNAL_ID and record.row_id is None
            if plan.action != "update" or not is_by_key:
                raise
            return services.executor.execute(services.planner.plan_survivor(record, plan))

    def _report_dropped(self, submission: Submission, plan: Plan) -> None:
        """Count and name the values of a written record that were left out."""
        if plan.dropped:
            self._value_counts.add_dropped(submission.stream, plan.dropped)
            reasons = "; ".join(plan.dropped.values())
            _LOGGER.warning("left out: %s %s: %s", submission.stream, submission.record.key.redacted, reasons)

    def _end(self, submission: Submission, result: WriteResult, plan: Plan | None) -> None:
        """Count and audit the outcome of a record, and close its ticket."""
        self._outcomes.count_outcome(submission.stream, result.outcome)
        self._audit(submission, result, plan)
        self._states.close_ticket(submission.ticket)

    def _audit(self, submission: Submission, result: WriteResult, plan: Plan | None) -> None:
        if result.outcome not in OUTCOMES_IN_LEDGER:
            key, action = (plan.ledger_key, plan.action) if plan else (submission.record.key, "none")
            self._open_services.audit.append(key, action, result)

    def _reject(self, submission: Submission, error: RecordError | UncertainWrite, plan: Plan | None) -> None:
        """Store a record that was not written in the rejects file."""
        if isinstance(error, UncertainWrite) and self._stopped.is_set():
            raise RunStopped from None
        outcome: Outcome = "uncertain" if isinstance(error, UncertainWrite) else "rejected"
        self._unwritten.append(submission, outcome, error)
        self._mark_outdated(submission, outcome, plan)
        self._end(submission, WriteResult(outcome), plan)

    def _mark_outdated(self, submission: Submission, outcome: Outcome, plan: Plan | None) -> None:
        """Note in the ledger that the last record of a key was not written."""
        if not self._is_dry:
            key = plan.ledger_key if plan else submission.record.key
            self._open_services.ledger.mark_outdated(key, is_row_certain=outcome == "rejected")

    def _fail(self, submission: Submission, error: ServerError, plan: Plan) -> None:
        """Count a record for which the server failed. It is stored once another record proves that the server is up.

        Raises: ServerError if too many records fail.
        """
        entry = self._open_services.ledger.find(plan.ledger_key)
        outcome: Outcome = "uncertain" if entry and entry.status == "pending" else "failed"
        failed_at = time.time()

        def settle() -> None:
            self._unwritten.append(submission, outcome, error, rejected_at=failed_at)
            self._mark_outdated(submission, outcome, plan)
            self._states.close_ticket(submission.ticket)

        self._outcomes.count_outcome(submission.stream, outcome)
        self._audit(submission, WriteResult(outcome), plan)
        self._server_failures.append(error, settle)

    def _write_state(self, state: State) -> None:
        """Emit a state, once the audit of the records before it is stored."""
        if not self._is_dry:
            if self._services:
                self._services.audit.flush()
            self._emit_state(state)


def _check_report_path(settings: TargetSettings) -> None:
    """Raise ConfigError if the report cannot be written, or would overwrite another file of the run."""
    path = settings.report_path
    if path is None:
        return
    check_writable(path, "report_path")
    others = {other.resolve() for other in (settings.rejects_path, settings.plan_path) if other}
    if path.resolve() in others:
        raise ConfigError(
            "The report would overwrite another file of the run.",
            where=f"setting report_path · {path}",
            hint="set a path of its own",
        )
