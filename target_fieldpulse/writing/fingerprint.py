"""Fingerprints of created rows, used to find a row when the response to its create was lost.

A fingerprint is a hash for each column that recognises the row. Only hashes are stored. No I/O.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from fieldpulse_api.resources.model import WritableResource
from fieldpulse_api.resources.write_model import Field, FieldType
from target_fieldpulse.records.columns import Column
from target_fieldpulse.records.field_codec import FieldCodec

_TIME_ZONE_STEP_SECONDS = 900  # offsets of time zones differ by whole quarters of an hour


def fingerprint_of(resource: WritableResource, body: Mapping[str, Any], codec: FieldCodec) -> dict[str, str]:
    """Return the fingerprint of a create: by column, the hashes of the fields that recognise its row."""
    write = resource.write_spec
    values = [(write.by_name[name], body.get(name)) for name in write.fingerprint_fields]
    return {field.column: hash_value(field, value, codec) for field, value in values if value not in (None, "")}


def hash_value(field: Field, value: Any, codec: FieldCodec) -> str:
    """Return the hash of a value in its form for matching. Of a time only the part that no time zone changes counts."""
    text = codec.match_key(field, value)
    if field.type is FieldType.TIME and text.isdigit():
        text = str(int(text) % _TIME_ZONE_STEP_SECONDS)
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=12, person=b"fieldpulse").hexdigest()


def matches(
    resource: WritableResource, row: Mapping[str, Any], fingerprint: Mapping[str, str], codec: FieldCodec
) -> bool:
    """Return whether a row matches in all columns of a fingerprint that it shows."""
    return bool(fingerprint) and all(
        hash_value(column.field_of(resource), column.value_in(row), codec) == expected
        for column, expected in ((Column.from_text(name), expected) for name, expected in fingerprint.items())
        if column.is_in(row)
    )


def is_more_specific(fingerprint: Mapping[str, str], other: Mapping[str, str]) -> bool:
    """Return whether a fingerprint tells more about its row: by the source's key, or in more columns."""
    return (_has_key(fingerprint), len(fingerprint)) > (_has_key(other), len(other))


def has_extra_data(
    resource: WritableResource, row: Mapping[str, Any], fingerprint: Mapping[str, str], codec: FieldCodec
) -> bool:
    """Return whether a row holds data that was not sent with the create.

    Columns of the fingerprint's fields count, if they were not sent and hold a word that no sent column holds:
    FieldPulse derives some of them, such as a display name, from the others.
    """
    if _has_key(fingerprint):
        return False
    fields = [resource.write_spec.by_name[name] for name in resource.write_spec.fingerprint_fields]
    texts = {field.column: codec.match_key(field, row.get(field.column)) for field in fields}
    sent_words = {word for column, text in texts.items() if column in fingerprint for word in text.split()}
    not_sent = (text for column, text in texts.items() if column not in fingerprint and text not in ("", "0"))
    return any(not set(text.split()) <= sent_words for text in not_sent)


def unobservable_columns(row: Mapping[str, Any], fingerprint: Mapping[str, str]) -> list[str]:
    """Return the columns of a fingerprint that a row does not show."""
    return [name for name in fingerprint if not Column.from_text(name).is_in(row)]


def _has_key(fingerprint: Mapping[str, str]) -> bool:
    return any(Column.from_text(name).is_exact for name in fingerprint)
