"""What a list request asks for, read from its query string. Whatever is not documented there is ignored (V)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from fieldpulse_api.resources.model import ANY_COLUMN, Resource
from fieldpulse_sandbox.behaviour.switches import Behaviour
from fieldpulse_sandbox.data.conditions import OPERATORS, Condition, flat_conditions
from fieldpulse_sandbox.data.custom_field_values import is_requested
from fieldpulse_sandbox.data.errors import BackendError, ValidationFailed
from fieldpulse_sandbox.data.store import Store
from fieldpulse_sandbox.data.table import Selection, Sort
from fieldpulse_sandbox.schema.column_rules import TIME_ENDINGS
from fieldpulse_sandbox.schema.timestamps import in_utc

from .assignee_filter import asn_conditions

BRACKETS = re.compile(r"(filter|sort)\[(\d+)\]\[(\w+)\]")
SEARCHED = frozenset(
    [
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
    ]
)
"""The lists that document `search`."""
ALL = "*"
FIFTY = 50


@dataclass(frozen=True)
class ListQuery:
    """A list request. `page` starts at 1; `with_values` asks for custom values with their definitions."""

    selection: Selection
    page: int
    limit: int
    is_counted: bool
    with_custom_values: bool


def read_query(store: Store, resource: Resource, items: Sequence[tuple[str, str]], behaviour: Behaviour) -> ListQuery:
    """Return what the query string, as its (name, value) pairs, means for this list, as the behaviour has it.

    Raises: Refused, BackendError.
    """
    query = dict(items)
    brackets = _brackets(query)
    conditions = []
    if behaviour.honour_filter:
        conditions = flat_conditions(resource.name, query) + asn_conditions(store, resource.name, items)
        conditions += _filters(resource, brackets.get("filter", {}), behaviour)
    if conditions and behaviour.filters_match_nothing:
        conditions = [Condition("id", "=", "0")]
    sorts = _sorts(resource, query, brackets.get("sort", {}), behaviour)
    search = query.get("search", "").strip().lower() if resource.name in SEARCHED else ""
    is_paged = resource.supports_page or behaviour.honour_page
    is_counted = (
        resource.supports_count and behaviour.count_on_request and query.get("calculate_count") in ("true", "1")
    )
    free = behaviour.always_count
    return ListQuery(
        selection=Selection(
            tuple(conditions), tuple(sorts), search, behaviour.default_order, behaviour.list_deleted_rows
        ),
        page=_positive(query.get("page"), 1) if is_paged else 1,
        limit=_limit(resource, query, behaviour),
        is_counted=is_counted or resource.name in free or ALL in free,
        with_custom_values=is_requested(resource.name, query),
    )


def _limit(resource: Resource, query: dict[str, str], behaviour: Behaviour) -> int:
    """Return how many rows a page has. Raises: Refused."""
    default = FIFTY if resource.name in behaviour.lists_with_limit_50 else behaviour.default_limit
    limit = _positive(query.get("limit"), default) if behaviour.honour_limit else default
    cap = behaviour.max_limit
    if limit <= cap or behaviour.above_max_limit == "honour":
        return limit
    if behaviour.above_max_limit == "refuse":
        raise ValidationFailed([("limit", f"The limit may not be greater than {cap}.")])
    return cap if behaviour.above_max_limit == "clamp" else min(default, cap)


def _brackets(query: dict[str, str]) -> dict[str, dict[int, dict[str, str]]]:
    """Return the PHP arrays of the query: `filter[0][value]=x` as {"filter": {0: {"value": "x"}}}."""
    found: dict[str, dict[int, dict[str, str]]] = {}
    for key, value in query.items():
        match = BRACKETS.fullmatch(key)
        if match:
            kind, number, part = match.groups()
            found.setdefault(kind, {}).setdefault(int(number), {})[part] = value
    return found


def _filters(resource: Resource, given: dict[int, dict[str, str]], behaviour: Behaviour) -> list[Condition]:
    """Return the conditions of the bracket filters; they are documented on the lists that document `sort`.

    Raises: BackendError.
    """
    parts = [given[number] for number in sorted(given)] if resource.supports_sort else []
    conditions = [
        Condition(part["attribute"], part.get("operator", "="), _meant(part["attribute"], part["value"], behaviour))
        for part in parts
        if "attribute" in part and "value" in part
    ]
    for claim in conditions:
        if claim.column in behaviour.failing_filter_columns:
            raise BackendError(claim.column)
    blind = behaviour.unfilterable_columns
    return [claim for claim in conditions if claim.operator in OPERATORS and claim.column not in blind]


def _meant(column: str, value: str, behaviour: Behaviour) -> str:
    """Return the value of a filter; a time without a zone means the one of the account."""
    is_time = column.endswith(TIME_ENDINGS) and len(value) > len("2026-05-01")
    return str(in_utc(value, behaviour.time_zone)) if is_time else value


def _sorts(
    resource: Resource, query: dict[str, str], given: dict[int, dict[str, str]], behaviour: Behaviour
) -> list[Sort]:
    sorts: list[Sort] = []
    column = query.get("sort_by", "")
    is_listed = column in resource.sort_by or ANY_COLUMN in resource.sort_by or behaviour.sort_by_undocumented
    if column and is_listed and behaviour.honour_sort in (True, "sort_by"):
        sorts.append((column, query.get("sort_dir") == "desc"))
    if resource.supports_sort and behaviour.honour_sort in (True, "brackets"):
        parts = [given[number] for number in sorted(given) if given[number].get("attribute")]
        sorts += [(part["attribute"], part.get("order") == "desc") for part in parts]
    return [sort for sort in sorts if sort[0] not in behaviour.unsortable_columns]


def _positive(text: str | None, default: int) -> int:
    return max(1, int(text)) if text and text.isdigit() else default
