"""Record → what would be sent. Pure: no request, no ledger, no clock."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from datetime import datetime, timezone, tzinfo
from decimal import Decimal
from typing import Any

import msgspec

from fieldpulse_api.errors import Invalid, allowed_instead
from fieldpulse_api.names import normal
from fieldpulse_api.resource import Field, Kind, Write
from fieldpulse_api.values import Unfit, decimal_text, instant, truth, whole

Record = Mapping[str, Any]
Body = dict[str, Any]

_JSON = msgspec.json.Encoder(order="deterministic", decimal_format="string")
_LONGEST_KEY = 512
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\Z")


def refuse(reason: str, field: str, do: str = "correct the record at its source") -> Invalid:
    """Return the rejection of a record: `reason` never holds the value, only its type or length."""
    return Invalid(reason, where=f"field {field}", do=do)


def row_id(record: Record) -> int | None:
    """Return the FieldPulse id that the record carries. Raises: Invalid."""
    if record.get("id") is None:
        return None
    return an_id(record["id"], "id")


def an_id(value: Any, field: str) -> int:
    """Return an id of FieldPulse's. Raises: Invalid."""
    try:
        identity = whole(value)
    except Unfit:
        identity = None
    if identity is None or identity < 1:
        raise refuse(
            f"{field} is not one of FieldPulse's ids, which are whole numbers", field, "put your key into external_id"
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


def digest(write: Write, record: Record) -> str:
    """Return a hash of everything in the record that can have an effect: equal means nothing to write."""
    telling = write.properties | {"id"}
    said = {name: value for name, value in record.items() if name in telling and value is not None}
    return hashlib.sha256(_JSON.encode(said)).hexdigest()


def body_of(write: Write, record: Record, resolved: Mapping[str, int]) -> Body:
    """Return the body that the record asks for; a null is not sent, since what a PUT does with it is unknown.

    Raises: Invalid, naming the field and the rule.
    """
    body: Body = {}
    for field in write.fields:
        value = resolved.get(field.name, record.get(field.name))
        wire = None if value is None else to_wire(field, value)
        if wire is not None:
            body[field.name] = wire
    return body


def for_create(write: Write, body: Body) -> Body:
    """Return the body of a create, with the defaults. Raises: Invalid where a required field is lacking."""
    body = {**dict(write.defaults), **body}
    for name in write.required:
        if body.get(name) in (None, ""):
            raise refuse(f"{name} is required to create", name)
    if write.any_of and not any(body.get(name) for name in write.any_of):
        raise refuse(f"one of {', '.join(write.any_of)} is required to create", write.any_of[0])
    return body


def to_wire(field: Field, value: Any) -> Any:
    """Return a value as the API wants it: times as UNIX seconds, the rest by kind. Raises: Invalid."""
    try:
        wire = _TO_WIRE[field.kind](value)
    except Unfit:
        raise refuse(f"{field.name} is {_shape(value)}, and not {_WANTED[field.kind]}", field.name) from None
    if field.limit and isinstance(wire, str) and len(wire) > field.limit:
        raise refuse(f"{field.name} has {len(wire)} characters; at most {field.limit} are taken", field.name)
    if field.allowed and wire is not None and wire not in field.allowed:
        raise refuse(f"{field.name} is {_shape(wire)}; {allowed_instead(wire, field.allowed)}", field.name)
    return wire


def _shape(value: Any) -> str:
    """Describe a value without showing it."""
    return f"text of {len(value)} characters" if isinstance(value, str) else f"of type {type(value).__name__}"


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, (int, Decimal)):
        raise Unfit
    return decimal_text(value) or ""


def _email(value: Any) -> str:
    address = _text(value).strip()
    if address and not _EMAIL.match(address):
        raise Unfit
    name, _, domain = address.rpartition("@")
    return f"{name}@{domain.lower()}" if domain else address  # FieldPulse refuses a domain in capitals


def _time(value: Any) -> int | None:
    time = instant(value, timezone.utc)
    return None if time is None else int(time.timestamp())


def _json(value: Any) -> Any:
    if isinstance(value, (list, dict)):
        return value
    raise Unfit


_WANTED: dict[Kind, str] = {
    Kind.TEXT: "text",
    Kind.EMAIL: "an e-mail address",
    Kind.INTEGER: "a whole number",
    Kind.BOOLEAN: "true or false",
    Kind.TIME: "a time in ISO 8601 form",
    Kind.JSON: "a list or an object",
}
_TO_WIRE: dict[Kind, Callable[[Any], Any]] = {
    Kind.TEXT: _text,
    Kind.EMAIL: _email,
    Kind.INTEGER: whole,
    Kind.BOOLEAN: truth,
    Kind.TIME: _time,
    Kind.JSON: _json,
}


def fingerprint(write: Write, body: Mapping[str, Any]) -> dict[str, str]:
    """Return hashes of the fields that recognise a row, so that the ledger need not hold them."""
    return {name: _mark(body[name]) for name in write.identity if body.get(name) not in (None, "")}


def is_like(row: Mapping[str, Any], marks: Mapping[str, str]) -> bool:
    """Say whether a row carries what was sent."""
    return bool(marks) and all(_mark(row.get(name)) == mark for name, mark in marks.items())


def _mark(value: Any) -> str:
    return hashlib.blake2b(
        normal(value).encode("utf-8", "surrogatepass"), digest_size=12, person=b"fieldpulse"
    ).hexdigest()


def is_same(write: Write, body: Body, row: Mapping[str, Any], zone: tzinfo) -> bool:
    """Say whether a row already holds every value of a body."""
    return all(_is_equal(write.by_name[name], value, row.get(name), zone) for name, value in body.items())


def _is_equal(field: Field, value: Any, there: Any, zone: tzinfo) -> bool:
    if field.kind is Kind.JSON or there is None:
        return bool(value == there)
    if field.kind is Kind.TIME:
        return _moment(there, zone) == datetime.fromtimestamp(value, timezone.utc)
    return normal(value) == normal(there) if field.kind is Kind.EMAIL else bool(str(value) == str(there))


def _moment(value: Any, zone: tzinfo) -> datetime | None:
    try:
        return instant(value, zone)
    except Unfit:
        return None
