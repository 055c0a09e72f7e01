"""The result of a run over all streams, for its closing log line and its history."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field

from fieldpulse_api.errors import ConnectionFailed, FieldPulseError, ResponseLost, SafetyLimitReached, UserError
from fieldpulse_api.reading.pages import Verdict
from fieldpulse_plugin.history.facts import StreamFacts

_MAX_FAILED_IN_A_ROW = 2  # more of them mean that the server is down, and each takes the time of all retries


@dataclass
class RunSummary:
    """What the streams of one run add up to."""

    streams: dict[str, StreamFacts] = field(default_factory=dict)
    records: int = 0
    left_out: int | None = None
    verdicts: Counter[Verdict] = field(default_factory=Counter)
    safety_limit_errors: list[SafetyLimitReached] = field(default_factory=list)
    failures: list[FieldPulseError] = field(default_factory=list)
    failed_in_a_row: int = 0
    started_at: float = field(default_factory=time.monotonic)

    def start_stream(self, name: str) -> StreamFacts:
        """Return the facts of a stream that begins; they count in the summary as they change."""
        return self.streams.setdefault(name, StreamFacts(name=name))

    def add_stream(self, records: int, verdict: Verdict, *, left_out: int | None = None) -> None:
        """Add a stream that was read to its end; rows can only be left out where a setting asks for it."""
        self.records += records
        if left_out is not None:
            self.left_out = (self.left_out or 0) + left_out
        self.verdicts[verdict] += 1
        self.failed_in_a_row = 0

    def add_failure(self, error: FieldPulseError) -> None:
        """Add a stream that could not be read to its end. Raises: the error, if the server seems to be down."""
        self.failures.append(error)
        if isinstance(error, UserError):  # the server answers
            return
        self.failed_in_a_row += 1
        is_unreachable = isinstance(error, ConnectionFailed) and not isinstance(error, ResponseLost)
        if is_unreachable or self.failed_in_a_row > _MAX_FAILED_IN_A_ROW:
            raise error

    def line(self, request_count: int) -> str:
        """Return the closing line: how many streams, with which verdicts, records, requests and seconds."""
        verdicts = " ".join(f"{verdict}={self.verdicts[verdict]}" for verdict in ("complete", "unproven", "incomplete"))
        seconds = time.monotonic() - self.started_at
        streams = self.verdicts.total()
        if self.failures:
            verdicts += f" failed={len(self.failures)}"
        line = f"streams={streams} records={self.records} {verdicts} requests={request_count} seconds={seconds:.1f}"
        return line if self.left_out is None else f"{line}; left out, written by our target: {self.left_out}"
