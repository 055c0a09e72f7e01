"""Create, update and delete: a body is cleaned, validated, completed with what follows from it, and stored."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .conditions import CLASSES
from .effects import derived, spread
from .seed.fields import OBJECTS, owner_column
from .validation import Body, validated

if TYPE_CHECKING:
    from fieldpulse_api.resource import Resource

    from .faults import Behaviour
    from .seed import Row
    from .store import Store

READ_NAMES = {"assets": {"location": "location_description"}}
"""Body names that read back under another name (4.18)."""
TYPE_COLUMNS = ("object_type", "commentable_type")


class Writes:
    """The three ways to change a row. Nothing is stored when a body is refused."""

    def __init__(self, store: Store, behaviour: Behaviour) -> None:
        """Write to this store."""
        self.store = store
        self.behaviour = behaviour

    def create(self, resource: Resource, body: Body, parent: Row | None = None) -> Row:
        """Store a new row, below `parent` where the path says so.

        Raises: Refused.
        """
        values = validated(self.store, resource, _clean(resource, body), creating=True)
        if parent is not None:
            values |= {"customer_id": parent["id"]}
        values = derived(self.store, resource.name, values, {})
        places = values.pop("locations", None)
        row = self.store.create(resource.name, {key: cell for key, cell in values.items() if cell is not None})
        row = self._own(resource, row)
        spread(self.store, resource.name, row)
        return self._with_places(resource, row, places)

    def update(self, resource: Resource, row: Row, body: Body) -> Row:
        """Merge a body into a row; an explicit null is no change unless the behaviour clears it (contract 4.0).

        Raises: Refused.
        """
        body = _clean(resource, body)
        if self.behaviour.put_null == "ignore":
            body = {key: value for key, value in body.items() if value is not None}
        values = validated(self.store, resource, body, creating=False)
        values = derived(self.store, resource.name, values, row)
        places = values.pop("locations", None)
        after = self.store.update(resource.name, row["id"], values)
        if row.get("invoice_id") and row["invoice_id"] != after["invoice_id"]:
            spread(self.store, resource.name, row)
        spread(self.store, resource.name, after)
        return self._with_places(resource, after, places)

    def delete(self, resource: Resource, row: Row) -> Row:
        """Take a row out of every answer, and return it with its `deleted_at`."""
        trashed = self.store.delete(resource.name, row["id"])
        spread(self.store, resource.name, trashed)
        return trashed

    def _own(self, resource: Resource, row: Row) -> Row:
        """Return a new row whose nested elements carry its id, which was not known before."""
        owned: dict[str, Any] = {}
        columns = {"assignments": "assignable_id"}
        if resource.name in OBJECTS:
            columns["customfields"] = owner_column(resource.name)
        for key, column in columns.items():
            if row.get(key):
                owned[key] = [element | {column: row["id"]} for element in row[key]]
        return self.store.patch(resource.name, row["id"], owned) if owned else row

    def _with_places(self, resource: Resource, row: Row, places: Any) -> Row:
        """Store the locations that came inside a customer's body; its main one is replaced, others are added."""
        for place in places if isinstance(places, list) else ():
            values = {key: place[key] for key in INLINE_PLACE if place.get(key) is not None}
            values |= {"object_id": row["id"], "object_type": CLASSES["customer"]}
            main = row["main_location"] if values.get("is_main_location") else None
            if main:
                stored = self.store.update("locations", main["id"], values)
            else:
                stored = self.store.create("locations", values)
            spread(self.store, "locations", stored)
        return self.store.get(resource.name, row["id"])


INLINE_PLACE = ("title", "address_1", "address_2", "city", "state", "zip_code", "is_main_location")


def _clean(resource: Resource, body: Body) -> Body:
    """Return a body with trimmed names (`"method "` is in the vendor's examples), as the columns are called."""
    names = READ_NAMES.get(resource.name, {})
    cleaned = {names.get(key.strip(), key.strip()): value for key, value in body.items()}
    for key in TYPE_COLUMNS:
        if isinstance(cleaned.get(key), str):
            cleaned[key] = CLASSES.get(cleaned[key], cleaned[key])
    return cleaned
