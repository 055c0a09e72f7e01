"""One run of the target: the way of each record from its sink to the executor, and of each STATE behind it."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

from fieldpulse_api.errors import RecordError
from fieldpulse_api.http.client import Client
from fieldpulse_api.http.traffic import TrafficFacts
from fieldpulse_api.resources.catalogue import WRITABLE
from fieldpulse_api.resources.model import WritableResource
from fieldpulse_api.values.strict_json import parse
from fieldpulse_plugin.exit_codes import SECONDS_TO_CLOSE
from fieldpulse_plugin.history.facts import RunFacts
from fieldpulse_plugin.progress import Progress
from fieldpulse_plugin.stores.private_files import check_distinct, check_writable, remove
from target_fieldpulse.planning.safety_limits import SafetyLimits
from target_fieldpulse.records.field_codec import FieldCodec
from target_fieldpulse.records.parsed_record import ParsedRecord, RecordParser, times_without_zone
from target_fieldpulse.reporting.outcomes import Outcomes, WriteResult
from target_fieldpulse.reporting.rejects_file import RejectsFile
from target_fieldpulse.reporting.rejects_lines import key_of_record
from target_fieldpulse.reporting.value_counts import ValueCounts
from target_fieldpulse.settings import TargetSettings
from target_fieldpulse.writing.services import Waiter

from .dispatcher import Dispatcher
from .ending import RunEnding
from .keyed_executor import KeyedExecutor, OrderingKey
from .limit_check import LimitCheck
from .ordering_keys import keys_written
from .record_writer import RecordObserver, RecordWriter, RunStopped
from .server_failures import ServerFailures
from .state_queue import State, StateQueue
from .unwritten_records import UnwrittenRecords
from .waiting_records import SchemaMessage, Submission, WaitingRecords
from .wiring import ClientFactory, RunServices, build_services

_LOGGER = logging.getLogger(__name__)

Record = dict[str, Any]


class TargetRun:
    """One run. Its methods are called by the thread that reads the input; records are written by a pool of threads.

    A dry run shows what would be written, and emits no STATE. A run that gets no SCHEMA sends no request.
    """

    def __init__(
        self,
        settings: TargetSettings,
        emit: Callable[[State], None],
        input_streams: AbstractSet[str],
        *,
        on_error: Callable[[BaseException], None] = lambda _: None,
        client_factory: ClientFactory = Client,
        observer: RecordObserver | None = None,
    ) -> None:
        """Check the paths of all files, before anything is read. Raises: ConfigError.

        `input_streams` are the streams of the input that stream maps rename, as far as they are known by now.
        `on_error` gets the error that ends the run, in the thread that met it. `observer` learns of each record.
        """
        self._input_streams = input_streams
        self._settings, self._policy, self._is_dry = settings, settings.policy, settings.dry_run
        self._emit_state, self._on_error, self._client_factory = emit, on_error, client_factory
        self._codec = FieldCodec(settings.record_zone, settings.phone_region, api_zone=settings.zone)
        self._safety_limits = SafetyLimits(settings.limits, self._row_count)
        check_distinct(settings.files)
        if settings.report_path:
            check_writable(settings.report_path, "report_path")
        self._rejects = RejectsFile(settings.rejects_path_of_run)
        if self._is_dry:
            remove(settings.rejects_path_of_run, "rejects_path")
        if settings.plan_path and not self._is_dry:
            _LOGGER.warning("plan_path has an effect only with dry_run: this run writes")
        self._stopped = threading.Event()
        self._outcomes, self._value_counts = Outcomes(), ValueCounts()
        self._ending = RunEnding(settings, self._outcomes, self._value_counts, is_observed=observer is not None)
        self._states = StateQueue(self._write_state)
        self._pool = KeyedExecutor(math.ceil(settings.client_settings.requests_per_second), self._stopped)
        self._waiting = WaitingRecords(self._keys_written, self._parse)
        self._server_failures = ServerFailures(settings.max_failed)
        self._writer = RecordWriter(
            self._open_services,
            waiting=self._waiting,
            unwritten=UnwrittenRecords(self._rejects, self._keys_written, is_dry=self._is_dry),
            server_failures=self._server_failures,
            states=self._states,
            outcomes=self._outcomes,
            value_counts=self._value_counts,
            stopped=self._stopped,
            observer=observer,
        )
        self._dispatcher = Dispatcher(
            self._pool,
            write=self._work,
            settle=self._writer.write,
            keys_written=self._keys_written,
            planner=lambda: self._open_services().planner,
        )
        self._limit_check: LimitCheck | None = None
        if self._safety_limits and not self._is_dry:
            waiting = WaitingRecords(self._keys_written, self._parse)
            self._limit_check = LimitCheck(self._safety_limits, waiting, self._open_services)
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
                input_streams=self._input_streams,
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
            self._services.rejects.prepare(stream)
            if not WRITABLE[stream].write_spec.target_resource:
                self._services.uncertain_creates.settle_all(WRITABLE[stream])

    def record_parser(self, resource: WritableResource) -> RecordParser:
        """Return the parser for the records of a stream that is prepared."""
        return self._policy.record_parser(resource, self._codec, self._open_services().custom_fields)

    def submit(self, record: ParsedRecord, schema_message: SchemaMessage) -> None:
        """Accept one record; block while too many are in flight.

        Raises: the error that ended the run.
        """
        self.raise_if_failed()
        self._outcomes.count_read(record.resource.name)
        self._value_counts.add_times(record.resource.name, times_without_zone(record))
        submission = Submission(record, schema_message, self._states.open_ticket())
        if self._limit_check is None:
            self._dispatcher.append(submission)
        elif self._limit_check.append(submission):
            self._release_checked()

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
        self._dispatcher.flush()
        self._outcomes.count_read(stream)
        key = key_of_record(stream, parse(record).value.get("record") if isinstance(record, str) else record)
        at = rejected_at or time.time()
        content = self._rejects.append(schema_message, record, error.one_line, rejected_at=at)
        self._open_services().rejects.add(key, content, "rejected", error.one_line, rejected_at=at)
        self._outcomes.count_outcome(stream, "rejected")
        self._open_services().audit.append(key, "none", WriteResult("rejected"), error.one_line)

    def skip(self, stream: str) -> None:
        """Count a record that is not to be written."""
        self._outcomes.count_read(stream)
        self._outcomes.count_outcome(stream, "skipped")

    def start_submitted(self) -> None:
        """Start the records that were submitted: the input has no more of them yet."""
        self._dispatcher.flush()

    def queue_state(self, state: State) -> None:
        """Queue a state behind the records that were submitted before it."""
        self._dispatcher.flush()
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
            self._release_checked()
            self._dispatcher.flush()
            self._pool.wait()
            if self._waiting.count:
                _LOGGER.info("trying the records again that refer to missing rows: %d", self._waiting.count)
            self._waiting.retry(self._start_again, self._pool.wait)
            self.raise_if_failed()
            self._server_failures.raise_if_unsettled()
            self._states.release()
        self._pool.finish(SECONDS_TO_CLOSE if is_stopped else None)

    def facts(self) -> RunFacts:
        """Return what the run has come to, for its history. May be called by another thread."""
        services, settings = self._services, self._settings
        return RunFacts(
            account=services.ledger.account if services else None,
            requests_per_second=settings.client_settings.requests_per_second,
            traffic=services.client.traffic_facts() if services else TrafficFacts(),
            streams=self._outcomes.facts(),
            open_rejects=self._ending.open_rejects.count,
            is_dry=self._is_dry,
        )

    def close(self, status: int | None = None) -> int:
        """Close all services, log the summary, write the report, and return the exit status.

        `status` is the exit status of the error that ended the run; without an error the outcomes decide.
        """
        self._progress.close()
        self._rejects.close()
        if self._limit_check:
            self._limit_check.close()
        self._waiting.close()
        return self._ending.close(self._services, status)

    def _open_services(self) -> RunServices:
        """Return the services. `prepare` has opened them before any record of a writable stream comes."""
        if self._services is None:
            raise RuntimeError
        return self._services

    def _row_count(self, stream: str) -> int:
        return self._open_services().ledger.row_count(stream)

    def _release_checked(self) -> None:
        """Start the records that the limits held back."""
        check, self._limit_check = self._limit_check, None
        for submission in check.release() if check else ():
            self.raise_if_failed()
            self._dispatcher.append(submission)

    def _start_again(self, submission: Submission) -> None:
        """Hand a record that has waited to the pool."""
        self.raise_if_failed()
        self._dispatcher.start(replace(submission, ticket=self._states.open_ticket()))

    def _keys_written(self, record: ParsedRecord) -> list[OrderingKey]:
        return keys_written(record, self._policy.match_sets_of(record.resource), self._codec)

    def _parse(self, stream: str, values: Mapping[str, Any]) -> ParsedRecord:
        return self.record_parser(WRITABLE[stream]).parse(values)

    def _work(self, submission: Submission) -> None:
        """Write a record, in a thread of the pool, and close its ticket if it is done with.

        Whatever it was, an error ends the run, and must not vanish in a thread. If the record was sent and has no
        outcome yet, it is uncertain: its row may exist, and the ledger has not noted it.
        """
        client, stream = self._open_services().client, submission.stream
        writes_before = client.writes_of_this_thread
        with self._outcomes.in_progress(stream):
            try:
                self._writer.write(submission)
            except RunStopped:  # the ledger has the pending create; the open ticket holds back every later STATE
                self._outcomes.count_outcome(stream, "uncertain")
            except BaseException as error:  # noqa: BLE001  see above
                self._error = self._error or error
                self._stopped.set()
                if self._outcomes.has_record_in_progress and client.writes_of_this_thread > writes_before:
                    self._outcomes.count_outcome(stream, "uncertain")
                self._on_error(self._error)

    def _write_state(self, state: State) -> None:
        """Emit a state, once the audit of the records before it is stored."""
        if not self._is_dry:
            if self._services:
                self._services.audit.flush()
            self._emit_state(state)
