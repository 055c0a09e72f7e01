"""What a record touches, and what it needs: so that records which name one thing are written in their order."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from fieldpulse_api.resources.catalogue import WRITABLE
from fieldpulse_api.resources.write_model import Field, FieldType, Reference, WriteSpec
from fieldpulse_api.values.text import normalized
from target_fieldpulse.records.field_codec import FieldCodec
from target_fieldpulse.records.parsed_record import Record

from .keyed_executor import OrderingKey


def _name_columns() -> dict[str, set[str]]:
    """Return the columns by which records of other streams name a stream's rows."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for reference in (one for resource in WRITABLE.values() for one in resource.write_spec.references):
        if reference.column:
            found[reference.stream].add(reference.column)
    return found


_NAME_COLUMNS = _name_columns()


def keys_written(
    stream: str, write: WriteSpec, record: Record, match: tuple[tuple[str, ...], ...], wire: FieldCodec
) -> list[OrderingKey]:
    """Return what a record's write touches, so that two writes that name a row in one way never overlap."""
    if write.row_reference:
        row = write.reference(write.row_reference)
        return [
            key for name in _properties_with_values(row, record) for key in _reference_keys(row, name, record[name])
        ]
    keys: list[OrderingKey] = [
        (stream, name, str(record[name])) for name in ("id", "external_id") if record.get(name) is not None
    ]
    named = (column for column in _NAME_COLUMNS.get(stream, ()) if record.get(column) is not None)
    keys += [(stream, (column,), (normalized(record[column]),)) for column in named]
    for fields in match:
        values = tuple(_match_value(write, name, record, wire) for name in fields)
        if all(values):
            keys.append((stream, fields, values))
    return keys


def keys_read(write: WriteSpec, record: Record) -> list[OrderingKey]:
    """Return what must have been written before a record can be."""
    given_by = (
        (reference, name) for reference in write.references for name in _properties_with_values(reference, record)
    )
    own = [key for reference, name in given_by for key in _reference_keys(reference, name, record[name])]
    for call in write.actions:
        given = record.get(call.name)
        elements = [one for one in given if isinstance(one, Mapping)] if isinstance(given, list) else []
        own += [key for one in elements for key in keys_read(call.item, one)]
    return own


def _match_value(write: WriteSpec, name: str, record: Record, wire: FieldCodec) -> str:
    """Return a field's value before anything is looked up, in the form in which it is compared."""
    properties = dict.fromkeys(
        [name, *(one for ref in write.references if ref.field == name for one in ref.properties)]
    )
    given = next((one for one in properties if record.get(one) is not None), None)
    if given is None:
        return ""
    form = write.by_name[name] if given == name else Field(given, FieldType.TEXT)
    return wire.match_key(form, record[given])


def _properties_with_values(reference: Reference, record: Record) -> list[str]:
    return [name for name in reference.properties if record.get(name) is not None]


def _reference_keys(reference: Reference, name: str, value: Any) -> list[OrderingKey]:
    if name == reference.external_id_property:
        return [(reference.stream, "external_id", str(value))]
    if name != reference.name_property:
        return [(reference.stream, "id", str(value))]
    values = value if isinstance(value, list) else [value]
    return [(reference.stream, (str(reference.column),), (normalized(one),)) for one in values]
