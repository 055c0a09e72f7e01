"""Actions: requests beside create, update and delete.

The catalogue has two kinds: new prices of an invoice, and the links of a material list.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from fieldpulse_api.resources.write_model import Action
from fieldpulse_sandbox.behaviour.switches import Behaviour
from fieldpulse_sandbox.data.errors import Problem, ValidationFailed
from fieldpulse_sandbox.data.store import MaterialListLink, Store
from fieldpulse_sandbox.schema.table_shapes import Row

from .document_totals import amounts
from .field_values import invalid_choice
from .line_items import line_problems, new_prices, unknown_line_ids, with_new_prices
from .validation import Body, documented_values, missing_fields

LINK_ENTITIES = {
    "job": "jobs",
    "project": "projects",
    "invoice": "invoices",
    "order": "purchase_orders",
    "estimate": "estimates",
}
"""Entity names in the requests (documented), with the resource that each means."""
LINK_COLUMNS = {"job": "job_id", "project": "project_id"}
"""Columns of a material list that show a link (assumed); no response shows the other links."""


def method_of(action: Action) -> str:
    """Return the HTTP method: PUT changes elements of the row, POST links it."""
    return "PUT" if action.body_key else "POST"


class Actions:
    """The actions of the catalogue. A body that fails its validation changes nothing."""

    def __init__(self, store: Store, behaviour: Behaviour) -> None:
        """Write to `store`."""
        self.store = store
        self.behaviour = behaviour
        self.by_name: dict[str, Callable[[Row, list[Body]], Row]] = {
            "price_update": self._update_prices,
            "connect": self._connect,
            "disconnect": self._disconnect,
            "item_connect": self._connect,
        }

    def run(self, action: Action, row: Row, body: Body) -> Row:
        """Carry out an action and return the row afterwards.

        Raises: ValidationFailed.
        """
        elements, problems = _elements(action, body, self.behaviour)
        if not problems:
            is_prices = bool(action.body_key)
            paths = unknown_line_ids(row, elements) if is_prices else unknown_link_ids(self.store, row, elements[0])
            problems = [(path, str(invalid_choice(path))) for path in paths]
        if problems:
            raise ValidationFailed(problems)
        return self.by_name[action.name](row, elements)

    def _update_prices(self, invoice: Row, lines: list[Body]) -> Row:
        """Replace unit costs and unit prices, and recompute the amounts."""
        changes = {"line_items": with_new_prices(invoice["line_items"], new_prices(lines))}
        return self.store.update("invoices", invoice["id"], changes | amounts(invoice | changes))

    def _connect(self, row: Row, elements: list[Body]) -> Row:
        """Add a link, even if it exists already. A link of the whole list also sets its column."""
        (body,) = elements
        entity, entity_id = body["to_entity"], body["to_entity_id"]
        item_ids = tuple(int(item_id) for item_id in body.get("item_ids", ()))
        self.store.links[row["id"]].append(MaterialListLink(entity, entity_id, item_ids))
        column = None if item_ids else LINK_COLUMNS.get(entity)
        return self.store.update("material_lists", row["id"], {column: entity_id} if column else {})

    def _disconnect(self, row: Row, elements: list[Body]) -> Row:
        """Remove every link with an entity; without such a link nothing changes (assumed)."""
        (body,) = elements
        entity, entity_id = body["from_entity"], body["from_entity_id"]
        links = self.store.links[row["id"]]
        links[:] = [link for link in links if (link.entity, link.entity_id) != (entity, entity_id)]
        column = LINK_COLUMNS.get(entity)
        is_in_column = column is not None and row[column] == entity_id
        return self.store.update("material_lists", row["id"], {str(column): None} if is_in_column else {})


def _elements(action: Action, body: Body, behaviour: Behaviour) -> tuple[list[Body], list[Problem]]:
    """Return the elements of a body and their problems. Without a body key the body is the only element."""
    body = {key.strip(): value for key, value in body.items()}
    sent: Any = body.get(action.body_key) if action.body_key else [body]
    if not isinstance(sent, list) or not sent:
        return [], missing_fields((str(action.body_key),), {})
    elements, problems = [], line_problems(sent) if action.body_key else []
    for place, element in enumerate(sent):
        prefix = f"{action.body_key}.{place}." if action.body_key else ""
        fields = element if isinstance(element, dict) else {}
        values, unfit = documented_values(action.item, fields, behaviour, prefix)
        problems += missing_fields(action.item.required, fields, prefix) + unfit
        elements.append(values)
    return elements, problems


def unknown_link_ids(store: Store, row: Row, body: Body) -> Iterator[str]:
    """Yield the paths in a body that refer to an entity or an item that does not exist."""
    for end in ("to", "from"):
        name = f"{end}_entity_id"
        if name in body and store.find(LINK_ENTITIES[body[f"{end}_entity"]], body[name]) is None:
            yield name
    if "item_ids" in body:
        yield from _unknown_items(store, row, body["item_ids"])


def _unknown_items(store: Store, row: Row, item_ids: object) -> Iterator[str]:
    """Yield the paths of ids that are neither a line of the list nor an item.

    Which of the two the API means is unknown, so both are accepted.
    """
    if not isinstance(item_ids, list) or not item_ids:
        yield "item_ids"
        return
    lines = {str(line[key]) for line in row["items"] for key in ("id", "item_id") if line.get(key)}
    for place, item_id in enumerate(item_ids):
        if str(item_id) not in lines and store.find("items", item_id) is None:
            yield f"item_ids.{place}"
