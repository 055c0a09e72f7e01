"""The custom values of rows: how a request asks for them with their definitions, and how a write merges them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fieldpulse_sandbox.schema.table_shapes import COMPANY_ID, Row
from fieldpulse_sandbox.seed.fields import CUSTOM_FIELD_OBJECTS, owner_column

from .store import Store

PARAMETERS = {"jobs": "with_custom_fields", "material_lists": "withCustomfieldsAndRelatedData"}
"""What a list and a row by id are asked for their values with, by resource (D). The other lists need no asking."""
DEFINITIONS_KEY = "customfields_with_related_data"
DEFINITION = ("id", "name", "field_widget_id")
"""What an entry shows of its definition. Assumed: only the key `customfields_with_related_data` is documented."""


def is_requested(name: str, query: Mapping[str, str]) -> bool:
    """Say whether a request wants the values with their definitions, and can have them here."""
    return name in PARAMETERS and query.get(PARAMETERS[name]) in ("true", "1")


def with_definitions(store: Store, row: Row) -> list[Row]:
    """Return the values of a row, each with its definition as it is now, or null where that was deleted."""
    return [one | {"custom_field": _definition(store, one)} for one in row["customfields"] or ()]


def _definition(store: Store, value: Row) -> Row | None:
    field = store.find("custom_fields", value["field_instance_id"])
    return {key: field[key] for key in DEFINITION} if field else None


def merge_custom_values(store: Store, name: str, values: Row, before: Row, *, by_id: bool) -> Row:
    """Merge written values into those of the row, as text (V: names are never shown).

    An entry with an `id` replaces that value; one without replaces that of its definition, or is one more if `by_id`.
    """
    if name not in CUSTOM_FIELD_OBJECTS or not isinstance(values.get("customfields"), list):
        return values
    kept = list(before.get("customfields") or ())
    for given in values["customfields"]:
        field = int(given["field_instance_id"])
        after = {owner_column(name): before.get("id"), "value": _text(given.get("value")), "updated_at": store.now()}
        place = _place(kept, given.get("id"), None if by_id else field)
        if place is None:
            kept.append(_fresh(store, field) | after)
        else:
            kept[place] = kept[place] | after  # the row as it was keeps its values
    return values | {"customfields": kept}


def _place(kept: list[Row], number: Any, field: int | None) -> int | None:
    """Return where the value with this id is, or without one the value of this definition."""
    key, wanted = ("field_instance_id", field) if number in (None, "") else ("id", int(number))
    return next((place for place, one in enumerate(kept) if one[key] == wanted), None)


def _fresh(store: Store, field: int) -> Row:
    return {
        "id": store.next_element_id(),
        "company_id": COMPANY_ID,
        "field_instance_id": field,
        "created_at": store.now(),
    }


def _text(given: Any) -> str | None:
    """Return a value as it is stored: a checkbox is "1" or "0", as PHP writes a truth (assumed)."""
    if given is None or isinstance(given, str):
        return given
    return str(int(given) if isinstance(given, bool) else given)
