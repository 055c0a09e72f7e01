"""Custom field values of rows: reads with their definitions, and merges on writes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fieldpulse_sandbox.schema.table_shapes import Row
from fieldpulse_sandbox.seed.fields import CUSTOM_FIELD_OBJECTS, owner_column

from .store import Store

PARAMETERS = {"jobs": "with_custom_fields", "material_lists": "withCustomfieldsAndRelatedData"}
"""Query parameter that requests the values with their definitions, by resource (documented); others need none."""
DEFINITIONS_KEY = "customfields_with_related_data"
DEFINITION_COLUMNS = ("id", "name", "field_widget_id")
"""Columns of the embedded definition. Assumed: only the key `customfields_with_related_data` is documented."""


def is_requested(name: str, query: Mapping[str, str]) -> bool:
    """Return whether a request asks for values with definitions, on a resource that supports it."""
    return name in PARAMETERS and query.get(PARAMETERS[name]) in ("true", "1")


def with_definitions(store: Store, row: Row) -> list[Row]:
    """Return the values of a row, each with its current definition, or null if that was deleted."""
    return [value | {"custom_field": _definition(store, value)} for value in row["customfields"] or ()]


def _definition(store: Store, value: Row) -> Row | None:
    definition = store.find("custom_fields", value["field_instance_id"])
    return {key: definition[key] for key in DEFINITION_COLUMNS} if definition else None


def merge_custom_values(store: Store, name: str, values: Row, before: Row, *, by_id: bool) -> Row:
    """Merge written custom values into those of the row, as text; responses never show names (verified).

    An entry with an `id` replaces that value. An entry without one replaces the value of its definition, or is
    added if `by_id`.
    """
    if name not in CUSTOM_FIELD_OBJECTS or not isinstance(values.get("customfields"), list):
        return values
    merged = list(before.get("customfields") or ())
    for entry in values["customfields"]:
        definition_id = int(entry["field_instance_id"])
        cells = {owner_column(name): before.get("id"), "value": _text(entry.get("value")), "updated_at": store.now()}
        place = _place(merged, entry.get("id"), None if by_id else definition_id)
        if place is None:
            merged.append(_new_value(store, definition_id) | cells)
        else:
            merged[place] = merged[place] | cells  # a new object: `before` must not change
    return values | {"customfields": merged}


def _place(values: list[Row], value_id: Any, definition_id: int | None) -> int | None:
    """Return the position of the value with this id, or without an id that of the definition's value."""
    is_by_id = value_id not in (None, "")
    key, wanted = ("id", int(value_id)) if is_by_id else ("field_instance_id", definition_id)
    return next((place for place, value in enumerate(values) if value[key] == wanted), None)


def _new_value(store: Store, definition_id: int) -> Row:
    return {
        "id": store.next_element_id(),
        "company_id": store.company_id,
        "field_instance_id": definition_id,
        "created_at": store.now(),
    }


def _text(value: Any) -> str | None:
    """Return a value as it is stored; a checkbox is "1" or "0", as PHP writes booleans (assumed)."""
    if value is None or isinstance(value, str):
        return value
    return str(int(value) if isinstance(value, bool) else value)
