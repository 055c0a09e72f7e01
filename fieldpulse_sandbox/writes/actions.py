"""The requests of their own that the catalogue calls `Call`: new prices of an invoice, links of material lists."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fieldpulse_sandbox.data.store import MaterialListLink

from .document_totals import amounts
from .field_values import invalid_choice
from .line_items import line_problems, new_prices, priced, unknown_lines
from .links import COLUMNS, unknown_link_ids
from .validation import Body, ValidationFailed, documented_values, missing_fields

if TYPE_CHECKING:
    from collections.abc import Callable

    from fieldpulse_api.resources.write_model import Action
    from fieldpulse_sandbox.behaviour.switches import Behaviour
    from fieldpulse_sandbox.data.store import Store
    from fieldpulse_sandbox.seed import Row

    from .references import Problem


def method_of(call: Action) -> str:
    """Return the method of a call: a PUT changes what is inside the row, a POST links it."""
    return "PUT" if call.body_key else "POST"


class Actions:
    """What each call does. Nothing is stored when a body is refused."""

    def __init__(self, store: Store, behaviour: Behaviour) -> None:
        """Write to this store."""
        self.store = store
        self.behaviour = behaviour
        self.by_name: dict[str, Callable[[Row, list[Body]], Row]] = {
            "price_update": self._update_prices,
            "connect": self._connect,
            "disconnect": self._disconnect,
            "item_connect": self._connect,
        }

    def run(self, call: Action, row: Row, body: Body) -> Row:
        """Carry a call out and return the row as it is now.

        Raises: Refused.
        """
        elements, problems = _elements(call, body, self.behaviour)
        if not problems:
            paths = unknown_lines(row, elements) if call.body_key else unknown_link_ids(self.store, row, elements[0])
            problems = [(path, str(invalid_choice(path))) for path in paths]
        if problems:
            raise ValidationFailed(problems)
        return self.by_name[call.name](row, elements)

    def _update_prices(self, invoice: Row, lines: list[Body]) -> Row:
        """Replace unit costs and unit prices, and what follows from them."""
        after = {"line_items": priced(invoice["line_items"], new_prices(lines))}
        return self.store.update("invoices", invoice["id"], after | amounts(invoice | after))

    def _connect(self, row: Row, elements: list[Body]) -> Row:
        """Add a link, also where there is one already, and show it in its column, if it is of the whole list."""
        (body,) = elements
        entity, number = body["to_entity"], body["to_entity_id"]
        some = tuple(int(one) for one in body.get("item_ids", ()))
        self.store.links[row["id"]].append(MaterialListLink(entity, number, some))
        column = None if some else COLUMNS.get(entity)
        return self.store.update("material_lists", row["id"], {column: number} if column else {})

    def _disconnect(self, row: Row, elements: list[Body]) -> Row:
        """Undo every link with an entity; where there is none, nothing changes (assumed)."""
        (body,) = elements
        entity, number = body["from_entity"], body["from_entity_id"]
        links = self.store.links[row["id"]]
        links[:] = [link for link in links if (link.entity, link.entity_id) != (entity, number)]
        column = COLUMNS.get(entity)
        is_shown = column is not None and row[column] == number
        return self.store.update("material_lists", row["id"], {str(column): None} if is_shown else {})


def _elements(call: Action, body: Body, behaviour: Behaviour) -> tuple[list[Body], list[Problem]]:
    """Return the elements of a body, which is one itself unless they are inside a key, and what is wrong in them."""
    body = {key.strip(): value for key, value in body.items()}
    given: Any = body.get(call.body_key) if call.body_key else [body]
    if not isinstance(given, list) or not given:
        return [], missing_fields((str(call.body_key),), {})
    elements, problems = [], line_problems(given) if call.body_key else []
    for place, one in enumerate(given):
        prefix = f"{call.body_key}.{place}." if call.body_key else ""
        said = one if isinstance(one, dict) else {}
        values, unfit = documented_values(call.item, said, behaviour, prefix)
        problems += missing_fields(call.item.required, said, prefix) + unfit
        elements.append(values)
    return elements, problems
