"""The audit: a table beside the ledger with one row for each record. It holds names of properties, and no values."""

from __future__ import annotations

import threading
from collections import Counter
from datetime import datetime, timedelta, timezone
from typing import Any

from sqlalchemy import delete, insert

from fieldpulse_api.http.client import Client
from target_fieldpulse.ledger.database import LedgerDatabase
from target_fieldpulse.ledger.tables import AUDIT
from target_fieldpulse.planning.plan import Plan
from target_fieldpulse.records.ledger_key import LedgerKey

from .open_rejects import OpenRejects
from .outcomes import Outcome, WriteResult

_MAX_BUFFERED_ROWS = 200
OUTCOMES_IN_LEDGER: tuple[Outcome, ...] = ("created", "updated", "deleted")
"""Outcomes whose audit row is committed together with the entry of the ledger, not by `append`."""


class Audit:
    """The audit of one run. May be used by many threads.

    Records that are unchanged and took no request share one row for each stream.
    """

    def __init__(
        self,
        database: LedgerDatabase,
        account: str,
        client: Client,
        rejects: OpenRejects,
        *,
        run_id: str,
        days: int,
        is_enabled: bool,
    ) -> None:
        """Begin the audit of a run, and delete rows that are older than `days`.

        The entries of `rejects` are stored together with the rows.
        """
        self.run_id = run_id
        self._database, self._account, self._client, self._is_enabled = database, account, client, is_enabled
        self._rejects = rejects
        self._rows: list[dict[str, Any]] = []
        self._unchanged: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._thread = threading.local()
        if is_enabled:
            before = datetime.now(timezone.utc) - timedelta(days=days)
            with database.begin() as connection:
                connection.execute(delete(AUDIT).where(AUDIT.c.account == account, AUDIT.c.recorded_at < before))

    def start_record(self) -> None:
        """Count the requests of this thread from now on as those of one record."""
        self._thread.requests_before = self._client.requests_of_this_thread

    def written_row(self, plan: Plan, outcome: Outcome, row_id: int) -> dict[str, Any]:
        """Return the audit row of a plan that was carried out, for `Ledger.upsert`."""
        return self._row(plan.ledger_key.stream, plan.action, outcome) | {
            "source_key": plan.ledger_key.text,
            "requests": self._request_count(),
            "row_id": row_id,
            "changed": sorted(plan.changed),
        }

    def append(self, key: LedgerKey, action: str, result: WriteResult, reason: str | None = None) -> None:
        """Add the row of a record that was not written. `reason` says why, without personal data."""
        requests = self._request_count()
        if result.outcome == "unchanged" and not requests:
            with self._lock:
                self._unchanged[key.stream] += 1
            return
        row = self._row(key.stream, action, result.outcome)
        row |= {"source_key": key.text, "requests": requests, "row_id": result.row_id, "reason": reason}
        with self._lock:
            self._rows.append(row)
            is_full = len(self._rows) >= _MAX_BUFFERED_ROWS
        if is_full:
            self.flush()

    def flush(self) -> None:
        """Store the rows that were appended, and the entries of rejects that changed."""
        with self._lock:
            rows, self._rows = self._rows, []
        if self._is_enabled and (rows or self._rejects.has_changes):
            with self._database.begin() as connection:
                self._rejects.write(connection)
                if rows:
                    connection.execute(insert(AUDIT), [{"account": self._account, **row} for row in rows])

    def close(self) -> None:
        """Store all rows, those of unchanged records included."""
        self._rows += [
            self._row(stream, "unchanged", "unchanged") | {"records": count}
            for stream, count in self._unchanged.items()
        ]
        self._unchanged.clear()
        self.flush()

    def _request_count(self) -> int:
        requests = self._client.requests_of_this_thread
        return requests - getattr(self._thread, "requests_before", requests)

    def _row(self, stream: str, action: str, outcome: str) -> dict[str, Any]:
        return {
            "run_id": self.run_id,
            "recorded_at": datetime.now(timezone.utc),
            "stream": stream,
            "source_key": None,
            "action": action,
            "outcome": outcome,
            "requests": 0,
            "row_id": None,
            "changed": [],
            "records": 1,
            "reason": None,
        }
