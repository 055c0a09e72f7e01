"""One run of the target: what its streams share, and the way of a record through it."""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from fieldpulse_api.errors import ConfigError, RecordError, RecordInvalid, UncertainWrite
from fieldpulse_api.resources.catalogue import WRITABLE
from fieldpulse_api.resources.model import WritableResource
from target_fieldpulse.message_reader import RecordFault
from target_fieldpulse.planning.guard_buffer import Held
from target_fieldpulse.planning.plan import Plan
from target_fieldpulse.records.parsed_record import key_or_empty
from target_fieldpulse.reporting.audit import WRITTEN_OUTCOMES
from target_fieldpulse.reporting.outcomes import Outcome, Outcomes, WriteResult
from target_fieldpulse.reporting.private_files import check_writable
from target_fieldpulse.reporting.report import RunTimer, closing_line, summary_table, write_report

from .keyed_executor import KeyedExecutor
from .ordering_keys import keys_read, keys_written
from .state_queue import State, StateQueue
from .wiring import Parts

_LOGGER = logging.getLogger(__name__)
_MAX_SHUTDOWN_SECONDS = 20.0  # what a stopped run gives its requests under way

Record = dict[str, Any]
Schema = Mapping[str, Any]


class RunStopped(Exception):
    """The run was stopped while the outcome of a create was being found out."""


