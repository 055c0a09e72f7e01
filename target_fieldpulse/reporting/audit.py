"""The audit: what was done for each record, in a table beside the ledger: names of properties, and no values."""

from __future__ import annotations

import threading
import time
import uuid
from collections import Counter
from typing import Any

from fieldpulse_api.http.client import Client
from target_fieldpulse.ledger.ledger import Ledger
from target_fieldpulse.planning.plan import Plan
from target_fieldpulse.records.ledger_key import LedgerKey

from .outcomes import Outcome, WriteResult

_DAY_SECONDS = 86_400
_MAX_BUFFERED_ROWS = 200
WRITTEN_OUTCOMES: tuple[Outcome, ...] = ("created", "updated", "deleted")
"""Outcomes that are audited together with the ledger's own note of them."""


class Audit:
    """A row for each record that was not simply unchanged, and one for all those that were. For many threads."""

    def __init__(self, ledger: Ledger, client: Client, *, days: int, is_enabled: bool) -> None:
        self.run_id = uuid.uuid4().hex
        self._ledger, self._client, self._is_enabled = ledger, client, is_enabled
        self._rows: list[dict[str, Any]] = []
        self._unchanged: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._thread = threading.local()
        if is_enabled:
            ledger.delete_audit_before(time.time() - days * _DAY_SECONDS)

    def start_record(self) -> None:
        """Say that this thread begins to carry out a record: its requests are counted from now."""
        self._thread.before = self._client.requests_of_this_thread

    def written_row(self, plan: Plan, outcome: Outcome, row_id: int) -> dict[str, Any]:
        """Return what is audited of a plan that was carried out, to be written with the ledger's note of it."""
        return self._row(plan.ledger_key.stream, plan.action, outcome) | {
            "source_key": plan.ledger_key.text,
            "requests": self._requests(),
            "row_id": row_id,
            "changed": sorted(plan.changed),
        }

    def append(self, key: LedgerKey, action: str, done: WriteResult) -> None:
        """Note what became of a record that was not written."""
        requests = self._requests()
        if done.outcome == "unchanged" and not requests:
            with self._lock:
                self._unchanged[key.stream] += 1
            return
        row = self._row(key.stream, action, done.outcome)
        row |= {"source_key": key.text, "requests": requests, "row_id": done.row_id}
        with self._lock:
            self._rows.append(row)
            is_much = len(self._rows) >= _MAX_BUFFERED_ROWS
        if is_much:
            self.flush()

    def flush(self) -> None:
        """Write what was noted."""
        with self._lock:
            rows, self._rows = self._rows, []
        if self._is_enabled:
            self._ledger.append_audit(rows)

    def close(self) -> None:
        """Write everything."""
        unchanged = [self._row(one, "unchanged", "unchanged") | {"records": n} for one, n in self._unchanged.items()]
        self._rows += unchanged
        self._unchanged.clear()
        self.flush()

    def _requests(self) -> int:
        return self._client.requests_of_this_thread - getattr(
            self._thread, "before", self._client.requests_of_this_thread
        )

    def _row(self, stream: str, action: str, outcome: str) -> dict[str, Any]:
        return {
            "run": self.run_id,
            "at": time.time(),
            "stream": stream,
            "source_key": None,
            "action": action,
            "outcome": outcome,
            "requests": 0,
            "row_id": None,
            "changed": [],
            "records": 1,
        }
