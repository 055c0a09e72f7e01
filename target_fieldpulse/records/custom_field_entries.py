"""The values of custom fields as a body has them, held against those of a row. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from fieldpulse_api.values.custom_fields import VALUE_COLUMNS, entries_of
from fieldpulse_api.values.scalars import ConversionError, to_decimal_text

Entries = list[dict[str, Any]]

FIELD = VALUE_COLUMNS[0]
"""The body field with the values of custom fields."""
DEFINITION = "field_instance_id"
_FLAGS = {"true": ("1",), "false": ("0",)}


def merge_into_row(body: Mapping[str, Any], row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a body whose custom fields replace those of a row."""
    return {name: with_value_ids(value, row) if name == FIELD else value for name, value in body.items()}


def with_value_ids(entries: Entries, row: Mapping[str, Any]) -> Entries:
    """Return entries that replace those of a row: with the id of the value that is there."""
    ids = {}
    for entry in (
        one for name in VALUE_COLUMNS for one in row.get(name) or () if isinstance(one, dict) and one.get("id")
    ):
        ids.update({definition: entry["id"] for definition, _ in entries_of([entry])})
    return [({"id": ids[one[DEFINITION]]} if one.get(DEFINITION) in ids else {}) | one for one in entries]


def missing_values(entries: Entries, row: Mapping[str, Any]) -> Entries:
    """Return the entries whose values a row does not hold."""
    held = {definition: value for name in VALUE_COLUMNS for definition, value in entries_of(row.get(name))}
    return [one for one in entries if not _is_same(one["value"], held.get(one[DEFINITION]))]


def empty_fields(entries: Entries, row: Mapping[str, Any]) -> Entries:
    """Return the entries whose fields are empty in a row."""
    held = {
        definition
        for name in VALUE_COLUMNS
        for definition, value in entries_of(row.get(name))
        if value not in (None, "")
    }
    return [one for one in entries if one[DEFINITION] not in held]


def _is_same(value: Any, held: Any) -> bool:
    """Say whether two texts are one value: a number in another form, or a flag in other words."""
    if value in (None, "") or held in (None, ""):
        return value in (None, "") and held in (None, "")
    if str(value) == str(held):
        return True
    try:
        one, other = to_decimal_text(str(value)), to_decimal_text(str(held))
        return one is not None and other is not None and Decimal(one) == Decimal(other)
    except ConversionError:
        return str(value) in _FLAGS.get(str(held).lower(), ())
