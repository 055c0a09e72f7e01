"""What is to be done for a record, and the body that says it. Pure: no request, no ledger, no clock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from fieldpulse_api.resource import Resource
from fieldpulse_api.write import Field, Kind, Write

from .entries import FIELD as VALUES
from .entries import lacking
from .record import Record, Said
from .wire import Wire, refuse

Body = dict[str, Any]
Action = Literal["create", "finish", "update", "delete", "unchanged", "skip"]


@dataclass(frozen=True)
class Note:
    """Under what the ledger keeps a record, and what the record says."""

    stream: str
    key: str
    said: Said = field(default_factory=dict)


@dataclass(frozen=True)
class Plan:
    """What is to be done for one record.

    `resource` is whose rows are written, `row_id` the row, `above` the fields that are part of its path. In
    `body` None clears a field; `again` is what the record says of fields that a PUT may have to repeat.
    `calls` are the elements of each call. `changed` are the properties that differ from what was written
    last; `why` explains a record that is skipped.
    """

    action: Action
    resource: Resource
    note: Note
    row_id: int | None = None
    above: Mapping[str, int] = field(default_factory=dict)
    body: Body = field(default_factory=dict)
    again: Body = field(default_factory=dict)
    calls: Mapping[str, list[Body]] = field(default_factory=dict)
    changed: tuple[str, ...] = ()
    why: str = ""

    @property
    def writes(self) -> bool:
        """Say whether it would change anything in FieldPulse."""
        return self.action not in ("unchanged", "skip")


def body_of(
    write: Write, record: Record, filled: Mapping[str, Any], wire: Wire, wanted: set[str] | None = None
) -> Body:
    """Return the fields that the record gives, as they are sent; `filled` are those that its references gave.

    Raises: Invalid, naming the field and the rule.
    """
    body: Body = {}
    for one in write.fields:
        if wanted is not None and one.name not in wanted:
            continue
        value = filled.get(one.name, record.get(one.name, record.get(one.column)))
        sent = None if value is None else wire.to_wire(one, value)
        if sent is not None:
            body[one.name] = sent
    return body


def cleared(write: Write, record: Record, body: Body, wanted: set[str]) -> Body:
    """Return the fields that a null of the record clears. Raises: Invalid for one that is required."""
    nulls: Body = {}
    for one in write.fields:
        is_null = one.name in record and record[one.name] is None
        if one.name in wanted and is_null and one.name not in body:
            if one.name in write.required:
                raise refuse(f"{one.name} is null, and required", one.name)
            nulls[one.name] = [] if one.kind is Kind.JSON else None
    return nulls


def creating(plan: Plan) -> Plan:
    """Return the plan of a create, its body with the defaults. Raises: Invalid where a required field is lacking."""
    write = plan.resource.write
    whole = for_create(write, {**plan.above, **plan.body}) if write else plan.body
    return replace(plan, action="create", body={name: value for name, value in whole.items() if name not in plan.above})


def for_create(write: Write, body: Body) -> Body:
    """Return the body of a create, with the defaults. Raises: Invalid where a required field is lacking."""
    body = {**dict(write.defaults), **body}
    for name in write.required:
        if body.get(name) in (None, ""):
            raise refuse(_needs(write, name), name)
    if write.any_of and not any(body.get(name) for name in write.any_of):
        raise refuse(f"one of {', '.join(write.any_of)} is required to create", write.any_of[0])
    return body


def _needs(write: Write, name: str) -> str:
    others = [one for ref in write.references if name in ref.fields for one in ref.properties if one != name]
    return f"{name} is required to create" + (f", or {' or '.join(others)}" if others else "")


def differing(resource: Resource, body: Body, row: Mapping[str, Any], wire: Wire) -> list[str]:
    """Return the fields of a body that a row holds otherwise; custom fields are compared one by one."""
    fields = resource.write.by_name if resource.write else {}
    return [name for name, value in body.items() if not _is_held(fields.get(name, Field(name)), value, row, wire)]


def _is_held(one: Field, value: Any, row: Mapping[str, Any], wire: Wire) -> bool:
    if one.name == VALUES:
        return not lacking(value, row)
    return wire.is_same(one, value, row.get(one.column))
