"""Counts of values that were understood by a setting, for the end of a run: times without a zone."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from datetime import tzinfo
from typing import Any


class ValueCounts:
    """Counts by stream. May be used by many threads."""

    def __init__(self) -> None:
        self._times: Counter[str] = Counter()
        self._lock = threading.Lock()

    def add_times(self, stream: str, count: int) -> None:
        """Count times of a record that came without a zone."""
        with self._lock:
            self._times[stream] += count

    def lines(self, zone: tzinfo) -> Iterator[str]:
        """Yield a log line for each stream with such values; `zone` is the setting `timezone`."""
        for stream, count in (+self._times).items():
            yield f"{stream}: times without a zone, read in {zone} (setting timezone): {count:,}"

    def facts(self) -> dict[str, Any]:
        """Return the counts, as a report shows them."""
        return {"times_without_zone": dict(+self._times)}
