"""Whether the rows that a body refers to are there. What the row refers to already stays valid, deleted or not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fieldpulse_sandbox.data.errors import Problem
from fieldpulse_sandbox.data.store import Store
from fieldpulse_sandbox.schema.object_types import OBJECT_TYPES
from fieldpulse_sandbox.schema.table_shapes import Row
from fieldpulse_sandbox.seed.fields import CUSTOM_FIELD_OBJECTS

from .field_values import invalid_choice

COLUMNS = {
    "customer_id": "customers",
    "invoice_id": "invoices",
    "job_id": "jobs",
    "recurring_job_id": "jobs",
    "project_id": "projects",
    "contract_id": "contracts",
    "user_id": "users",
    "assigned_to": "users",
    "assigned_id": "users",
    "vendor_id": "vendors",
    "location_id": "locations",
    "customer_contact_id": "customer_contacts",
    "primary_customer_contact_id": "customer_contacts",
    "subtask_id": "subtasks",
    "asset_category_id": "asset_categories",
    "pipeline_status_id": "pipeline_statuses",
    "lead_source_id": "lead_sources",
}
"""Columns that must name a live row. The statuses of documents are not among them: no list has those."""
TYPED = {"commentable_id": "commentable_type", "object_id": "object_type"}
"""Columns that name a row of the class that another column says."""
BY_CLASS = {
    long: "subtasks" if short == "subtask" else f"{short.removesuffix('s')}s" for short, long in OBJECT_TYPES.items()
}
LISTS = {"tags": "tags", "job_ids": "jobs"}
"""Lists of ids."""
ELEMENTS = {"assignments": {"user_id": "users", "team_id": "teams"}}
"""Lists of objects with ids, each of which may be null."""


def reference_problems(store: Store, name: str, values: Row, before: Row) -> list[Problem]:
    """Return the references to rows that are not there. `before` is {} on create."""
    paths = [
        *_columns(store, values, before),
        *_listed(store, values, before),
        *_elements(store, values),
        *_custom_values(store, name, values, before),
    ]
    return [(path, str(invalid_choice(path))) for path in paths]


def _columns(store: Store, values: Row, before: Row) -> Iterator[str]:
    for column, table in COLUMNS.items():
        number = values.get(column)
        if number is not None and number != before.get(column) and store.find(table, number) is None:
            yield column
    after = before | values
    for column, kind in TYPED.items():
        is_said = column in values or kind in values
        if is_said and _pair(after, column) != _pair(before, column) and not _is_there(store, after, column):
            yield column


def _pair(row: Row, column: str) -> tuple[Any, Any]:
    return row.get(TYPED[column]), row.get(column)


def _is_there(store: Store, row: Row, column: str) -> bool:
    kind, number = _pair(row, column)
    if kind is None or number is None:
        return True  # that it lacks is another complaint
    return kind in BY_CLASS and store.find(BY_CLASS[kind], number) is not None


def _listed(store: Store, values: Row, before: Row) -> Iterator[str]:
    for column, table in LISTS.items():
        kept = before.get(column) or ()
        for place, number in enumerate(values.get(column) or ()):
            if number not in kept and store.find(table, number) is None:
                yield f"{column}.{place}"


def _elements(store: Store, values: Row) -> Iterator[str]:
    for column, keys in ELEMENTS.items():
        for place, element in enumerate(values.get(column) or ()):
            if not isinstance(element, dict):
                yield f"{column}.{place}"
                continue
            for key, table in keys.items():
                if element.get(key) is not None and store.find(table, element[key]) is None:
                    yield f"{column}.{place}.{key}"


def _custom_values(store: Store, name: str, values: Row, before: Row) -> Iterator[str]:
    """Yield what is wrong in `customfields`: definitions of other objects, and ids of values that the row lacks."""
    own = {one["id"]: one["field_instance_id"] for one in before.get("customfields") or ()}
    for place, given in enumerate(values.get("customfields") or ()):
        one = given if isinstance(given, dict) else {}
        field = store.find("custom_fields", one.get("field_instance_id"))
        if field is None or field["object"] != CUSTOM_FIELD_OBJECTS.get(name):
            yield f"customfields.{place}.field_instance_id"
        elif one.get("id") not in (None, "") and str(own.get(_whole(one["id"]))) != str(field["id"]):
            yield f"customfields.{place}.id"


def _whole(given: Any) -> int | None:
    return int(given) if isinstance(given, int) or (isinstance(given, str) and given.isdigit()) else None
