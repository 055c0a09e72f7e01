"""Create, update and delete: validate a body, derive further columns from it, and store the row."""

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
from .validation import NO_FIELDS, Body, validated_cells

INLINE_LOCATION = ("title", "address_1", "address_2", "city", "state", "zip_code", "is_main_location")
ESTIMATE = 1
"""The status of an estimate; with any other the document is an invoice."""
OLDER_NAMES = {"line_items": "not_optional_line_items"}


class RowWriter:
    """Create, update and delete. A body that fails its validation changes nothing."""

    def __init__(self, store: Store, behaviour: Behaviour) -> None:
        """Write to `store`."""
        self.store = store
        self.behaviour = behaviour

    def create(self, resource: Resource, body: Body, parent: Row | None = None) -> Row:
        """Store a new row, below `parent` if the path names one.

        Raises: ValidationFailed.
        """
        body = self._effective_names(resource, body) | {name: parent["id"] for name in resource.parent_keys if parent}
        values = self._values(resource, body, {})
        locations = values.pop("locations", None)
        row = self.store.create(resource.name, {key: cell for key, cell in values.items() if cell is not None})
        row = self._with_own_id(resource, row)
        self._update_dependents(resource.name, row)
        return self._with_locations(resource, row, locations)

    def update(self, resource: Resource, row: Row, body: Body) -> Row:
        """Merge a body into a row. Null changes nothing unless the behaviour says otherwise (API facts 4.0).

        Raises: ValidationFailed.
        """
        body = self._effective_names(resource, body) | {name: row[name] for name in resource.parent_keys}
        values = self._values(resource, self._effective_body(resource, body), row)
        locations = values.pop("locations", None)
        after = self.store.update(resource.name, row["id"], values)
        if row.get("invoice_id") and row["invoice_id"] != after["invoice_id"]:
            self._update_dependents(resource.name, row)  # a payment moved: its previous invoice changes as well
        self._update_dependents(resource.name, after)
        after = self._with_locations(resource, after, locations)
        belongs_to = "estimates" if after.get("status") == ESTIMATE else "invoices"
        if resource.moves_to == belongs_to and "status" in body and self.behaviour.status_moves_documents:
            return self.store.move(resource.name, after["id"], belongs_to)
        return after

    def delete(self, resource: Resource, row: Row) -> Row:
        """Delete a row, and return it with its `deleted_at`."""
        deleted = self.store.delete(resource.name, row["id"])
        self._update_dependents(resource.name, deleted)
        return deleted

    def _update_dependents(self, name: str, row: Row) -> None:
        update_dependents(self.store, name, row, sets_invoice_status=self.behaviour.payment_effects)

    def _values(self, resource: Resource, body: Body, before: Row) -> Row:
        """Return the cells that a body sets, and those derived from them."""
        values = validated_cells(self.store, resource, body, before=before, behaviour=self.behaviour)
        hidden, unset = WRITE_ONLY.get(resource.name, frozenset()), blank_row(resource.name)
        values = {key: unset.get(key) if cell is None else cell for key, cell in values.items() if key not in hidden}
        values = with_derived_columns(self.store, resource.name, values, before)
        return merge_custom_values(self.store, resource.name, values, before, by_id=self.behaviour.custom_values_by_id)

    def _effective_names(self, resource: Resource, body: Body) -> Body:
        """Return a body with trimmed and current names, without the fields that are ignored.

        The vendor's examples contain `"method "` (documented). `line_items` is the older name of the lines of a
        document.
        """
        ignored = self.behaviour.ignored_fields
        trimmed = {key.strip(): value for key, value in body.items() if f"{resource.name}.{key.strip()}" not in ignored}
        return {OLDER_NAMES.get(key, key): value for key, value in trimmed.items()}

    def _effective_body(self, resource: Resource, body: Body) -> Body:
        """Return a PUT's body without the nulls and empty texts that change nothing."""
        fields = (resource.write_spec if isinstance(resource, WritableResource) else NO_FIELDS).by_name
        without_text = {name for name, field in fields.items() if field.type not in TEXTS}
        empty_clears = self.behaviour.put_empty_clears or self.behaviour.put_null == "empty"
        null_clears = self.behaviour.put_null == "clear"

        def is_effective(name: str, value: object) -> bool:
            if value is None or (value == "" and name in without_text):
                return null_clears
            return value != "" or empty_clears

        return {name: value for name, value in body.items() if is_effective(name, value)}

    def _with_own_id(self, resource: Resource, row: Row) -> Row:
        """Return a new row whose nested elements carry its id, which was unknown before the insert."""
        changed: dict[str, Any] = {}
        columns = {"assignments": "assignable_id", "settings": "field_instance_id"}
        if resource.name in CUSTOM_FIELD_OBJECTS:
            columns["customfields"] = owner_column(resource.name)
        for key, column in columns.items():
            reference, cell = {column: row["id"]}, row.get(key)
            if cell:
                is_object = isinstance(cell, dict)
                changed[key] = cell | reference if is_object else [element | reference for element in cell]
        return self.store.patch(resource.name, row["id"], changed) if changed else row

    def _with_locations(self, resource: Resource, row: Row, locations: Any) -> Row:
        """Store the locations inside a customer's body: the main one is replaced, others are added."""
        for location in locations if isinstance(locations, list) else ():
            values = {key: location[key] for key in INLINE_LOCATION if location.get(key) is not None}
            values |= {"object_id": row["id"], "object_type": OBJECT_TYPES["customer"]}
            main = row["main_location"] if values.get("is_main_location") else None
            if main:
                stored = self.store.update("locations", main["id"], values)
            else:
                stored = self.store.create("locations", values)
            self._update_dependents("locations", stored)
        return self.store.get(resource.name, row["id"])
