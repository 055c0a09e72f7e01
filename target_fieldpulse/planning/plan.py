"""The plan of one record: what to do, and with which body. It is pure data, so that a dry run can show it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from fieldpulse_api.resources.model import WritableResource
from fieldpulse_api.resources.write_model import Field
from fieldpulse_api.values.text import normalized
from target_fieldpulse.records.custom_fields import FIELD as CUSTOM_FIELDS
from target_fieldpulse.records.custom_fields import missing_values
from target_fieldpulse.records.field_codec import FieldCodec
from target_fieldpulse.records.json_values import canonical_json
from target_fieldpulse.records.ledger_key import KeyKind, LedgerKey
from target_fieldpulse.records.property_hashes import PropertyHashes

Body = dict[str, Any]
PlanAction = Literal["create", "resume_create", "update", "delete", "unchanged", "skip", "superseded"]


@dataclass(frozen=True)
class RowToCreate:
    """In a body: the id of a row that does not exist yet and is created first, because records refer to it by name."""

    stream: str
    body: tuple[tuple[str, Any], ...]

    @property
    def ledger_key(self) -> LedgerKey:
        """Return the ledger key, a hash of the name."""
        name = canonical_json([normalized(value) for _, value in self.body])
        return LedgerKey(self.stream, KeyKind.NAME, hashlib.blake2b(name, digest_size=12).hexdigest())


@dataclass(frozen=True)
class Plan:
    """What to do for one record.

    `resource` has the rows that are written, and `parent_ids` fill its path. In `body`, None clears a field.
    `resend` are values that a PUT may have to repeat. `actions` are the elements of each action. `changed` are the
    properties that differ from the last write; `property_hashes` are stored in the ledger once they are written.
    `reason` says why a record is skipped. An update with `compares_row` sends only what differs from the row: the
    ledger does not know what it holds. `dropped` are fields that are left out because of their values, with the reason.
    `rejected_at` is that of a replayed record: the ledger stores how old its values are, so that a record that was
    rejected after it still counts as newer. An unchanged record `is_news` if the last one of its key was rejected: the
    ledger then stores that the row is up to date.
    """

    action: PlanAction
    resource: WritableResource
    ledger_key: LedgerKey
    row_id: int | None = None
    parent_ids: Mapping[str, int] = field(default_factory=dict)
    body: Body = field(default_factory=dict)
    resend: Body = field(default_factory=dict)
    actions: Mapping[str, list[Body]] = field(default_factory=dict)
    changed: tuple[str, ...] = ()
    property_hashes: PropertyHashes = field(default_factory=dict)
    compares_row: bool = False
    dropped: Mapping[str, str] = field(default_factory=dict)
    reason: str = ""
    rejected_at: float | None = None
    is_news: bool = False

    @property
    def rows_to_create(self) -> list[RowToCreate]:
        """Return the rows that are created first."""
        cells = (cell for value in self.body.values() for cell in (value if isinstance(value, list) else [value]))
        return list(dict.fromkeys(cell for cell in cells if isinstance(cell, RowToCreate)))

    def with_row_ids(self, ids: Mapping[RowToCreate, int]) -> Plan:
        """Return the plan with the ids of the rows that were created for it."""

        def with_ids(value: Any) -> Any:
            if isinstance(value, list) and any(isinstance(item, RowToCreate) for item in value):
                return list(dict.fromkeys(map(with_ids, value)))
            return ids[value] if isinstance(value, RowToCreate) else value

        return replace(self, body={name: with_ids(value) for name, value in self.body.items()}) if ids else self

    @property
    def columns(self) -> Body:
        """Return the body by the columns that the row will have: some differ from the names of their fields."""
        return {self.resource.write_spec.column_of(name): value for name, value in self.body.items()}

    @property
    def writes(self) -> bool:
        """Return whether the plan would change anything in FieldPulse."""
        return self.action not in ("unchanged", "skip", "superseded")


def differing_fields(resource: WritableResource, body: Body, row: Mapping[str, Any], codec: FieldCodec) -> list[str]:
    """Return the fields of a body whose values differ from those of a row."""

    def is_in_row(name: str, value: Any) -> bool:
        if name == CUSTOM_FIELDS:
            return not missing_values(value, row, codec)
        each = resource.write_spec.by_name.get(name, Field(name))
        return codec.equals(each, value, row.get(each.column))

    return [name for name, value in body.items() if not is_in_row(name, value)]
