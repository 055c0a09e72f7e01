"""The values of custom fields as a body has them, held against those of a row. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fieldpulse_api.custom_fields import RAW, entries_of

Entries = list[dict[str, Any]]

FIELD = RAW[0]
"""The body field with the values of custom fields."""
DEFINITION = "field_instance_id"


def with_values(body: Mapping[str, Any], row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a body whose custom fields replace those of a row."""
    return {name: placed(value, row) if name == FIELD else value for name, value in body.items()}


def placed(entries: Entries, row: Mapping[str, Any]) -> Entries:
    """Return entries that replace those of a row: with the id of the value that is there."""
    ids = {}
    for entry in (one for name in RAW for one in row.get(name) or () if isinstance(one, dict) and one.get("id")):
        ids.update({definition: entry["id"] for definition, _ in entries_of([entry])})
    return [({"id": ids[one[DEFINITION]]} if one.get(DEFINITION) in ids else {}) | one for one in entries]


def lacking(entries: Entries, row: Mapping[str, Any]) -> Entries:
    """Return the entries whose values a row does not hold."""
    held = {definition: value for name in RAW for definition, value in entries_of(row.get(name))}
    return [one for one in entries if _plain(held.get(one[DEFINITION])) != _plain(one["value"])]


def gaps(entries: Entries, row: Mapping[str, Any]) -> Entries:
    """Return the entries whose fields are empty in a row."""
    held = {definition for name in RAW for definition, value in entries_of(row.get(name)) if value not in (None, "")}
    return [one for one in entries if one[DEFINITION] not in held]


def _plain(value: Any) -> str:
    return "" if value is None else str(value)
