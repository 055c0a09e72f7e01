"""Outcomes of records. Their counts always add up: read = created + updated + … + unsent."""

from __future__ import annotations

import threading
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, get_args

from fieldpulse_plugin.history.facts import StreamFacts

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
        self._facts: dict[str, StreamFacts] = {}
        self._counts: defaultdict[str, Counter[Outcome]] = defaultdict(Counter)
        self._in_progress: dict[int, str] = {}  # by thread, the stream of the record that it writes
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
        """Count records that ended in this way. The record that this thread writes has its outcome then."""
        with self._lock:
            self._counts[stream][outcome] += count
            self._in_progress.pop(threading.get_ident(), None)

    @contextmanager
    def in_progress(self, stream: str) -> Iterator[None]:
        """Mark a record as being written by this thread while the block lasts, until its outcome is counted.

        If the run ends meanwhile, its outcome is unknown.
        """
        with self._lock:
            self._in_progress[threading.get_ident()] = stream
        try:
            yield
        finally:
            with self._lock:
                self._in_progress.pop(threading.get_ident(), None)

    @property
    def has_record_in_progress(self) -> bool:
        """Return whether this thread writes a record that has no outcome yet."""
        with self._lock:
            return threading.get_ident() in self._in_progress

    def facts(self) -> list[StreamFacts]:
        """Return the counts by stream as they are now, for the history of the run."""
        with self._lock:
            for stream, read in self._read.items():
                facts = self._facts.setdefault(stream, StreamFacts(name=stream))
                facts.records, facts.outcomes = (
                    read,
                    {name: count for name, count in self._counts[stream].items() if count},
                )
            return list(self._facts.values())

    def close(self) -> dict[str, dict[str, int]]:
        """Return the counts by stream.

        Records that are still being written count as uncertain, those without any outcome as unsent.
        """
        with self._lock:
            for stream in self._in_progress.values():
                self._counts[stream]["uncertain"] += 1
            self._in_progress.clear()
            for stream, read in self._read.items():
                self._counts[stream]["unsent"] += read - sum(self._counts[stream].values())
            return {
                stream: {"read": read, **{outcome: self._counts[stream][outcome] for outcome in OUTCOMES}}
                for stream, read in self._read.items()
            }
