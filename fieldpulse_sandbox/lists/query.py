"""The query of a list request. Parameters that are not documented are ignored, as by the live API (verified)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from fieldpulse_api.resources.model import ANY_COLUMN, Resource
from fieldpulse_sandbox.behaviour.switches import Behaviour
from fieldpulse_sandbox.data.conditions import IS_NULL, OPERATORS, Condition, flat_conditions
from fieldpulse_sandbox.data.custom_field_values import is_requested
from fieldpulse_sandbox.data.errors import BackendError, ValidationFailed
from fieldpulse_sandbox.data.store import Store
from fieldpulse_sandbox.data.table import Selection, Sort
from fieldpulse_sandbox.schema.column_rules import TIME_ENDINGS
from fieldpulse_sandbox.schema.timestamps import in_utc

from .assignee_filter import asn_conditions

BRACKETS = re.compile(r"(filter|sort)\[(\d+)\]\[(\w+)\]")
SEARCHABLE = frozenset(
    {
        "assets",
        "asset_categories",
        "company_profiles",
        "customers",
        "estimates",
        "invoices",
        "jobs",
        "material_lists",
        "payments",
        "projects",
        "vendors",
    }
)
"""Lists that document `search`."""
EVERY_LIST = "*"


@dataclass(frozen=True)
class ListQuery:
    """A parsed list request. `page` starts at 1; `with_custom_values` asks for custom values with definitions."""

    selection: Selection
    page: int
    limit: int
    is_counted: bool
    with_custom_values: bool


def read_query(store: Store, resource: Resource, items: Sequence[tuple[str, str]], behaviour: Behaviour) -> ListQuery:
    """Return the meaning of a query, given as (name, value) pairs, under a behaviour.

    Raises: ValidationFailed, BackendError.
    """
    query = dict(items)
    brackets = _brackets(query)
    conditions = []
    if behaviour.honour_filter:
        conditions = flat_conditions(resource.name, query)
        conditions += asn_conditions(store, resource.name, items, behaviour.asn_form)
        conditions += _bracket_conditions(resource, brackets.get("filter", {}), behaviour)
    if conditions and behaviour.filters_match_nothing:
        conditions = [Condition("id", "=", "0")]
    sorts = _sorts(resource, query, brackets.get("sort", {}), behaviour)
    search = query.get("search", "").strip().lower() if resource.name in SEARCHABLE else ""
    is_paged = resource.supports_page or behaviour.honour_page
    wants_count = query.get("calculate_count") in ("true", "1")
    always_counted = behaviour.always_count
    return ListQuery(
        selection=Selection(
            tuple(conditions),
            tuple(sorts),
            search,
            behaviour.default_order,
            behaviour.list_deleted_rows,
            only_deleted=behaviour.honour_deleted and query.get("deleted") == "true",
        ),
        page=_positive(query.get("page"), 1) if is_paged else 1,
        limit=_limit(resource, query, behaviour),
        is_counted=(resource.supports_count and behaviour.count_on_request and wants_count)
        or resource.name in always_counted
        or EVERY_LIST in always_counted,
        with_custom_values=is_requested(resource.name, query),
    )


def _limit(resource: Resource, query: dict[str, str], behaviour: Behaviour) -> int:
    """Return the number of rows per page. Raises: ValidationFailed."""
    default = 50 if resource.name in behaviour.lists_with_limit_50 else behaviour.default_limit
    limit = _positive(query.get("limit"), default) if behaviour.honour_limit else default
    is_unlimited = behaviour.above_max_limit == "honour" or resource.name in behaviour.lists_above_max_limit
    if limit <= behaviour.max_limit or is_unlimited:
        return limit
    if behaviour.above_max_limit == "refuse":
        raise ValidationFailed([("limit", f"The limit may not be greater than {behaviour.max_limit}.")])
    return behaviour.max_limit if behaviour.above_max_limit == "clamp" else min(default, behaviour.max_limit)


def _brackets(query: dict[str, str]) -> dict[str, dict[int, dict[str, str]]]:
    """Return the PHP arrays of a query: `filter[0][value]=x` as {"filter": {0: {"value": "x"}}}."""
    arrays: dict[str, dict[int, dict[str, str]]] = {}
    for key, value in query.items():
        match = BRACKETS.fullmatch(key)
        if match:
            name, index, part = match.groups()
            arrays.setdefault(name, {}).setdefault(int(index), {})[part] = value
    return arrays


def _bracket_conditions(
    resource: Resource, filters: dict[int, dict[str, str]], behaviour: Behaviour
) -> list[Condition]:
    """Return the conditions of bracket filters. The lists that document `sort` document these as well.

    Raises: BackendError.
    """
    parts = [filters[index] for index in sorted(filters)] if resource.supports_sort else []
    conditions = [
        _bracket_condition(part, behaviour)
        for part in parts
        if "attribute" in part and ("value" in part or part.get("action") == IS_NULL)
    ]
    for condition in conditions:
        if condition.column in behaviour.failing_filter_columns:
            raise BackendError(condition.column)
    ignored = behaviour.unfilterable_columns
    return [
        condition
        for condition in conditions
        if condition.operator in (*OPERATORS, IS_NULL) and condition.column not in ignored
    ]


def _bracket_condition(part: dict[str, str], behaviour: Behaviour) -> Condition:
    if part.get("action") == IS_NULL:
        return Condition(part["attribute"], IS_NULL, "")
    value = part["value"]
    if part.get("class") == "boolean":
        value = {"1": "true", "0": "false"}.get(value, value)
    return Condition(part["attribute"], part.get("operator", "="), _in_utc(part["attribute"], value, behaviour))


def _in_utc(column: str, value: str, behaviour: Behaviour) -> str:
    """Return the value of a filter; a time without a zone is in the zone of the account."""
    is_time = column.endswith(TIME_ENDINGS) and len(value) > len("2026-05-01")
    return str(in_utc(value, behaviour.time_zone)) if is_time else value


def _sorts(
    resource: Resource, query: dict[str, str], brackets: dict[int, dict[str, str]], behaviour: Behaviour
) -> list[Sort]:
    sorts: list[Sort] = []
    column = query.get("sort_by", "")
    is_sortable = column in resource.sort_by or ANY_COLUMN in resource.sort_by or behaviour.sort_by_undocumented
    if column and is_sortable and behaviour.honour_sort in (True, "sort_by"):
        sorts.append((column, query.get("sort_dir") == "desc"))
    if resource.supports_sort and behaviour.honour_sort in (True, "brackets"):
        parts = [brackets[index] for index in sorted(brackets) if brackets[index].get("attribute")]
        sorts += [(part["attribute"], part.get("order") == "desc") for part in parts]
    return [sort for sort in sorts if sort[0] not in behaviour.unsortable_columns]


def _positive(text: str | None, default: int) -> int:
    return max(1, int(text)) if text and text.isdigit() else default
