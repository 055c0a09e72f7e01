"""Hashes of the cells of a row: they tell later whether the row still holds what was written, without storing a value.

A cell hashes the same in the response to a write and in a list, however it is spelled there. Each custom field is a
cell of its own. An empty cell has the hash "".
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from fieldpulse_api.resources.model import Resource, WritableResource
from fieldpulse_api.resources.write_model import Field, FieldType
from fieldpulse_api.values.custom_fields import VALUE_COLUMNS

from .custom_fields import DEFINITION, row_values
from .custom_fields import FIELD as CUSTOM_FIELDS
from .field_codec import FieldCodec
from .json_values import canonical_json, comparable_json

CellHashes = dict[str, str]
"""A hash for each column, and for each custom field as `customfields.<id of its definition>`."""

_EMPTY: tuple[Any, ...] = (None, "", [], {})
_NEVER_COMPARED = "updated_at"  # of the row, and of the elements of its lists


def row_hashes(resource: Resource, row: Mapping[str, Any], codec: FieldCodec) -> CellHashes:
    """Return the hashes of a row of the API."""
    columns = {name: cell for name, cell in row.items() if name not in (*VALUE_COLUMNS, _NEVER_COMPARED)}
    hashes = {name: _hash(field_of(resource, name), cell, codec) for name, cell in columns.items()}
    return hashes | {_custom_cell(id_): _hash(None, value, codec) for id_, value in row_values(row).items()}


def sent_hashes(
    resource: WritableResource, body: Mapping[str, Any], row: Mapping[str, Any], codec: FieldCodec
) -> CellHashes:
    """Return the hashes of what a body wrote; `row` is the response, which may show less.

    A cell of the response counts where it has what was sent: FieldPulse adds keys to the elements of lists. Fields that
    rows do not show are left out.
    """
    hashes: CellHashes = {}
    for name, value in body.items():
        field = resource.write_spec.by_name.get(name)
        if name == CUSTOM_FIELDS:
            hashes |= {_custom_cell(each[DEFINITION]): _hash(None, each["value"], codec) for each in value or ()}
        elif field and field.column in resource.schema["properties"]:
            cell = row.get(field.column)
            hashes[field.column] = _hash(field, cell if codec.equals(field, value, cell) else value, codec)
    return hashes


def field_of(resource: Resource, column: str) -> Field | None:
    """Return the body field that a column of a row shows, None if no write sets it."""
    return resource.write_spec.field_of(column) if isinstance(resource, WritableResource) else None


def _custom_cell(definition_id: Any) -> str:
    return f"{CUSTOM_FIELDS}.{definition_id}"


def _hash(field: Field | None, cell: Any, codec: FieldCodec) -> str:
    if field and field.type is not FieldType.JSON:
        cell = codec.normalized(field, cell)
    else:
        cell = comparable_json(_without_stamps(cell))
    if cell in _EMPTY:
        return ""
    return hashlib.blake2b(canonical_json(cell), digest_size=6, person=b"fieldpulse").hexdigest()


def _without_stamps(cell: Any) -> Any:
    if isinstance(cell, Mapping):
        return {name: _without_stamps(value) for name, value in cell.items() if name != _NEVER_COMPARED}
    return [_without_stamps(value) for value in cell] if isinstance(cell, list) else cell
