"""The line items of estimates and invoices: their form, their sum, and the change of their prices."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from fieldpulse_sandbox.data.errors import Problem
from fieldpulse_sandbox.data.store import Store
from fieldpulse_sandbox.schema.table_shapes import Row

from .field_values import decimal_or_none, decimal_text

PARTS = "line_components"
LINE = {
    "line_number": 0,
    "line_type": "item",
    "line_title": "",
    "description": "",
    "line_price_visibility": "all",
    "line_visibility": "all",
}
PART = {
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
    """Return what is wrong in the lines of a body."""
    problems = []
    for place, line in enumerate(lines if isinstance(lines, list) else ()):
        path = f"line_items.{place}"
        parts = (line.get(PARTS) or []) if isinstance(line, dict) else None
        if not isinstance(parts, list) or not all(isinstance(part, dict) for part in parts):
            problems.append((path, f"The {path} must be an array."))
            continue
        problems += [
            (f"{path}.{PARTS}.{inner}.{name}", f"The {path}.{PARTS}.{inner}.{name} must be a number.")
            for inner, part in enumerate(parts)
            for name in NUMBERS
            if part.get(name) not in (None, "") and decimal_or_none(part[name]) is None
        ]
    return problems


def whole_lines(store: Store, lines: list[Row]) -> list[Row]:
    """Return lines as rows have them: complete, with ids, their decimals as text."""
    return [_line(store, line, place) for place, line in enumerate(lines)]


def _line(store: Store, given: Row, place: int) -> Row:
    said = {key: value for key, value in _said(given).items() if key != PARTS}
    parts = [_part(store, part) for part in given.get(PARTS) or ()]
    return {"id": store.next_element_id()} | LINE | {"line_number": place} | said | {PARTS: parts}


def _part(store: Store, given: Row) -> Row:
    said = _said(given)
    decimals = {key: decimal_text(key, decimal_or_none(said[key]) or Decimal(0)) for key in NUMBERS if key in said}
    return {"id": store.next_element_id()} | PART | said | decimals


def _said(given: Row) -> Row:
    """Return what is given: an empty id or number is none."""
    emptied = {"id", *NUMBERS}
    return {key: value for key, value in given.items() if value is not None and not (key in emptied and value == "")}


def sum_of(lines: list[Row]) -> Decimal:
    """Return what lines cost together."""
    parts = [part for line in lines for part in line[PARTS]]
    return sum((Decimal(part["quantity"]) * Decimal(part["unit_price"]) for part in parts), Decimal(0))


def with_new_prices(lines: list[Row], changes: dict[int, dict[int, Row]]) -> list[Row]:
    """Return lines with other prices: `changes` are by the ids of line and component."""
    after = []
    for line in lines:
        own = changes.get(line["id"], {})
        after.append(line | {PARTS: [part | own.get(part["id"], {}) for part in line[PARTS]]})
    return after


def new_prices(lines: list[Row]) -> dict[int, dict[int, Row]]:
    """Return the prices that a body names, by the ids of line and component."""
    found: dict[int, dict[int, Row]] = {}
    for line in lines:
        own = found.setdefault(line["id"], {})
        for part in line[PARTS]:
            given = {key: decimal_or_none(part.get(key)) for key in PRICES}
            prices = {key: decimal_text(key, value) for key, value in given.items() if value is not None}
            own[int(part["id"])] = own.get(int(part["id"]), {}) | prices
    return found


def unknown_line_ids(row: Row, lines: list[Row]) -> Iterator[str]:
    """Yield where a body names a line that the row lacks, or a component that the line lacks."""
    known = {line["id"]: {str(part["id"]) for part in line[PARTS]} for line in row["line_items"]}
    for place, line in enumerate(lines):
        parts = known.get(line["id"])
        if parts is None:
            yield f"line_items.{place}.id"
            continue
        for inner, part in enumerate(line[PARTS]):
            if str(part.get("id")) not in parts:
                yield f"line_items.{place}.{PARTS}.{inner}.id"
