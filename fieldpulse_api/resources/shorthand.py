"""Shorthand for the fields, references and filters that several catalogue entries share."""

from __future__ import annotations

from collections.abc import Iterator

from .model import Filter
from .write_model import Field, FieldType, Reference

STATUS_EVENTS = ("Created", "Custom Status Update", "Workflow Custom Status Update")
"""Webhook events of jobs, estimates and invoices: all documented, one verified (API facts 5)."""

PURCHASE_ORDER_TYPE = "App\\Http\\Api\\Core\\Models\\BaseOrder"
"""The object type of purchase orders; only the class has been seen (API facts 4.3)."""


def fields_of(field_type: FieldType, names: str, max_length: int | None = None) -> Iterator[Field]:
    """Yield a field of one type for each of the names, which are separated by spaces."""
    return (Field(name, field_type, max_length) for name in names.split())


def derived_from(sources: str, columns: str) -> Iterator[tuple[str, str]]:
    """Yield a pair of column and source for each of the columns, and each of the sources that it is computed from."""
    return ((column, source) for source in sources.split() for column in columns.split())


def row_of(singular: str, field: str | None = None, **also_sets: str) -> Reference:
    """Return a reference to a row of the stream `<singular>s`, named by its external id."""
    return Reference(
        field=field or f"{singular}_id",
        stream=f"{singular}s",
        external_id_property=f"{singular}_external_id",
        also_sets=tuple(also_sets.items()),
    )


def user_by_email(field: str, name_property: str, list_item_key: str | None = None) -> Reference:
    """Return a reference to a user, named by e-mail address."""
    return Reference(
        field=field,
        stream="users",
        name_property=name_property,
        column="email",
        list_item_key=list_item_key,
        person_columns=("first_name", "last_name"),
    )


def tags_by_title(object_type: str | None = None) -> Reference:
    """Return a reference to tags, named by title; with `object_type` only to tags of that type or of none."""
    return Reference(
        field="tags",
        stream="tags",
        name_property="tags",
        column="title",
        is_list=True,
        restrict_to=("type", object_type) if object_type else None,
    )


ASSIGNMENTS = (
    user_by_email("assignments", "assigned_to_email", "user_id"),
    Reference(field="assignments", stream="teams", name_property="team", column="title", list_item_key="team_id"),
)


def time_range(name: str, column: str, *, query_params: tuple[str, str] = ("filter", "filter")) -> tuple[Filter, ...]:
    """Return the filters for the start and the end of a range in time."""
    first, last = query_params
    return (
        Filter(name=f"{name}_from", columns=(column,), comparison=">=", query_param=first),
        Filter(name=f"{name}_to", columns=(column,), comparison="<=", query_param=last),
    )
