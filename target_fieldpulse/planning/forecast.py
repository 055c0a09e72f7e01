"""What records behind a planned one would find: rows and keys that are not there yet. For dry runs and guards."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import Any

from target_fieldpulse.ledger.ledger import Entry, Ledger

from .lookups import Lookups
from .plan import New, Plan


class Forecast:
    """The ledger and the look-ups, as if plans had been carried out. Rows that would be created have ids below zero.

    May be used by many threads. While nothing is planned it is the ledger.
    """

    def __init__(self, ledger: Ledger, lookups: Lookups) -> None:
        self._ledger, self._lookups = ledger, lookups
        self._entries: dict[tuple[str, str], Entry] = {}
        self._created = 0
        self._lock = threading.Lock()

    def find(self, stream: str, source_key: str) -> Entry | None:
        """Return what is known of a source key."""
        return self._entries.get((stream, source_key)) or self._ledger.find(stream, source_key)

    def take(self, plan: Plan) -> int:
        """Take a plan for done, and return the id of its row."""
        is_deleted = plan.action == "delete"
        known = self._note(plan, is_deleted=is_deleted)
        self._lookups.plan(plan.resource.name, plan.above, known, None if is_deleted else shown(plan))
        return known

    def new(self, one: New) -> tuple[int, bool]:
        """Take a row for created that records only name; return its id, and whether it was not there before."""
        entry = self._entries.get((one.stream, one.note.key))
        if entry:
            return int(entry.row_id or 0), False
        with self._lock:
            self._created += 1
            known = -self._created
            self._entries[one.stream, one.note.key] = _entry(one.stream, one.note.key, known, {}, {})
        self._lookups.plan(one.stream, {}, known, dict(one.body))
        return known, True

    def forget(self) -> None:
        """Begin in earnest: nothing that was planned is there."""
        self._entries.clear()
        self._lookups.forget()

    def _note(self, plan: Plan, *, is_deleted: bool) -> int:
        note = plan.note
        with self._lock:
            known = plan.row_id
            if known is None:
                self._created += 1
                known = -self._created
            entry = _entry(note.stream, note.key, known, plan.above, note.said, is_deleted=is_deleted)
            self._entries[note.stream, note.key] = entry
        return known


def shown(plan: Plan) -> Mapping[str, Any]:
    """Return what a row shows of what a plan writes: some columns have other names than their fields."""
    fields = plan.resource.write_spec.by_name if plan.resource.write_spec else {}
    return {fields[name].column if name in fields else name: value for name, value in plan.body.items()}


def _entry(
    stream: str, key: str, known: int, above: Mapping[str, int], said: dict[str, str], *, is_deleted: bool = False
) -> Entry:
    return Entry(
        stream=stream,
        source_key=key,
        status="deleted" if is_deleted else "done",
        row_id=known,
        above=above,
        said=said,
        marks={},
        after_id=0,
        at=time.time(),
    )
