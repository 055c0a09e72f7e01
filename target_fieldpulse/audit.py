"""The audit: what was done for each record, in a table beside the ledger. It holds names of fields, and no values."""

from __future__ import annotations

import threading
import time
import uuid
from collections import Counter
from typing import Any

from .ledger import Ledger
from .outcomes import Done

_DAY_SECONDS = 86_400
_MOST_KEPT = 200


class Audit:
    """Append a row for each record that was not simply unchanged, and one for all those that were. For many threads."""

    def __init__(self, ledger: Ledger, *, days: int, is_kept: bool) -> None:
        self.run = uuid.uuid4().hex
        self._ledger, self._is_kept = ledger, is_kept
        self._rows: list[dict[str, Any]] = []
        self._unchanged: Counter[str] = Counter()
        self._lock = threading.Lock()
        ledger.audited_until(time.time() - days * _DAY_SECONDS)

    def note(self, stream: str, key: str, action: str, done: Done, *, requests: int) -> None:
        """Note what became of a record, and how many requests it took."""
        if done.outcome == "unchanged" and not requests:
            with self._lock:
                self._unchanged[stream] += 1
            return
        row = self._row(stream, action, done.outcome, records=1)
        row |= {"source_key": key, "requests": requests, "row_id": done.row_id, "changed": sorted(done.changed)}
        with self._lock:
            self._rows.append(row)
            is_much = len(self._rows) >= _MOST_KEPT
        if is_much:
            self.flush()

    def flush(self) -> None:
        """Write what was noted."""
        with self._lock:
            rows, self._rows = self._rows, []
        if self._is_kept:
            self._ledger.audit(rows)

    def close(self) -> None:
        """Write everything."""
        self._rows += [
            self._row(one, "unchanged", "unchanged", records=number) for one, number in self._unchanged.items()
        ]
        self._unchanged.clear()
        self.flush()

    def _row(self, stream: str, action: str, outcome: str, *, records: int) -> dict[str, Any]:
        return {
            "run": self.run,
            "at": time.time(),
            "stream": stream,
            "source_key": None,
            "action": action,
            "outcome": outcome,
            "requests": 0,
            "row_id": None,
            "changed": [],
            "records": records,
        }
