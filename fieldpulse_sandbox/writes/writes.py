"""Create, update and delete: a body is cleaned, validated, completed with what follows from it, and stored."""

from __future__ import annotations

from typing import Any

from fieldpulse_api.resources.model import Resource, WritableResource
from fieldpulse_sandbox.behaviour.switches import Behaviour
from fieldpulse_sandbox.data.custom_field_values import merge_custom_values
from fieldpulse_sandbox.data.store import Store
from fieldpulse_sandbox.schema.column_rules import WRITE_ONLY
from fieldpulse_sandbox.schema.object_types import OBJECT_TYPES
from fieldpulse_sandbox.schema.table_shapes import Row, blank_row
from fieldpulse_sandbox.seed.fields import CUSTOM_FIELD_OBJECTS, owner_column

from .derived_columns import update_dependents, with_derived_columns
from .field_values import TEXTS
from .validation import NOTHING, Body, validated


class RowWriter:
    """The three ways to change a row. Nothing is stored when a body is refused."""

    def __init__(self, store: Store, behaviour: Behaviour) -> None:
        """Write to this store."""
        self.store = store
        self.behaviour = behaviour

    def create(self, resource: Resource, body: Body, parent: Row | None = None) -> Row:
        """Store a new row, below `parent` where the path says so.

        Raises: Refused.
        """
        body = _clean(body) | {name: parent["id"] for name in resource.parent_keys if parent}
        values = self._values(resource, body, {})
        places = values.pop("locations", None)
        row = self.store.create(resource.name, {key: cell for key, cell in values.items() if cell is not None})
        row = self._own(resource, row)
        update_dependents(self.store, resource.name, row)
        return self._with_places(resource, row, places)

    def update(self, resource: Resource, row: Row, body: Body) -> Row:
        """Merge a body into a row; an explicit null is no change unless the behaviour clears it (contract 4.0).

        Raises: Refused.
        """
        body = _clean(body) | {name: row[name] for name in resource.parent_keys}
        values = self._values(resource, self._said(resource, body), row)
        places = values.pop("locations", None)
        after = self.store.update(resource.name, row["id"], values)
        if row.get("invoice_id") and row["invoice_id"] != after["invoice_id"]:
            update_dependents(self.store, resource.name, row)
        update_dependents(self.store, resource.name, after)
        return self._with_places(resource, after, places)

    def _values(self, resource: Resource, body: Body, before: Row) -> Row:
        """Return the cells that a body sets, and those that follow from them."""
        values = validated(self.store, resource, body, before=before, behaviour=self.behaviour)
        hidden, unset = WRITE_ONLY.get(resource.name, frozenset()), blank_row(resource.name)
        values = {key: unset.get(key) if cell is None else cell for key, cell in values.items() if key not in hidden}
        values = with_derived_columns(self.store, resource.name, values, before)
        return merge_custom_values(self.store, resource.name, values, before, by_id=self.behaviour.custom_values_by_id)

    def _said(self, resource: Resource, body: Body) -> Body:
        """Return what of a PUT's body counts: nulls, and empty texts, may be no change."""
        ruled = (resource.write_spec if isinstance(resource, WritableResource) else NOTHING).by_name
        others = {name for name, field in ruled.items() if field.type not in TEXTS}
        is_emptied = self.behaviour.put_empty_clears or self.behaviour.put_null == "empty"
        is_cleared = self.behaviour.put_null == "clear"

        def counts(name: str, value: object) -> bool:
            if value is None or (value == "" and name in others):
                return is_cleared
            return value != "" or is_emptied

        return {name: value for name, value in body.items() if counts(name, value)}

    def delete(self, resource: Resource, row: Row) -> Row:
        """Take a row out of every answer, and return it with its `deleted_at`."""
        trashed = self.store.delete(resource.name, row["id"])
        update_dependents(self.store, resource.name, trashed)
        return trashed

    def _own(self, resource: Resource, row: Row) -> Row:
        """Return a new row whose nested elements carry its id, which was not known before."""
        owned: dict[str, Any] = {}
        columns = {"assignments": "assignable_id", "settings": "field_instance_id"}
        if resource.name in CUSTOM_FIELD_OBJECTS:
            columns["customfields"] = owner_column(resource.name)
        for key, column in columns.items():
            own, cell = {column: row["id"]}, row.get(key)
            if cell:
                owned[key] = cell | own if isinstance(cell, dict) else [element | own for element in cell]
        return self.store.patch(resource.name, row["id"], owned) if owned else row

    def _with_places(self, resource: Resource, row: Row, places: Any) -> Row:
        """Store the locations that came inside a customer's body; its main one is replaced, others are added."""
        for place in places if isinstance(places, list) else ():
            values = {key: place[key] for key in INLINE_PLACE if place.get(key) is not None}
            values |= {"object_id": row["id"], "object_type": OBJECT_TYPES["customer"]}
            main = row["main_location"] if values.get("is_main_location") else None
            if main:
                stored = self.store.update("locations", main["id"], values)
            else:
                stored = self.store.create("locations", values)
            update_dependents(self.store, "locations", stored)
        return self.store.get(resource.name, row["id"])


INLINE_PLACE = ("title", "address_1", "address_2", "city", "state", "zip_code", "is_main_location")


def _clean(body: Body) -> Body:
    """Return a body with trimmed names: `"method "` is in the vendor's examples (D)."""
    return {key.strip(): value for key, value in body.items()}
