"""By what a row is recognised whose create was not answered: hashes, so that no value need be kept. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from fieldpulse_api.resources.model import WritableResource
from fieldpulse_api.resources.write_model import Field, FieldType
from target_fieldpulse.planning.lookups import cell, field_of, has_column, plain_column
from target_fieldpulse.records.field_codec import FieldCodec

_ZONES_DIFFER_BY = 900  # seconds: whole quarters of an hour


def fingerprint_of(resource: WritableResource, body: Mapping[str, Any], wire: FieldCodec) -> dict[str, str]:
    """Return hashes of the fields that recognise a row, so that the ledger need not hold them."""
    write = resource.write_spec
    named = [(write.by_name[name], body.get(name)) for name in write.fingerprint_fields]
    return {one.column: hash_value(one, value, wire) for one, value in named if value not in (None, "")}


def hash_value(field: Field, value: Any, wire: FieldCodec) -> str:
    """Return the hash of one value, apart from case and spaces; of a time what is the same in every zone."""
    loose = wire.match_key(field, value)
    if field.type is FieldType.TIME and loose.isdigit():
        loose = str(int(loose) % _ZONES_DIFFER_BY)
    return hashlib.blake2b(loose.encode("utf-8", "surrogatepass"), digest_size=12, person=b"fieldpulse").hexdigest()


def matches(
    resource: WritableResource, row: Mapping[str, Any], fingerprint: Mapping[str, str], wire: FieldCodec
) -> bool:
    """Say whether a row carries what was sent, as far as it shows it."""
    told = [
        (field_of(resource, name), cell(row, name), one) for name, one in fingerprint.items() if has_column(row, name)
    ]
    return bool(fingerprint) and all(hash_value(field, value, wire) == wanted for field, value, wanted in told)


def is_more_specific(fingerprint: Mapping[str, str], other: Mapping[str, str]) -> bool:
    """Say whether one create says more of its row than another: by the source's key, or in more columns."""
    return (_has_key(fingerprint), len(fingerprint)) > (_has_key(other), len(other))


def has_extra_data(
    resource: WritableResource, row: Mapping[str, Any], fingerprint: Mapping[str, str], wire: FieldCodec
) -> bool:
    """Say whether a row tells of itself what was not sent, and what FieldPulse cannot have put together from that."""
    if _has_key(fingerprint):
        return False
    fields = [resource.write_spec.by_name[name] for name in resource.write_spec.fingerprint_fields]
    known = {
        word for one in fields if one.column in fingerprint for word in wire.match_key(one, row.get(one.column)).split()
    }
    silent = (wire.match_key(one, row.get(one.column)) for one in fields if one.column not in fingerprint)
    return any(not set(value.split()) <= known for value in silent if value not in ("", "0"))


def _has_key(fingerprint: Mapping[str, str]) -> bool:
    return any(name != plain_column(name) for name in fingerprint)


def unobservable_columns(row: Mapping[str, Any], fingerprint: Mapping[str, str]) -> list[str]:
    """Return the columns that would tell a row apart, and that it does not show."""
    return [name for name in fingerprint if not has_column(row, name)]
