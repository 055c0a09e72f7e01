"""The line items of estimates and invoices: validation, completion, totals, and changes of prices."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from fieldpulse_sandbox.data.errors import Problem
from fieldpulse_sandbox.data.store import Store
from fieldpulse_sandbox.schema.table_shapes import Row

from .field_values import decimal_or_none, decimal_text

COMPONENTS = "line_components"
BLANK_LINE = {
    "line_number": 0,
    "line_type": "item",
    "line_title": "",
    "description": "",
    "line_price_visibility": "all",
    "line_visibility": "all",
}
BLANK_COMPONENT = {
    "title": "",
    "description": "",
    "quantity": "1",
    "unit_cost": "0.0000",
    "unit_price": "0.0000",
    "taxable": False,
    "type": "service",
    "sku": "",
    "hidden": False,
    "unit_measure": None,
    "tax_rate": "0",
    "xero_sales_account": None,
    "xero_tax_account": None,
}
PRICES = ("unit_cost", "unit_price")
NUMBERS = ("quantity", *PRICES, "tax_rate")


def line_problems(lines: Any) -> list[Problem]:
    """Return the problems of the lines of a body."""
    problems = []
    for place, line in enumerate(lines if isinstance(lines, list) else ()):
        path = f"line_items.{place}"
        components = (line.get(COMPONENTS) or []) if isinstance(line, dict) else None
        if not isinstance(components, list) or not all(isinstance(component, dict) for component in components):
            problems.append((path, f"The {path} must be an array."))
            continue
        paths = [
            f"{path}.{COMPONENTS}.{inner}.{name}"
            for inner, component in enumerate(components)
            for name in NUMBERS
            if component.get(name) not in (None, "") and decimal_or_none(component[name]) is None
        ]
        problems += [(number_path, f"The {number_path} must be a number.") for number_path in paths]
    return problems


def completed_lines(store: Store, lines: list[Row]) -> list[Row]:
    """Return lines as rows have them: complete, with ids, their decimals as text."""
    return [_line(store, line, place) for place, line in enumerate(lines)]


def _line(store: Store, line: Row, place: int) -> Row:
    cells = {key: value for key, value in _without_empty(line).items() if key != COMPONENTS}
    components = [_component(store, component) for component in line.get(COMPONENTS) or ()]
    return {"id": store.next_element_id()} | BLANK_LINE | {"line_number": place} | cells | {COMPONENTS: components}


def _component(store: Store, component: Row) -> Row:
    cells = _without_empty(component)
    decimals = {key: decimal_text(key, decimal_or_none(cells[key]) or Decimal(0)) for key in NUMBERS if key in cells}
    return {"id": store.next_element_id()} | BLANK_COMPONENT | cells | decimals


def _without_empty(element: Row) -> Row:
    """Return an element without nulls; an empty id or number counts as null."""
    nullable = {"id", *NUMBERS}
    return {key: value for key, value in element.items() if value is not None and not (key in nullable and value == "")}


def lines_total(lines: list[Row]) -> Decimal:
    """Return the sum of quantity times unit price over all components."""
    components = [component for line in lines for component in line[COMPONENTS]]
    return sum((Decimal(part["quantity"]) * Decimal(part["unit_price"]) for part in components), Decimal(0))


def with_new_prices(lines: list[Row], changes: dict[int, dict[int, Row]]) -> list[Row]:
    """Return lines with other prices; `changes` are by line id and component id."""
    return [
        line | {COMPONENTS: [part | changes.get(line["id"], {}).get(part["id"], {}) for part in line[COMPONENTS]]}
        for line in lines
    ]


def new_prices(lines: list[Row]) -> dict[int, dict[int, Row]]:
    """Return the prices in a body, by line id and component id."""
    changes: dict[int, dict[int, Row]] = {}
    for line in lines:
        by_component = changes.setdefault(line["id"], {})
        for component in line[COMPONENTS]:
            decimals = {key: decimal_or_none(component.get(key)) for key in PRICES}
            prices = {key: decimal_text(key, value) for key, value in decimals.items() if value is not None}
            component_id = int(component["id"])
            by_component[component_id] = by_component.get(component_id, {}) | prices
    return changes


def unknown_line_ids(row: Row, lines: list[Row]) -> Iterator[str]:
    """Yield the paths in a body that name a line that the row does not have, or a component that the line does not."""
    component_ids = {line["id"]: {str(part["id"]) for part in line[COMPONENTS]} for line in row["line_items"]}
    for place, line in enumerate(lines):
        ids = component_ids.get(line["id"])
        if ids is None:
            yield f"line_items.{place}.id"
            continue
        for inner, component in enumerate(line[COMPONENTS]):
            if str(component.get("id")) not in ids:
                yield f"line_items.{place}.{COMPONENTS}.{inner}.id"
