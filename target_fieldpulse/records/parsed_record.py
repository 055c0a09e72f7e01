"""What a record says: under which key, of which row, and what is new of it. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from datetime import timezone
from decimal import Decimal
from typing import Any

import msgspec

from fieldpulse_api.errors import RecordInvalid
from fieldpulse_api.resources.write_model import FieldType, WriteSpec
from fieldpulse_api.values.custom_fields import PROPERTY
from fieldpulse_api.values.scalars import ConversionError, optional_int, to_utc
from fieldpulse_api.values.strict_json import decode, text_fault

from .custom_field_entries import FIELD as VALUES
from .field_codec import canonical_json, describe, refuse
from .ledger_key import KeyKind, LedgerKey

Record = Mapping[str, Any]
PropertyHashes = dict[str, str]
"""What a record says: a hash for each property that has an effect, custom fields one by one."""

DELETED = ("_sdc_deleted_at", "deleted_at")
_LONGEST_KEY = 500  # the ledger takes 512, with what it puts before
_LARGEST_ID = 2**63
_TEXTS = (FieldType.TEXT, FieldType.EMAIL, FieldType.PHONE, FieldType.E164)


def row_id(record: Record) -> int | None:
    """Return the FieldPulse id that the record carries. Raises: Invalid."""
    if record.get("id") is None:
        return None
    return to_row_id(record["id"], "id")


def to_row_id(value: Any, name: str) -> int:
    """Return an id of FieldPulse's. Raises: Invalid."""
    identity = optional_int(value)
    if identity is None or not 0 < identity < _LARGEST_ID:
        raise refuse(
            f"{name} is not one of FieldPulse's ids, which are whole numbers", name, "put your key into external_id"
        )
    return identity


def source_key(stream: str, record: Record) -> LedgerKey:
    """Return the key of a record in the ledger: the source's own, else FieldPulse's.

    Raises: Invalid for a record with neither.
    """
    external = external_id(record)
    if external is not None:
        return LedgerKey(stream, KeyKind.EXTERNAL_ID, external)
    identity = row_id(record)
    if identity is None:
        raise refuse("neither external_id nor id is given", "external_id", "give one: external_id is your key")
    return LedgerKey(stream, KeyKind.ROW_ID, str(identity))


def key_or_empty(stream: str, record: Record) -> LedgerKey:
    """Return the key of a record that may be wrong: nothing where it has none."""
    try:
        return source_key(stream, record)
    except RecordInvalid:
        return LedgerKey(stream, KeyKind.EXTERNAL_ID, "")


def external_id(record: Record) -> str | None:
    """Return the source's key of a record, None where it has none. Raises: Invalid."""
    given = record.get("external_id")
    if given in (None, ""):
        return None
    is_plain = isinstance(given, (str, int, Decimal)) and not isinstance(given, bool)
    key = str(given)
    if not is_plain or len(key) > _LONGEST_KEY or any(letter < " " for letter in key) or text_fault(key):
        rule = f"text or a number of at most {_LONGEST_KEY} characters, without control characters"
        raise refuse(f"external_id is {describe(given)}, and not {rule}", "external_id")
    return key


def parse_json_strings(write: WriteSpec, record: Record) -> Record:
    """Return a record whose lists and objects are no JSON text, and whose times and numbers no empty text."""
    blank = {name for name, one in write.by_name.items() if one.type not in _TEXTS and record.get(name) == ""}
    record = {**record, **dict.fromkeys(blank)} if blank else record
    kept = {name for name, one in write.by_name.items() if one.type is FieldType.JSON} | {PROPERTY}
    kept |= {call.name for call in write.actions}
    texts = {name: record[name] for name in kept if isinstance(record.get(name), str)}
    return {**record, **{name: _parsed(text) for name, text in texts.items()}} if texts else record


def _parsed(text: str) -> Any:
    if text.lstrip()[:1] not in ("[", "{"):
        return text
    try:
        return decode(text)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        return text


def is_deleted(record: Record) -> bool:
    """Say whether the source has deleted the record. Raises: Invalid for what is no time."""
    return any(_is_time(name, record[name]) for name in DELETED if record.get(name) not in (None, False))


def _is_time(name: str, value: Any) -> bool:
    """Say whether a value is a time; zero and zero dates are none, as in FieldPulse's own columns."""
    try:
        return value != 0 and to_utc(value, timezone.utc) is not None
    except ConversionError:
        raise refuse(f"{name} is {describe(value)}, and not a time in ISO 8601 form", name) from None


def is_blank(value: Any) -> bool:
    """Say whether a property names nothing."""
    return value in (None, "", []) or (isinstance(value, str) and not value.strip())


def property_hashes(write: WriteSpec, record: Record, *, clears: bool = False, fills: bool = False) -> PropertyHashes:
    """Return what the record says of everything that can have an effect; nulls count where they clear.

    What only fills gaps is told apart from what is written for certain.
    """
    found: PropertyHashes = {}
    for name in sorted(write.properties & record.keys()):
        _say(found, name, record[name], clears=clears)
    values = record.get(PROPERTY)
    if VALUES in write.by_name and isinstance(values, Mapping):
        found.pop(VALUES, None)  # the same by definition: what is named goes
        for name, value in values.items():
            _say(found, f"{PROPERTY}.{name}", value, clears=clears)
    elif VALUES in write.by_name and values is not None:
        _say(found, PROPERTY, values, clears=clears)
    return {name: f"~{one}" for name, one in found.items()} if fills else found


def _say(found: PropertyHashes, name: str, value: Any, *, clears: bool) -> None:
    if value is not None or clears:
        found |= hash_property(name, value)


def hash_property(name: str, value: Any) -> PropertyHashes:
    """Return what one property says."""
    return {name: hashlib.blake2b(canonical_json(value), digest_size=6, person=b"fieldpulse").hexdigest()}


def merge_hashes(write: WriteSpec, before: PropertyHashes, now: PropertyHashes) -> PropertyHashes:
    """Return what was ever said, the latest of each property; what is said of a link undoes what was said before."""
    links = {call.link_kind for call in write.actions if call.name in now}
    undone = {call.name for call in write.actions if call.link_kind and call.link_kind in links}
    return {name: one for name, one in before.items() if name not in undone} | now


def changed_properties(now: PropertyHashes, before: PropertyHashes) -> tuple[str, ...]:
    """Return the properties that say something else than what was written last."""
    return tuple(name for name, value in now.items() if before.get(name) != value)


def fields_of(write: WriteSpec, properties: Iterable[str]) -> set[str]:
    """Return the body fields that these properties can fill."""
    found: set[str] = set()
    for name in properties:
        found |= {VALUES} if name.startswith(PROPERTY) else set(write.fields_by_property.get(name, ()))
    return found
