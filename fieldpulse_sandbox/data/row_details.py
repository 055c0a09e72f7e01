"""Rows by id: columns that lists omit, embedded rows, and columns that no response has."""

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
"""Key of the embedded row, its resource, and the column that refers to it. A deleted row is embedded as null."""


def detail_row(store: Store, name: str, row: Row) -> Row:
    """Return a row as its path by id shows it."""
    embedded = {key: store.find(resource, row[column]) for key, resource, column in EMBEDDED.get(name, ())}
    if customer := embedded.get("customer"):
        whole = store.tables["customers"].list_row(customer)
        embedded["customer"] = {key: cell for key, cell in whole.items() if key != "main_location"}  # verified
    return without_hidden(name, row) | embedded


def without_hidden(name: str, row: Row) -> Row:
    """Return a row without the columns that no response has."""
    hidden = NEVER_SHOWN.get(name, frozenset())
    return {key: cell for key, cell in row.items() if key not in hidden}
