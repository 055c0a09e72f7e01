"""What the ledger holds for one key."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from target_fieldpulse.records.ledger_key import KeyKind, LedgerKey
from target_fieldpulse.records.property_hashes import PropertyHashes

Status = Literal["pending", "linked", "written", "outdated", "deleted"]
"""The state of an entry's row.

pending: a create or a link was sent, or is about to be; its outcome is not known.
linked:  the row was found after an uncertain create; what it holds has yet to be compared with the record.
written: the row holds what the record says.
outdated: the row holds what an earlier record says; the last one was rejected.
deleted: this target deleted the row.
"""
WRITTEN: tuple[Status, ...] = ("written", "outdated", "deleted")
"""The states after a write that this target knows of."""


@dataclass(frozen=True)
class Entry:
    """One entry. `updated_at` is in epoch seconds: of a replayed record, when it was rejected.

    `parent_ids` fill the path of the row's list. `property_hashes` are those of the values that were written last.
    `fingerprint` recognises the row of a pending create, among the rows with an id above `max_id_before`.
    """

    key: LedgerKey
    status: Status
    row_id: int | None
    parent_ids: Mapping[str, int]
    property_hashes: PropertyHashes
    fingerprint: Mapping[str, str]
    max_id_before: int
    updated_at: float

    @classmethod
    def of(cls, row: Mapping[Any, Any]) -> Entry:
        """Return the entry of a row of the table."""
        return cls(
            key=LedgerKey(row["stream"], KeyKind(row["kind"]), row["source_key"]),
            status=row["status"],
            row_id=row["row_id"],
            parent_ids=row["parent_ids"],
            property_hashes=row["property_hashes"],
            fingerprint=row["fingerprint"],
            max_id_before=row["max_id_before"],
            updated_at=row["updated_at"],
        )