class TargetRun:
    """Take records in, write them side by side, and let states out behind them. A dry run lets none out."""

    def __init__(self, config: Mapping[str, Any], emit: Callable[[State], None]) -> None:
        self._stopped = threading.Event()
        self._parts = Parts(config, wait=self._stopped.wait)
        self._guards = self._parts.guards
        self._config, self._is_dry = config, config["dry_run"]
        self._report_path = _report_path(config)
        self._timer = RunTimer()
        if config.get("plan_path") and not self._is_dry:
            _LOGGER.warning("plan_path has an effect only with dry_run: this run writes")
        self._emit_state = emit
        self._outcomes = Outcomes(config["rejects_path"])
        self._states = StateQueue(self._write_state)
        self._executor = KeyedExecutor(math.ceil(self._parts.settings.requests_per_second), self._stopped)
        self._guard_buffer: Held | None = Held() if self._guards and not self._is_dry else None
        self._prepared: set[str] = set()
        self._fatal: BaseException | None = None

    def prepare(self, resource: WritableResource) -> None:
        """Get ready to write a stream: which account this is, and what earlier runs left in doubt."""
        self._parts.open()
        if self._is_dry:
            return
        named = {one.stream for one in resource.write_spec.references} & self._parts.rules.create_missing_references
        for one in (WRITABLE[stream] for stream in sorted({resource.name, *named} - self._prepared)):
            self._prepared.add(one.name)  # a SCHEMA may come again, while creates are under way
            self._parts.ledger.lock_stream(one.name)
            if not one.write_spec.target_resource:
                self._parts.doubts.settle_all(one)

    def submit(
        self, resource: WritableResource, schema: Schema, record: Record, fault: RecordFault | None = None
    ) -> None:
        """Read one record; this waits while too many are under way. One with a fault is rejected.

        Raises: what ended the run.
        """
        self.raise_if_failed()
        self._outcomes.count_read(resource.name)
        ticket = self._states.open_ticket()
        if fault:
            self._reject(resource, schema, record, fault)
            self._states.close_ticket(ticket)
            return
        if self._guard_buffer is None:
            self._start(resource, schema, record, ticket)
            return
        self._count_planned(resource, record)
        if self._guard_buffer.put(lambda: self._start(resource, schema, record, ticket)):
            self._release_buffered()

    def skip(self, stream: str) -> None:
        """Count a record that is not to be written."""
        self._outcomes.count_read(stream)
        self._outcomes.count_outcome(stream, "skipped")

    def queue_state(self, state: State) -> None:
        """Take in a state."""
        self._states.append(state)

    def raise_if_failed(self) -> None:
        """Raise what ended the run, if anything did."""
        if self._fatal:
            raise self._fatal

    def finish(self, *, is_stopped: bool = False) -> None:
        """Wait for all writes; in a run that was stopped, only for those under way, and not for ever."""
        if is_stopped:
            self._stopped.set()
        else:
            self._release_buffered()
        self._executor.finish(_MAX_SHUTDOWN_SECONDS if is_stopped else None)

    def close(self, status: int | None = None) -> int:
        """Close everything, say the last line, write the report, and return the exit status.

        `status` is that of what ended the run; without it the outcomes decide.
        """
        counts = self._outcomes.close()
        is_clean = status is None
        if status is None:
            is_bad = self._outcomes["uncertain"] or (self._outcomes["rejected"] and self._config["on_reject"] == "fail")
            status = 1 if is_bad else 0
        self._parts.close(is_clean=is_clean)
        for line in summary_table(counts):
            _LOGGER.info("%s", line)
        _LOGGER.info("%s", closing_line(counts))
        if self._report_path:
            try:
                write_report(self._report_path, self._report(counts, status))
            except OSError as error:  # how the run ended is not for its report to say
                _LOGGER.warning("The report cannot be written (%s): setting report_path", error.strerror)
        return status

    def _report(self, counts: Mapping[str, Mapping[str, int]], status: int) -> Record:
        parts = self._parts
        return {
            "run": parts.audit.run_id if parts.is_open else None,
            **self._timer.facts(),
            "account": parts.ledger.account if parts.is_open else None,
            "dry_run": self._is_dry,
            "exit_status": status,
            "requests": parts.client.request_count if parts.is_open else 0,
            "rejects_path": self._config["rejects_path"],
            "streams": counts,
        }

    def _count_planned(self, resource: WritableResource, record: Record) -> None:
        """Count what a record will do, before anything is sent. Raises: GuardStopped when it would be too much."""
        try:
            plan = self._parts.planner.plan(resource, record)
        except RecordError:  # it will be again when its turn comes
            return
        if plan.writes:
            for one in plan.rows_to_create:
                if self._parts.forecast.add_row(one)[1]:
                    self._guards.count("create", one.stream)
            self._guards.count(plan.action, plan.ledger_key.stream)
            self._parts.forecast.apply(plan)

    def _release_buffered(self) -> None:
        """Begin to write what was held: the plan is within the guards, or too long to be known."""
        held, self._guard_buffer = self._guard_buffer, None
        if held:
            self._guards.reset()
            self._parts.forecast.clear()
            for start in held.take():
                self.raise_if_failed()
                start()

    def _start(self, resource: WritableResource, schema: Schema, record: Record, ticket: int) -> None:
        write = resource.write_spec
        match = self._parts.rules.match_sets_of(resource)
        self._executor.submit(
            lambda: self._work(resource, schema, record, ticket),
            writes=keys_written(resource.name, write, record, match, self._parts.wire),
            after=keys_read(write, record),
        )

    def _work(self, resource: WritableResource, schema: Schema, record: Record, ticket: int) -> None:
        stream = resource.name
        try:
            with self._outcomes.in_progress(stream):
                self._outcomes.count_outcome(stream, self._write(resource, schema, record))
            self._states.close_ticket(ticket)
        except RunStopped:
            self._outcomes.count_outcome(
                stream, "uncertain"
            )  # the ledger has it; its ticket stays open: no state passes it
        except BaseException as error:  # noqa: BLE001  whatever it is ends the run instead of vanishing in a thread
            self._fatal = self._fatal or error
            self._stopped.set()

    def _write(self, resource: WritableResource, schema: Schema, record: Record) -> Outcome:
        plan, audit = None, self._parts.audit
        try:
            audit.start_record()
            plan = self._parts.planner.plan(resource, record)
            audit.start_record()  # look-ups are everybody's
            done = self._execute(plan)
        except (RecordError, UncertainWrite) as error:
            done = self._record_refusal(resource, schema, record, error)
        if done.outcome not in WRITTEN_OUTCOMES:
            audit.append(
                plan.ledger_key if plan else key_or_empty(resource.name, record),
                plan.action if plan else "none",
                done,
            )
        return done.outcome

    def _reject(self, resource: WritableResource, schema: Schema, record: Record, fault: RecordFault) -> None:
        error = RecordInvalid(f"the record has {fault.reason}", where="input", hint="correct the record at its source")
        done = self._record_refusal(resource, schema, record, error, line=fault.line)
        self._outcomes.count_outcome(resource.name, done.outcome)
        self._parts.audit.append(key_or_empty(resource.name, record), "none", done)

    def _execute(self, plan: Plan) -> WriteResult:
        if not self._is_dry:  # it shows what a guard would stop
            self._guards.count(plan.action, plan.ledger_key.stream)
        return self._parts.writer.execute(plan)

    def _record_refusal(
        self,
        resource: WritableResource,
        schema: Schema,
        record: Record,
        error: RecordError | UncertainWrite,
        *,
        line: str | None = None,
    ) -> WriteResult:
        if isinstance(error, UncertainWrite) and self._stopped.is_set():
            raise RunStopped from None
        if not self._is_dry:
            self._outcomes.reject(resource.name, schema, line or record, error)
        outcome: Outcome = "uncertain" if isinstance(error, UncertainWrite) else "rejected"
        _LOGGER.warning(
            "%s: %s %s: %s", outcome, resource.name, key_or_empty(resource.name, record).redacted, error.one_line
        )
        return WriteResult(outcome)

    def _write_state(self, state: State) -> None:
        """Emit a state, once what is behind it stands in the audit."""
        if not self._is_dry:
            if self._parts.is_open:  # nothing was read of a stream that is written if not
                self._parts.audit.flush()
            self._emit_state(state)


def _report_path(config: Mapping[str, Any]) -> Path | None:
    """Return where the report goes. Raises: BadSetting where it cannot, before anything is written."""
    if not config.get("report_path"):
        return None
    path = Path(config["report_path"])
    check_writable(path, "report_path")
    if path.resolve() in {Path(config[name]).resolve() for name in ("rejects_path", "plan_path") if config.get(name)}:
        what = "The report would be written over another file of the run."
        raise ConfigError(what, where=f"setting report_path · {path}", hint="give it a path of its own")
    return path
