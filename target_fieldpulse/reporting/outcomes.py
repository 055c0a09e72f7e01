"""Outcomes of records. Their counts always add up: read = created + updated + … + unsent."""

from __future__ import annotations

import threading
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, get_args

Outcome = Literal[
    "created",
    "updated",
    "deleted",
    "unchanged",
    "skipped",
    "superseded",
    "rejected",
    "failed",
    "uncertain",
    "unsent",
]
"""What became of a record.

skipped:    a setting excludes it.
superseded: it is replayed, and its key was written after it was rejected.
rejected:   it is invalid, for this target or for FieldPulse.
failed:     FieldPulse failed with HTTP 5xx, whenever it was sent.
uncertain:  it was sent, and it is not known whether it was written.
unsent:     the run ended before its turn.
"""
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)


@dataclass(frozen=True)
class WriteResult:
    """The outcome of one record, its row, and the properties that were written."""

    outcome: Outcome
    row_id: int | None = None
    changed: tuple[str, ...] = ()


class Outcomes:
    """Count each record once, by stream. May be used by many threads."""

    def __init__(self) -> None:
        self._read: Counter[str] = Counter()
        self._counts: defaultdict[str, Counter[Outcome]] = defaultdict(Counter)
        self._in_progress: Counter[str] = Counter()
        self._lock = threading.Lock()

    def __getitem__(self, outcome: Outcome) -> int:
        with self._lock:
            return sum(counts[outcome] for counts in self._counts.values())

    @property
    def unit(self) -> str:
        """Return the name of what is counted, for the progress of a run."""
        return "records"

    @property
    def total(self) -> None:
        """Return None: a target learns the number of records only at the end of its input."""

    @property
    def done(self) -> int:
        """Return how many records have an outcome."""
        with self._lock:
            return sum(sum(counts.values()) for counts in self._counts.values())

    def count_read(self, stream: str) -> None:
        """Count a record that was read."""
        with self._lock:
            self._read[stream] += 1

    def count_outcome(self, stream: str, outcome: Outcome, count: int = 1) -> None:
        """Count records that ended in this way."""
        with self._lock:
            self._counts[stream][outcome] += count

    @contextmanager
    def in_progress(self, stream: str) -> Iterator[None]:
        """Mark a record as being written while the block lasts: if the run ends meanwhile, its outcome is unknown."""
        with self._lock:
            self._in_progress[stream] += 1
        try:
            yield
        finally:
            with self._lock:
                self._in_progress[stream] -= 1

    def close(self) -> dict[str, dict[str, int]]:
        """Return the counts by stream.

        Records that are still being written count as uncertain, those without any outcome as unsent.
        """
        for stream in self._read:
            self.count_outcome(stream, "uncertain", self._in_progress[stream])
            self.count_outcome(stream, "unsent", self._read[stream] - sum(self._counts[stream].values()))
        return {
            stream: {"read": read, **{outcome: self._counts[stream][outcome] for outcome in OUTCOMES}}
            for stream, read in self._read.items()
        }
