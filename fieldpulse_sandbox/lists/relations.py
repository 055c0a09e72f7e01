"""The parameter `rel`, which adds related rows to jobs (observed). Relations are in camelCase, their keys are not."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from fieldpulse_sandbox.data.store import Store
from fieldpulse_sandbox.schema.table_shapes import Row

Relation = Callable[[Store, Row], Any]
RELATIONS: dict[str, dict[str, tuple[str, Relation]]] = {
    "jobs": {
        "rel[customer]": ("customer", lambda store, job: store.find("customers", job["customer_id"])),
        "rel[invoices]": ("invoices", lambda store, job: store.tables["invoices"].find("job_id", job["id"])),
        "rel[entityLocation]": ("entity_location", lambda store, job: store.find("locations", job["location_id"])),
    }
}
"""By resource and parameter: the key of the related rows, and where they come from."""


def related_rows(store: Store, name: str, row: Row, parameters: Iterable[str]) -> Row:
    """Return the related rows that these parameters ask for, by key."""
    relations = RELATIONS.get(name, {})
    wanted = [relations[parameter] for parameter in parameters if parameter in relations]
    return {key: relation(store, row) for key, relation in wanted}
