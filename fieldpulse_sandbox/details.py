"""What a row by id shows beyond the list row: columns of its own, and rows that it embeds."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .seed import Row
    from .store import Store

EMBEDDED: dict[str, tuple[tuple[str, str, str], ...]] = {
    "jobs": (
        ("customer", "customers", "customer_id"),
        ("entity_location", "locations", "location_id"),
        ("customer_contact", "customer_contacts", "customer_contact_id"),
    ),
}
"""Key, resource and the column that refers to it. A deleted row is embedded as null."""


def detailed(store: Store, name: str, row: Row) -> Row:
    """Return a row as its path by id shows it."""
    extras = {key: store.find(target, row[column]) for key, target, column in EMBEDDED.get(name, ())}
    customer = extras.get("customer")
    if customer:
        extras["customer"] = store.tables["customers"].shown(customer)
    return row | extras
