"""The way of records from the input to the pool of threads, past those that change nothing.

Most records of a regular run are as they were written last. The ledger tells so of many keys at once, and no thread
has to be woken for them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from target_fieldpulse.planning.plan import Plan
from target_fieldpulse.planning.planner import Planner
from target_fieldpulse.records.ledger_key import LedgerKey
from target_fieldpulse.records.parsed_record import ParsedRecord

from .keyed_executor import KeyedExecutor, OrderingKey
from .ordering_keys import keys_read, ordering_key
from .waiting_records import Submission

_MAX_BUFFERED = 100


class Dispatcher:
    """Starts the records of a run, in the order of the input. Called by the thread that reads it.

    `write` writes a record, in a thread of the pool; `settle` does so in the calling thread, for records whose plan is
    that nothing changes. `keys_written` returns the ordering keys of a record.
    """

    def __init__(
        self,
        pool: KeyedExecutor,
        *,
        write: Callable[[Submission], None],
        settle: Callable[[Submission], None],
        keys_written: Callable[[ParsedRecord], list[OrderingKey]],
        planner: Callable[[], Planner],
    ) -> None:
        self._pool, self._write, self._settle = pool, write, settle
        self._keys_written, self._planner = keys_written, planner
        self._buffer: list[Submission] = []

    def append(self, submission: Submission) -> None:
        """Start a record, at once or with the next ones. Blocks while too many are in flight."""
        self._buffer.append(submission)
        if len(self._buffer) >= _MAX_BUFFERED:
            self.flush()

    def flush(self) -> None:
        """Start all records that were appended: the input ends or pauses, or what comes next depends on them."""
        submissions, self._buffer = self._buffer, []
        # A single record is looked up by its thread of the pool.
        unchanged = self._unchanged_plans(submissions) if len(submissions) > 1 else {}
        for submission in submissions:
            plan = unchanged.pop(submission.record.key, None)
            if plan:
                self._settle(replace(submission, plan=plan))
            else:
                self.start(submission)

    def start(self, submission: Submission) -> None:
        """Hand a record to the pool, behind the earlier ones that touch the same rows."""
        record = submission.record
        self._pool.submit(
            lambda: self._write(submission),
            writes=self._keys_written(record),
            after=keys_read(record.resource.write_spec, record.values),
        )

    def _unchanged_plans(self, submissions: list[Submission]) -> dict[LedgerKey, Plan]:
        """Return the plans of records that change nothing. Only the first of a key, if no earlier one is in flight."""
        first: dict[LedgerKey, ParsedRecord] = {}
        for submission in submissions:
            first.setdefault(submission.record.key, submission.record)
        settled = [record for key, record in first.items() if not self._pool.is_in_flight(ordering_key(key))]
        return self._planner().plan_unchanged(settled)
