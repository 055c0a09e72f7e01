"""What material lists can be connected with, and where a link shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fieldpulse_sandbox.data.store import Store
    from fieldpulse_sandbox.seed import Row

    from .validation import Body

ENTITIES = {
    "job": "jobs",
    "project": "projects",
    "invoice": "invoices",
    "order": "purchase_orders",
    "estimate": "estimates",
}
"""The names of entities (D), and whose rows they mean."""
COLUMNS = {"job": "job_id", "project": "project_id"}
"""The columns of a material list that show a link (assumed); the other links show nowhere."""


def unknown_link_ids(store: Store, row: Row, body: Body) -> Iterator[str]:
    """Yield where a body names an entity or an item that is not there."""
    for end in ("to", "from"):
        name = f"{end}_entity_id"
        if name in body and store.find(ENTITIES[body[f"{end}_entity"]], body[name]) is None:
            yield name
    if "item_ids" in body:
        yield from _unknown_items(store, row, body["item_ids"])


def _unknown_items(store: Store, row: Row, given: object) -> Iterator[str]:
    """Yield the ids that are neither of a line of the list nor of an item (assumed: which is meant is unknown)."""
    if not isinstance(given, list) or not given:
        yield "item_ids"
        return
    lines = {str(line[key]) for line in row["items"] for key in ("id", "item_id") if line.get(key)}
    for place, number in enumerate(given):
        if str(number) not in lines and store.find("items", number) is None:
            yield f"item_ids.{place}"
