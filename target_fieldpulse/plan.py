"""Record → what would be sent, and what is done with it. Pure: no request, no ledger, no clock."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any, Literal

import msgspec

from fieldpulse_api.custom_fields import PROPERTY
from fieldpulse_api.resource import Resource
from fieldpulse_api.values import Unfit, whole
from fieldpulse_api.write import Field, Kind, Write

from .entries import FIELD as VALUES
from .entries import lacking
from .lookups import cell
from .wire import Wire, encoded, refuse

Record = Mapping[str, Any]
Body = dict[str, Any]
Said = dict[str, str]
"""What a record says: a hash for each property that has an effect, custom fields one by one."""
Action = Literal["create", "finish", "update", "delete", "unchanged", "skip"]

DELETED = ("_sdc_deleted_at", "deleted_at")
_LONGEST_KEY = 512
_JSON = msgspec.json.Decoder(float_hook=Decimal)
_ZONES_DIFFER_BY = 900  # seconds: whole quarters of an hour


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


def row_id(record: Record) -> int | None:
    """Return the FieldPulse id that the record carries. Raises: Invalid."""
    if record.get("id") is None:
        return None
    return an_id(record["id"], "id")


def an_id(value: Any, name: str) -> int:
    """Return an id of FieldPulse's. Raises: Invalid."""
    try:
        identity = whole(value)
    except Unfit:
        identity = None
    if identity is None or identity < 1:
        raise refuse(
            f"{name} is not one of FieldPulse's ids, which are whole numbers", name, "put your key into external_id"
        )
    return identity


def source_key(record: Record) -> str:
    """Return the key of a record in the ledger: the source's own, else `id:` and FieldPulse's.

    Raises: Invalid for a record with neither.
    """
    external = record.get("external_id")
    if (
        isinstance(external, (str, int, Decimal))
        and not isinstance(external, bool)
        and 0 < len(str(external)) <= _LONGEST_KEY
    ):
        return str(external)
    identity = row_id(record)
    if identity is None or external not in (None, ""):
        raise refuse(f"external_id is no text or number of 1 to {_LONGEST_KEY} characters", "external_id")
    return f"id:{identity}"


def opened(write: Write, record: Record) -> Record:
    """Return a record whose lists and objects are no JSON text, as many warehouses hold them."""
    kept = {name for name, one in write.by_name.items() if one.kind is Kind.JSON} | {PROPERTY}
    kept |= {call.name for call in write.calls}
    texts = {name: record[name] for name in kept if isinstance(record.get(name), str)}
    return {**record, **{name: _parsed(text) for name, text in texts.items()}} if texts else record


def _parsed(text: str) -> Any:
    if text.lstrip()[:1] not in ("[", "{"):
        return text
    try:
        return _JSON.decode(text)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        return text


def is_deleted(record: Record) -> bool:
    """Say whether the source has deleted the record."""
    return any(record.get(name) not in (None, "") for name in DELETED)


def said(write: Write, record: Record, *, clears: bool = False, fills: bool = False) -> Said:
    """Return what the record says of everything that can have an effect; nulls count where they clear.

    What only fills gaps is told apart from what is written for certain.
    """
    found: Said = {}
    for name in sorted(write.properties & record.keys()):
        _say(found, name, record[name], clears=clears)
    values = record.get(PROPERTY)
    if VALUES in write.by_name and isinstance(values, Mapping):
        for name, value in values.items():
            _say(found, f"{PROPERTY}.{name}", value, clears=clears)
    elif VALUES in write.by_name and values is not None:
        _say(found, PROPERTY, values, clears=clears)
    return {name: f"~{one}" for name, one in found.items()} if fills else found


def _say(found: Said, name: str, value: Any, *, clears: bool) -> None:
    if value is not None or clears:
        found[name] = hashlib.blake2b(encoded(value), digest_size=6, person=b"fieldpulse").hexdigest()


def merged(write: Write, before: Said, now: Said) -> Said:
    """Return what was ever said, the latest of each property; what is said of a link undoes what was said before."""
    links = {call.link for call in write.calls if call.name in now}
    undone = {call.name for call in write.calls if call.link and call.link in links}
    return {name: one for name, one in before.items() if name not in undone} | now


def news(now: Said, before: Said) -> tuple[str, ...]:
    """Return the properties that say something else than what was written last."""
    return tuple(name for name, value in now.items() if before.get(name) != value)


def fields_of(write: Write, properties: Iterable[str]) -> set[str]:
    """Return the body fields that these properties can fill."""
    found: set[str] = set()
    for name in properties:
        found |= {VALUES} if name.startswith(PROPERTY) else set(write.fills.get(name, ()))
    return found


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


def marks_of(resource: Resource, body: Mapping[str, Any], wire: Wire) -> dict[str, str]:
    """Return hashes of the fields that recognise a row, so that the ledger need not hold them."""
    write = resource.write
    named = [(write.by_name[name], body.get(name)) for name in write.identity] if write else []
    return {one.column: mark(one, value, wire) for one, value in named if value not in (None, "")}


def mark(one: Field, value: Any, wire: Wire) -> str:
    """Return the hash of one value, apart from case and spaces; of a time what is the same in every zone."""
    loose = wire.loose(one, value)
    if one.kind is Kind.TIME and loose.isdigit():
        loose = str(int(loose) % _ZONES_DIFFER_BY)
    return hashlib.blake2b(loose.encode("utf-8", "surrogatepass"), digest_size=12, person=b"fieldpulse").hexdigest()


def is_like(resource: Resource, row: Mapping[str, Any], marks: Mapping[str, str], wire: Wire) -> bool:
    """Say whether a row carries what was sent."""
    fields = {one.column: one for one in (resource.write.fields if resource.write else ())}
    cells = ((fields.get(name, Field(name)), cell(row, name), one) for name, one in marks.items())
    return bool(marks) and all(mark(field, value, wire) == wanted for field, value, wanted in cells)


def differing(resource: Resource, body: Body, row: Mapping[str, Any], wire: Wire) -> list[str]:
    """Return the fields of a body that a row holds otherwise; custom fields are compared one by one."""
    fields = resource.write.by_name if resource.write else {}
    return [name for name, value in body.items() if not _is_held(fields.get(name, Field(name)), value, row, wire)]


def _is_held(one: Field, value: Any, row: Mapping[str, Any], wire: Wire) -> bool:
    if one.name == VALUES:
        return not lacking(value, row)
    return wire.is_same(one, value, row.get(one.column))
