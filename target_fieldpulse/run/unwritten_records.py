"""Records that were not written: they go to the rejects file, and explain why records that refer to them fail."""

from __future__ import annotations

import logging
from collections.abc import Callable

from fieldpulse_api.errors import FieldPulseError, ReferenceNotFound
from target_fieldpulse.records.parsed_record import ParsedRecord
from target_fieldpulse.reporting.outcomes import Outcome
from target_fieldpulse.reporting.rejects_file import RejectsFile

from .keyed_executor import OrderingKey
from .waiting_records import Submission

_LOGGER = logging.getLogger(__name__)


class UnwrittenRecords:
    """The records of a run that were rejected, failed or are uncertain. May be used by many threads.

    `keys_of` returns the keys that a record writes.
    """

    def __init__(
        self, rejects: RejectsFile, keys_of: Callable[[ParsedRecord], list[OrderingKey]], *, is_dry: bool
    ) -> None:
        self._rejects, self._keys_of, self.is_dry = rejects, keys_of, is_dry
        self._outcomes: dict[int, Outcome] = {}  # by the hash of each key

    def append(self, submission: Submission, outcome: Outcome, error: FieldPulseError, *, rejected_at: float) -> str:
        """Store a record in the rejects file, with the time when it came, and return the hash of its content.

        A replayed record stays as old as it was: a record of its key may have come meanwhile.
        """
        record = submission.record
        self._outcomes |= {hash(key): outcome for key in self._keys_of(record)}
        content = self._rejects.append(
            submission.schema_message,
            record.values,
            error.full_line,
            rejected_at=record.rejected_at or rejected_at,
        )
        _LOGGER.warning("%s: %s %s: %s", outcome, submission.stream, record.label, error.one_line)
        return content

    def with_cause(self, error: ReferenceNotFound) -> ReferenceNotFound:
        """Return the error, with the outcome of the record that it refers to, if that is one of these."""
        outcome = self._outcomes.get(hash(error.row_key))
        if outcome is None:
            return error
        return ReferenceNotFound(
            f"{error.what}: it was {outcome} in this run",
            where=error.where,
            hint="correct that record first, then replay both from the rejects file",
            row_key=error.row_key,
        )
