"""What became of every record: counts that always add up, and a replayable file of the rejected."""

from __future__ import annotations

import os
import threading
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from fieldpulse_api.errors import FieldPulseError
from fieldpulse_api.values.strict_json import encode

from .private_files import check_writable, open_private

Outcome = Literal["created", "updated", "deleted", "unchanged", "skipped", "rejected", "uncertain"]
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)


@dataclass(frozen=True)
class WriteResult:
    """What became of a record: the row that it is, and the properties that were written."""

    outcome: Outcome
    row_id: int | None = None
    changed: tuple[str, ...] = ()


class Outcomes:
    """Count every record once, by stream. May be used by many threads."""

    def __init__(self, rejects_path: str) -> None:
        self._read: Counter[str] = Counter()
        self._counts: defaultdict[str, Counter[Outcome]] = defaultdict(Counter)
        self._in_progress: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._rejects = RejectsFile(Path(rejects_path))

    def __getitem__(self, outcome: Outcome) -> int:
        return sum(counts[outcome] for counts in self._counts.values())

    def count_read(self, stream: str) -> None:
        """Count a record that was read."""
        with self._lock:
            self._read[stream] += 1

    def count_outcome(self, stream: str, outcome: Outcome, number: int = 1) -> None:
        """Count records that ended in this way."""
        with self._lock:
            self._counts[stream][outcome] += number

    @contextmanager
    def in_progress(self, stream: str) -> Iterator[None]:
        """Say that a record is being written: one that still is when the run closes ended nobody knows how."""
        with self._lock:
            self._in_progress[stream] += 1
        try:
            yield
        finally:
            with self._lock:
                self._in_progress[stream] -= 1

    def reject(
        self, stream: str, schema: Mapping[str, Any], record: Mapping[str, Any] | str, error: FieldPulseError
    ) -> None:
        """Keep a record that was not written, safely on disk, with the reason beside it; text is a message's line."""
        with self._lock:
            self._rejects.append(stream, schema, record, error.one_line)

    def close(self) -> dict[str, dict[str, int]]:
        """Close the file and return the counts by stream; what was read and never begun counts as skipped."""
        self._rejects.close()
        for stream in self._read:
            self.count_outcome(stream, "uncertain", self._in_progress[stream])
            self.count_outcome(stream, "skipped", self._read[stream] - sum(self._counts[stream].values()))
        return {
            stream: {"read": read, **{one: self._counts[stream][one] for one in OUTCOMES}}
            for stream, read in self._read.items()
        }


class RejectsFile:
    """A file of Singer messages: a SCHEMA before a stream's first record, and `rejected` beside each record.

    What the file holds already is not appended again: a record that is rejected every five minutes
    stands in it once, and a file that is replayed into itself does not grow.
    """

    def __init__(self, path: Path) -> None:
        check_writable(path, "rejects_path")
        self._path, self._file = path, -1
        self._line_hashes: set[int] = set()
        self._schemas: dict[str, Mapping[str, Any]] = {}

    def append(self, stream: str, schema: Mapping[str, Any], record: Mapping[str, Any] | str, reason: str) -> None:
        """Append a record. On return it is on the disk."""
        if self._file < 0:
            self._file = self._open()
        if isinstance(record, str):
            line = _with_reason(record.strip().encode(), reason)
        else:
            line = encode({"type": "RECORD", "stream": stream, "record": record, "rejected": reason}) + b"\n"
        if hash(line) in self._line_hashes:
            return
        self._line_hashes.add(hash(line))
        if self._schemas.get(stream) != schema:
            self._schemas[stream] = schema
            head = {"type": "SCHEMA", "stream": stream, "schema": schema, "key_properties": []}
            line = encode(head) + b"\n" + line
        os.write(self._file, line)
        os.fsync(self._file)

    def close(self) -> None:
        """Close the file, if there is one."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _open(self) -> int:
        is_torn = False
        if self._path.exists():
            with self._path.open("rb") as before:
                for line in before:
                    self._line_hashes.add(hash(line))
                    is_torn = not line.endswith(b"\n")
        file = open_private(self._path, "rejects_path", adds=True)
        if is_torn:  # a run was killed while it wrote
            os.write(file, b"\n")
        return file


def _with_reason(line: bytes, reason: str) -> bytes:
    """Return a line that came from a tap, or from a file of rejects, as it is, with the reason before all else."""
    before = b'{"rejected":'
    return (line if line.startswith(before) else before + encode(reason) + b"," + line[1:]) + b"\n"
