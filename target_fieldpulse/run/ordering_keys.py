"""Ordering keys: what a record writes and what it refers to, so that writes of the same thing keep their order.

They are computed from the record alone, before any look-up. A row has several: its id, its external_id, its name, and
the values of its match fields. Two records that mean the same row share at least one of them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from fieldpulse_api.resources.catalogue import WRITABLE
from fieldpulse_api.resources.write_model import Field, FieldType, Reference, WriteSpec
from fieldpulse_api.values.text import normalized
from target_fieldpulse.records.field_codec import FieldCodec
from target_fieldpulse.records.ledger_key import KeyKind, LedgerKey, comparable_key
from target_fieldpulse.records.parsed_record import ParsedRecord, Record

from .keyed_executor import OrderingKey


def _name_columns() -> dict[str, set[str]]:
    """Return the columns by which records of other streams name the rows of a stream."""
    columns: defaultdict[str, set[str]] = defaultdict(set)
    for resource in WRITABLE.values():
        for reference in resource.write_spec.references:
            if reference.column:
                columns[reference.stream].add(reference.column)
    return columns


_NAME_COLUMNS = _name_columns()


def ordering_key(key: LedgerKey) -> OrderingKey:
    """Return the ordering key of all records that have a key of the ledger."""
    return (key.stream, key.kind.value, key.value)


def keys_written(record: ParsedRecord, match_sets: tuple[tuple[str, ...], ...], codec: FieldCodec) -> list[OrderingKey]:
    """Return the keys of the row that a record writes."""
    stream, spec, values = record.resource.name, record.resource.write_spec, record.values
    if spec.row_reference:
        row = spec.reference(spec.row_reference)
        return [key for name in _present(row, values) for key in _reference_keys(row, name, values[name])]
    keys: list[OrderingKey] = []
    if record.row_id is not None:
        keys.append(ordering_key(LedgerKey(stream, KeyKind.ROW_ID, str(record.row_id))))
    if record.external_id is not None:
        keys.append(ordering_key(LedgerKey(stream, KeyKind.EXTERNAL_ID, record.external_id)))
    columns = (column for column in _NAME_COLUMNS.get(stream, ()) if values.get(column) is not None)
    keys += [(stream, (column,), (normalized(comparable_key(values[column])),)) for column in columns]
    for fields in match_sets:
        wanted = tuple(_match_value(spec, name, values, codec) for name in fields)
        if all(wanted):
            keys.append((stream, fields, wanted))
    return keys


def keys_read(spec: WriteSpec, record: Record) -> list[OrderingKey]:
    """Return the keys of the rows that a record refers to: they must be written before it."""
    keys = [
        key
        for reference in spec.references
        for name in _present(reference, record)
        for key in _reference_keys(reference, name, record[name])
    ]
    for action in spec.actions:
        elements = record.get(action.name)
        for element in elements if isinstance(elements, list) else []:
            if isinstance(element, Mapping):
                keys += keys_read(action.item, element)
    return keys


def _match_value(spec: WriteSpec, field: str, record: Record, codec: FieldCodec) -> str:
    """Return the value of a match field in its form for matching, or the text of the reference that fills it."""
    properties = dict.fromkeys(
        [field, *(name for reference in spec.references if reference.field == field for name in reference.properties)]
    )
    name = next((name for name in properties if record.get(name) is not None), None)
    if name is None:
        return ""
    return codec.match_key(spec.by_name[field] if name == field else Field(name, FieldType.TEXT), record[name])


def _present(reference: Reference, record: Record) -> list[str]:
    """Return the properties of a reference that a record has."""
    return [name for name in reference.properties if record.get(name) is not None]


def _reference_keys(reference: Reference, name: str, value: Any) -> list[OrderingKey]:
    if name == reference.external_id_property:
        return [ordering_key(LedgerKey(reference.stream, KeyKind.EXTERNAL_ID, comparable_key(value)))]
    if name != reference.name_property:
        return [ordering_key(LedgerKey(reference.stream, KeyKind.ROW_ID, comparable_key(value)))]
    values = value if isinstance(value, list) else [value]
    return [(reference.stream, (str(reference.column),), (normalized(comparable_key(element)),)) for element in values]
