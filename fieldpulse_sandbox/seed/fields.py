"""Custom fields: definitions, and values on a share of the rows.

They are built last, so that they do not change the random numbers of other rows.
"""

from __future__ import annotations

from random import Random

from fieldpulse_sandbox.schema.table_shapes import Row

from .draft import AccountDraft
from .reference import FOUNDED

TEXT, NUMBER, DATE, CHECKBOX, DROP_DOWN = 1, 2, 3, 4, 5
"""Ids of the widgets. 1 and 2 are documented; 3 to 5 are assumed (API facts 4.9)."""
DEFINITIONS: tuple[tuple[str, str, int, list[str]], ...] = (
    ("Gate code", "customer", TEXT, []),
    ("Number of units", "customer", NUMBER, []),
    ("Preferred day", "customer", DROP_DOWN, ["Monday", "Wednesday", "Friday"]),
    ("Contract until", "customer", DATE, []),
    ("Service plan", "customer", CHECKBOX, []),
    ("Permit number", "job", TEXT, []),
    ("Crew size", "job", NUMBER, []),
    ("Permit expires", "job", DATE, []),
    ("Ladder needed", "job", CHECKBOX, []),
    ("PO number", "invoice", TEXT, []),
    ("Approved on", "invoice", DATE, []),
    ("Roof pitch", "project", TEXT, []),
    ("Inspection passed", "project", CHECKBOX, []),
    ("Bin", "item", TEXT, []),
    ("Shelf life (days)", "item", NUMBER, []),
    ("Refrigerant", "asset", DROP_DOWN, ["R-32", "R-410A", "R-454B"]),
    ("Last inspected", "asset", DATE, []),
    ("Van", "material_list", DROP_DOWN, ["North", "South"]),
    ("Pallets", "material_list", NUMBER, []),
)
"""Name, object, widget and allowed values of a definition."""
CUSTOM_FIELD_OBJECTS = {
    "customers": "customer",
    "jobs": "job",
    "invoices": "invoice",
    "projects": "project",
    "items": "item",
    "assets": "asset",
    "material_lists": "material_list",
}
"""The object of the definitions, by resource whose rows have custom values (documented)."""
MISFITS = {NUMBER: "about 3", DATE: "end of 2027", CHECKBOX: "yes", DROP_DOWN: "see notes"}
"""Values from before the field had this widget. Free text always fits."""
SHARE = 0.2
ROUND, MISFIT, EMPTY = 10, 3, 6
"""Of ten values of a definition one does not fit its widget, and one is null."""


def owner_column(name: str) -> str:
    """Return the column of a value that names its row of this resource."""
    return f"{CUSTOM_FIELD_OBJECTS[name]}_id"


def add_fields(draft: AccountDraft) -> None:
    """Add the definitions, then the values; the first row of each resource has a value of every definition."""
    if not draft.add_office_names("custom_fields", FOUNDED):
        _add_definitions(draft)
    for name, owner in CUSTOM_FIELD_OBJECTS.items():
        for definition in draft.rows["custom_fields"]:
            if owner in (definition["object"], *(definition["related_record_names"] or ())):
                _add_values(draft, name, definition)


def _add_definitions(draft: AccountDraft) -> None:
    for position, (name, owner, widget, allowed) in enumerate(DEFINITIONS):
        row = draft.add("custom_fields", FOUNDED, name=name, object=owner, position=position, field_widget_id=widget)
        row["related_record_names"] = [owner]
        row["settings"] = {"field_instance_id": row["id"], "allowed_values": allowed, "default_value": None}


def _add_values(draft: AccountDraft, name: str, definition: Row) -> None:
    """Give a share of a resource's rows a value of this definition."""
    rows = [row for place, row in enumerate(draft.rows[name]) if place == 0 or draft.chance(SHARE)]
    for place, row in enumerate(rows):
        value = _value(draft.rng, definition, place % ROUND)
        row["customfields"].append(draft.custom_value(definition, (owner_column(name), row), value))


def _value(rng: Random, definition: Row, place: int) -> str | None:
    """Return a value of the widget, always as text (inferred), or one of the exceptions at their places."""
    widget = definition["field_widget_id"]
    allowed: list[str] = (definition["settings"] or {}).get("allowed_values") or []
    if place == EMPTY:
        return None
    if place == MISFIT and widget in MISFITS:
        return MISFITS[widget]
    if allowed or widget == CHECKBOX:
        return rng.choice(allowed or ["0", "1"])
    if widget == DATE:
        return f"2027-{rng.randrange(1, 13):02d}-{rng.randrange(1, 29):02d}"
    if widget == NUMBER:
        return str(rng.randrange(1, 40))
    return f"{rng.randrange(10_000):04d}"
