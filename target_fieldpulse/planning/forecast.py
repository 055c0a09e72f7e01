"""What records behind a planned one would find: rows and keys that are not there yet. For dry runs and guards."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import Any

from target_fieldpulse.ledger.ledger import Entry, Ledger
from target_fieldpulse.records.ledger_key import LedgerKey

from .lookups import Lookups
from .plan import Plan, RowToCreate


class PlannedState:
    """The ledger and the look-ups, as if plans had been carried out. Rows that would be created have ids below zero.

    May be used by many threads. While nothing is planned it is the ledger.
    """

    def __init__(self, ledger: Ledger, lookups: Lookups) -> None:
        self._ledger, self._lookups = ledger, lookups
        self._entries: dict[LedgerKey, Entry] = {}
        self._created = 0
        self._lock = threading.Lock()

    def find(self, key: LedgerKey) -> Entry | None:
        """Return what is known of a source key."""
        return self._entries.get(key) or self._ledger.find(key)

    def apply(self, plan: Plan) -> int:
        """Take a plan for done, and return the id of its row."""
        is_deleted = plan.action == "delete"
        known = self._note(plan, is_deleted=is_deleted)
        self._lookups.add_planned(
            plan.resource.name, plan.parent_ids, known, None if is_deleted else columns_written(plan)
        )
        return known

    def add_row(self, one: RowToCreate) -> tuple[int, bool]:
        """Take a row for created that records only name; return its id, and whether it was not there before."""
        entry = self._entries.get(one.ledger_key)
        if entry:
            return int(entry.row_id or 0), False
        with self._lock:
            self._created += 1
            known = -self._created
            self._entries[one.ledger_key] = _entry(one.ledger_key, known, {}, {})
        self._lookups.add_planned(one.stream, {}, known, dict(one.body))
        return known, True

    def clear(self) -> None:
        """Begin in earnest: nothing that was planned is there."""
        self._entries.clear()
        self._lookups.discard_planned()

    def _note(self, plan: Plan, *, is_deleted: bool) -> int:
        key = plan.ledger_key
        with self._lock:
            known = plan.row_id
            if known is None:
                self._created += 1
                known = -self._created
            entry = _entry(key, known, plan.parent_ids, plan.property_hashes, is_deleted=is_deleted)
            self._entries[key] = entry
        return known


def columns_written(plan: Plan) -> Mapping[str, Any]:
    """Return what a row shows of what a plan writes: some columns have other names than their fields."""
    write = plan.resource.write_spec
    return {write.column_of(name): value for name, value in plan.body.items()}


def _entry(
    key: LedgerKey, known: int, above: Mapping[str, int], said: dict[str, str], *, is_deleted: bool = False
) -> Entry:
    return Entry(
        key=key,
        status="deleted" if is_deleted else "written",
        row_id=known,
        parent_ids=above,
        property_hashes=said,
        fingerprint={},
        max_id_before=0,
        updated_at=time.time(),
    )
