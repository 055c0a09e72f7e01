"""The result of a run over all streams, for its closing log line."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field

from fieldpulse_api.errors import SafetyLimitReached
from fieldpulse_api.reading.pages import Verdict


@dataclass
class RunSummary:
    """What the streams of one run add up to."""

    records: int = 0
    verdicts: Counter[Verdict] = field(default_factory=Counter)
    safety_limit_errors: list[SafetyLimitReached] = field(default_factory=list)
    started_at: float = field(default_factory=time.monotonic)

    def add_stream(self, records: int, verdict: Verdict) -> None:
        """Add a stream that was read to its end."""
        self.records += records
        self.verdicts[verdict] += 1

    def line(self, request_count: int) -> str:
        """Return the closing line: how many streams, with which verdicts, records, requests and seconds."""
        verdicts = " ".join(f"{verdict}={self.verdicts[verdict]}" for verdict in ("complete", "unproven", "incomplete"))
        seconds = time.monotonic() - self.started_at
        streams = self.verdicts.total()
        return f"streams={streams} records={self.records} {verdicts} requests={request_count} seconds={seconds:.1f}"
