"""Counts of values that a setting decides about, for the end of a run: times without a zone, and fields left out."""

from __future__ import annotations

import threading
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from datetime import tzinfo
from typing import Any


class ValueCounts:
    """Counts by stream. May be used by many threads."""

    def __init__(self) -> None:
        self._times: Counter[str] = Counter()
        self._dropped: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._lock = threading.Lock()

    def add_times(self, stream: str, count: int) -> None:
        """Count times of a record that came without a zone."""
        with self._lock:
            self._times[stream] += count

    def add_dropped(self, stream: str, fields: Iterable[str]) -> None:
        """Count the fields of a record that were left out."""
        with self._lock:
            self._dropped[stream].update(list(fields))

    def lines(self, zone: tzinfo) -> Iterator[str]:
        """Yield a log line for each stream with such values; `zone` is the setting `timezone`."""
        for stream, count in (+self._times).items():
            yield f"{stream}: times without a zone, read in {zone} (setting timezone): {count:,}"

        for stream, fields in self._dropped.items():
            counts = ", ".join(f"{name} {count:,}" for name, count in fields.items())
            yield f"{stream}: values left out (setting invalid_fields): {counts}"

    def facts(self) -> dict[str, Any]:
        """Return the counts, as a report shows them."""
        dropped = {stream: dict(fields) for stream, fields in self._dropped.items()}
        return {"times_without_zone": dict(+self._times), "dropped": dropped}
