"""The ledger and the look-ups as if plans had been executed: what dry runs and safety limits see."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import replace

from target_fieldpulse.ledger.entry import Entry
from target_fieldpulse.ledger.ledger import Ledger
from target_fieldpulse.records.ledger_key import KeyKind, LedgerKey
from target_fieldpulse.records.property_hashes import PropertyHashes

from .lookups import Lookups
from .plan import Plan, RowToCreate


class PlannedState:
    """Applies plans without writing. May be used by many threads.

    Planned rows have negative ids. While nothing is planned, this is the ledger.
    """

    def __init__(self, ledger: Ledger, lookups: Lookups) -> None:
        self._ledger, self._lookups = ledger, lookups
        self._entries: dict[LedgerKey, Entry] = {}
        self._keys_by_row: defaultdict[tuple[str, int], list[LedgerKey]] = defaultdict(list)
        self._claims: dict[tuple[str, int], LedgerKey] = {}
        self._created_count = 0
        self._lock = threading.Lock()

    def find(self, key: LedgerKey) -> Entry | None:
        """Return the planned entry of a key, else the ledger's."""
        return self._entries.get(key) or self._ledger.find(key)

    def find_all(self, keys: Collection[LedgerKey]) -> dict[LedgerKey, Entry]:
        """Return the entries of the keys that have one, as `find` does, with few statements."""
        planned = {key: entry for key in keys if (entry := self._entries.get(key))}
        return self._ledger.find_all(key for key in keys if key not in planned) | planned

    def claim_row(self, key: LedgerKey, row_id: int) -> LedgerKey | None:
        """Let a key have a row that it does not have in the ledger. Return the other key that the row belongs to.

        The first key that claims a row has it for the rest of the run: two records may match a row at the same time.
        """
        row = (key.stream, row_id)
        with self._lock:
            planned = [other for other in self._keys_by_row.get(row, ()) if other.kind is KeyKind.EXTERNAL_ID]
            stored = [other for other in self._ledger.keys_of_row(*row) if other not in self._entries]
            owners = [other for other in (*planned, *stored) if other != key] or [self._claims.setdefault(row, key)]
            return None if owners[0] == key else owners[0]

    def apply(self, plan: Plan) -> int:
        """Apply a plan, and return the id of its row."""
        is_deleted = plan.action == "delete"
        with self._lock:
            row_id = self._next_id() if plan.row_id is None else plan.row_id
            entry = _entry(plan.ledger_key, row_id, plan.parent_ids, plan.property_hashes, is_deleted=is_deleted)
            self._entries[plan.ledger_key] = replace(entry, updated_at=plan.rejected_at or entry.updated_at)
            if not is_deleted:
                self._keys_by_row[plan.resource.name, row_id].append(plan.ledger_key)
        values = None if is_deleted else plan.columns
        self._lookups.add_planned(plan.resource.name, plan.parent_ids, row_id, values)
        return row_id

    def add_row(self, row: RowToCreate) -> tuple[int, bool]:
        """Add a row that is created because records refer to it. Return its id, and whether it is new."""
        entry = self._entries.get(row.ledger_key)
        if entry:
            return int(entry.row_id or 0), False
        with self._lock:
            row_id = self._next_id()
            self._entries[row.ledger_key] = _entry(row.ledger_key, row_id, {}, {})
        self._lookups.add_planned(row.stream, {}, row_id, dict(row.body))
        return row_id, True

    def key_of(self, stream: str, row_id: int) -> LedgerKey | None:
        """Return the key whose plan creates or changes a row."""
        with self._lock:
            return next(iter(self._keys_by_row.get((stream, row_id), ())), None)

    def clear(self) -> None:
        """Discard every applied plan."""
        self._entries.clear()
        self._keys_by_row.clear()
        self._claims.clear()
        self._lookups.discard_planned()

    def _next_id(self) -> int:
        self._created_count += 1
        return -self._created_count


def _entry(
    key: LedgerKey, row_id: int, parent_ids: Mapping[str, int], hashes: PropertyHashes, *, is_deleted: bool = False
) -> Entry:
    return Entry(
        key=key,
        status="deleted" if is_deleted else "written",
        row_id=row_id,
        parent_ids=parent_ids,
        property_hashes=hashes,
        fingerprint={},
        max_id_before=0,
        updated_at=time.time(),
    )
