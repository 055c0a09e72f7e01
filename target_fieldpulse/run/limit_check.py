"""The check of the safety limits: records are planned and counted before the first of them is written."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from fieldpulse_api.errors import RecordError
from target_fieldpulse.planning.safety_limits import SafetyLimits

from .waiting_records import Submission, WaitingRecords
from .wiring import RunServices

_MAX_BUFFERED = 20_000  # records, some tens of megabytes


class LimitCheck:
    """Records that are held back until all of them are counted, or as many as the buffer holds.

    `waiting` are those that refer to a later one: they are counted behind it, as they will be written.
    """

    def __init__(self, limits: SafetyLimits, waiting: WaitingRecords, services: Callable[[], RunServices]) -> None:
        self._limits, self._waiting, self._services = limits, waiting, services
        self._buffer: list[Submission] = []

    def append(self, submission: Submission) -> bool:
        """Count what a record will do, and return whether the buffer is full. Raises: SafetyLimitReached."""
        self._count(submission)
        self._buffer.append(submission)
        return len(self._buffer) >= _MAX_BUFFERED

    def release(self) -> Iterator[Submission]:
        """Yield all records in order. They are within the limits, or more than the buffer holds.

        Raises: SafetyLimitReached.
        """
        self._waiting.retry(self._count, end_round=lambda: None)
        self.close()
        self._limits.reset()
        if self._buffer:
            self._services().planned_state.clear()
        yield from self._buffer
        self._buffer.clear()

    def close(self) -> None:
        """Discard what waits."""
        self._waiting.close()

    def _count(self, submission: Submission) -> None:
        """Plan a record, and count its plan.

        This plan is only counted. The record is planned again when it is written: by then the rows that it refers to
        have their real ids, or were rejected.
        """
        services = self._services()
        try:
            plan = self._waiting.attempt(submission, services.planner.plan)
        except RecordError:  # it is rejected when it is written
            return
        if plan and plan.writes:
            for row in plan.rows_to_create:
                _, is_new = services.planned_state.add_row(row)
                if is_new:
                    self._limits.count("create", row.stream)
            self._limits.count(plan.action, plan.ledger_key.stream)
            services.planned_state.apply(plan)
