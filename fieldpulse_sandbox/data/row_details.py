"""What the answers about one row show: more than a list row by id, and never what no answer has."""

from __future__ import annotations

from fieldpulse_sandbox.schema.table_shapes import NEVER_SHOWN, Row

from .store import Store

EMBEDDED: dict[str, tuple[tuple[str, str, str], ...]] = {
    "jobs": (
        ("customer", "customers", "customer_id"),
        ("entity_location", "locations", "location_id"),
        ("customer_contact", "customer_contacts", "customer_contact_id"),
    ),
}
"""Key, resource and the column that refers to it. A deleted row is embedded as null."""


def detail_row(store: Store, name: str, row: Row) -> Row:
    """Return a row as its path by id shows it."""
    extras = {key: store.find(target, row[column]) for key, target, column in EMBEDDED.get(name, ())}
    customer = extras.get("customer")
    if customer:
        extras["customer"] = store.tables["customers"].list_row(customer)
    return without_hidden(name, row) | extras


def without_hidden(name: str, row: Row) -> Row:
    """Return a row without what no answer has."""
    hidden = NEVER_SHOWN.get(name, frozenset())
    return {key: cell for key, cell in row.items() if key not in hidden}
