"""What is to be done for a record, and the body that says it. Pure: no request, no ledger, no clock."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from fieldpulse_api.resources.model import WritableResource
from fieldpulse_api.resources.write_model import Field, FieldType, WriteSpec
from fieldpulse_api.values.text import normalized
from target_fieldpulse.records.custom_field_entries import FIELD as VALUES
from target_fieldpulse.records.custom_field_entries import missing_values
from target_fieldpulse.records.field_codec import FieldCodec, canonical_json, refuse
from target_fieldpulse.records.ledger_key import KeyKind, LedgerKey
from target_fieldpulse.records.parsed_record import PropertyHashes, Record

Body = dict[str, Any]
Action = Literal["create", "resume_create", "update", "delete", "unchanged", "skip"]


@dataclass(frozen=True)
class RowToCreate:
    """In a body: the id of a row that is created first, since records name it and it is not there."""

    stream: str
    body: tuple[tuple[str, Any], ...]

    @property
    def ledger_key(self) -> LedgerKey:
        """Return under what the ledger keeps it: a hash of its name."""
        name = canonical_json([normalized(value) for _, value in self.body])
        return LedgerKey(self.stream, KeyKind.NAME, hashlib.blake2b(name, digest_size=12).hexdigest())


@dataclass(frozen=True)
class Plan:
    """What is to be done for one record.

    `resource` is whose rows are written, `row_id` the row, `above` the fields that are part of its path. In
    `body` None clears a field; `again` is what the record says of fields that a PUT may have to repeat.
    `calls` are the elements of each call. `changed` are the properties that differ from what was written
    last; `why` explains a record that is skipped.
    """

    action: Action
    resource: WritableResource
    ledger_key: LedgerKey
    row_id: int | None = None
    parent_ids: Mapping[str, int] = field(default_factory=dict)
    body: Body = field(default_factory=dict)
    resend: Body = field(default_factory=dict)
    actions: Mapping[str, list[Body]] = field(default_factory=dict)
    changed: tuple[str, ...] = ()
    reason: str = ""
    property_hashes: PropertyHashes = field(default_factory=dict)

    @property
    def rows_to_create(self) -> list[RowToCreate]:
        """Return the rows that are created first."""
        cells = (one for value in self.body.values() for one in (value if isinstance(value, list) else [value]))
        return list(dict.fromkeys(one for one in cells if isinstance(one, RowToCreate)))

    def with_row_ids(self, ids: Mapping[RowToCreate, int]) -> Plan:
        """Return the plan with the ids of rows that were created for it."""

        def swap(value: Any) -> Any:
            if isinstance(value, list):
                return (
                    list(dict.fromkeys(map(swap, value)))
                    if any(isinstance(one, RowToCreate) for one in value)
                    else value
                )
            return ids[value] if isinstance(value, RowToCreate) else value

        return replace(self, body={name: swap(value) for name, value in self.body.items()}) if ids else self

    @property
    def writes(self) -> bool:
        """Say whether it would change anything in FieldPulse."""
        return self.action not in ("unchanged", "skip")


def build_body(
    write: WriteSpec, record: Record, filled: Mapping[str, Any], wire: FieldCodec, wanted: set[str] | None = None
) -> Body:
    """Return the fields that the record gives, as they are sent; `filled` are those that its references gave.

    Raises: Invalid, naming the field and the rule.
    """
    body: Body = {}
    for one in write.fields:
        if wanted is not None and one.name not in wanted:
            continue
        value = record.get(one.name, record.get(one.column))
        sent = filled.get(one.name)
        if sent is None and value is not None:
            sent = wire.to_wire(one, value)
        if sent is not None:
            body[one.name] = sent
    return body


def clear_nulls(write: WriteSpec, record: Record, body: Body, wanted: set[str]) -> Body:
    """Return the fields that a null of the record clears. Raises: Invalid for one that is required."""
    nulls: Body = {}
    for one in (write.by_name[name] for name in write.by_name if name in wanted and name not in body):
        said = [name for name, fields in write.fields_by_property.items() if fields[0] == one.name and name in record]
        if any(record[name] is None for name in said):
            if one.name in write.required:
                raise refuse(f"{one.name} is null, and required", one.name)
            nulls[one.name] = [] if one.type is FieldType.JSON else None
    return nulls


def create_plan(plan: Plan) -> Plan:
    """Return the plan of a create, its body with the defaults. Raises: Invalid where a required field is lacking."""
    write = plan.resource.write_spec
    whole = create_body(write, {**plan.parent_ids, **plan.body}) if write else plan.body
    return replace(
        plan, action="create", body={name: value for name, value in whole.items() if name not in plan.parent_ids}
    )


def create_body(write: WriteSpec, body: Body, *, to: str = "to create") -> Body:
    """Return the body of a create, with the defaults. Raises: Invalid where a required field is lacking."""
    body = {**dict(write.defaults), **body}
    for name in write.required:
        if body.get(name) in (None, ""):
            others = [one for ref in write.references if name in ref.fields for one in ref.properties if one != name]
            instead = f", or {' or '.join(others)}" if others else ""
            raise refuse(f"{name} is required {to}{instead}", name)
    if write.require_any_of and not any(body.get(name) for name in write.require_any_of):
        raise refuse(f"one of {', '.join(write.require_any_of)} is required {to}", write.require_any_of[0])
    return body


def differing_fields(resource: WritableResource, body: Body, row: Mapping[str, Any], wire: FieldCodec) -> list[str]:
    """Return the fields of a body that a row holds otherwise; custom fields are compared one by one."""
    fields = resource.write_spec.by_name
    return [name for name, value in body.items() if not _is_held(fields.get(name, Field(name)), value, row, wire)]


def _is_held(one: Field, value: Any, row: Mapping[str, Any], wire: FieldCodec) -> bool:
    if one.name == VALUES:
        return not missing_values(value, row)
    return wire.equals(one, value, row.get(one.column))
