"""References of a body to other rows. A reference that the row has already stays valid, even to a deleted row."""

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
"""Columns that refer to a row, with its resource. The API has no list of the statuses of documents."""
TYPED_COLUMNS = {"commentable_id": "commentable_type", "object_id": "object_type"}
"""Columns that refer to a row of the class in another column."""
RESOURCE_BY_CLASS = {
    class_name: "subtasks" if short == "subtask" else f"{short.removesuffix('s')}s"
    for short, class_name in OBJECT_TYPES.items()
}
ID_LISTS = {"tags": "tags", "job_ids": "jobs"}
"""Columns that hold a list of ids."""
ELEMENTS = {"assignments": {"user_id": "users", "team_id": "teams"}}
"""Columns that hold a list of objects with ids, each of which may be null."""


def reference_problems(store: Store, name: str, values: Row, before: Row) -> list[Problem]:
    """Return a problem for each reference to a row that does not exist. `before` is {} on create."""
    paths = [
        *_unknown_in_columns(store, values, before),
        *_unknown_in_lists(store, values, before),
        *_unknown_in_elements(store, values),
        *_unknown_custom_values(store, name, values, before),
    ]
    return [(path, str(invalid_choice(path))) for path in paths]


def _unknown_in_columns(store: Store, values: Row, before: Row) -> Iterator[str]:
    for column, resource in COLUMNS.items():
        row_id = values.get(column)
        if row_id is not None and row_id != before.get(column) and store.find(resource, row_id) is None:
            yield column
    after = before | values
    for column, type_column in TYPED_COLUMNS.items():
        is_written = column in values or type_column in values
        is_changed = _typed_reference(after, column) != _typed_reference(before, column)
        if is_written and is_changed and not _typed_row_exists(store, after, column):
            yield column


def _typed_reference(row: Row, column: str) -> tuple[Any, Any]:
    return row.get(TYPED_COLUMNS[column]), row.get(column)


def _typed_row_exists(store: Store, row: Row, column: str) -> bool:
    class_name, row_id = _typed_reference(row, column)
    if class_name is None or row_id is None:
        return True  # a missing field is another problem
    return class_name in RESOURCE_BY_CLASS and store.find(RESOURCE_BY_CLASS[class_name], row_id) is not None


def _unknown_in_lists(store: Store, values: Row, before: Row) -> Iterator[str]:
    for column, resource in ID_LISTS.items():
        existing = before.get(column) or ()
        for place, row_id in enumerate(values.get(column) or ()):
            if row_id not in existing and store.find(resource, row_id) is None:
                yield f"{column}.{place}"


def _unknown_in_elements(store: Store, values: Row) -> Iterator[str]:
    for column, keys in ELEMENTS.items():
        for place, element in enumerate(values.get(column) or ()):
            if not isinstance(element, dict):
                yield f"{column}.{place}"
                continue
            for key, resource in keys.items():
                if element.get(key) is not None and store.find(resource, element[key]) is None:
                    yield f"{column}.{place}.{key}"


def _unknown_custom_values(store: Store, name: str, values: Row, before: Row) -> Iterator[str]:
    """Yield the paths of definitions of other objects, and of ids of values that the row does not have."""
    definition_ids = {value["id"]: value["field_instance_id"] for value in before.get("customfields") or ()}
    for place, element in enumerate(values.get("customfields") or ()):
        entry = element if isinstance(element, dict) else {}
        definition = store.find("custom_fields", entry.get("field_instance_id"))
        value_id = entry.get("id")
        if definition is None or definition["object"] != CUSTOM_FIELD_OBJECTS.get(name):
            yield f"customfields.{place}.field_instance_id"
        elif value_id not in (None, "") and str(definition_ids.get(_integer(value_id))) != str(definition["id"]):
            yield f"customfields.{place}.id"


def _integer(value: Any) -> int | None:
    return int(value) if isinstance(value, int) or (isinstance(value, str) and value.isdigit()) else None
