"""What a list request asks for, read from its query string. Whatever is not documented there is ignored (V)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fieldpulse_api.resource import ANY_COLUMN, Resource

from .assigned import asn_conditions
from .conditions import OPERATORS, Condition, flat_conditions
from .custom_values import is_asked
from .selection import Selection, Sort

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .faults import Behaviour
    from .store import Store

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
DEFAULT_LIMITS = {"customers": 50, "company_profiles": 50, "material_lists": 50}
DEFAULT_LIMIT = 20


@dataclass(frozen=True)
class Query:
    """A list request. `page` starts at 1; `with_values` asks for custom values with their definitions."""

    selection: Selection
    page: int
    limit: int
    is_counted: bool
    with_values: bool


def read_query(store: Store, resource: Resource, items: Sequence[tuple[str, str]], behaviour: Behaviour) -> Query:
    """Return what the query string, as its (name, value) pairs, means for this list, as the behaviour has it."""
    query = dict(items)
    brackets = _brackets(query)
    conditions = []
    if behaviour.honour_filter:
        conditions = flat_conditions(resource.name, query) + asn_conditions(store, resource.name, items)
        conditions += _filters(resource, brackets.get("filter", {}), behaviour)
    if conditions and behaviour.misread_filter:
        conditions = [Condition("id", "=", "0")]
    sorts = _sorts(resource, query, brackets.get("sort", {})) if behaviour.honour_sort else []
    search = query.get("search", "").strip().lower() if resource.name in SEARCHED else ""
    is_paged = resource.paged or behaviour.honour_page
    default = DEFAULT_LIMITS.get(resource.name, DEFAULT_LIMIT)
    return Query(
        selection=Selection(tuple(conditions), tuple(sorts), search),
        page=_positive(query.get("page"), 1) if is_paged else 1,
        limit=min(_positive(query.get("limit"), default), behaviour.page_cap),
        is_counted=resource.counts and query.get("calculate_count") in ("true", "1"),
        with_values=is_asked(resource.name, query),
    )


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
    """Return the conditions of the bracket filters; they are documented on the lists that document `sort`."""
    parts = [given[number] for number in sorted(given)] if resource.sorts else []
    conditions = [
        Condition(part["attribute"], part.get("operator", "="), part["value"])
        for part in parts
        if "attribute" in part and "value" in part
    ]
    blind = behaviour.unfiltered_columns
    return [claim for claim in conditions if claim.operator in OPERATORS and claim.column not in blind]


def _sorts(resource: Resource, query: dict[str, str], given: dict[int, dict[str, str]]) -> list[Sort]:
    sorts: list[Sort] = []
    column = query.get("sort_by", "")
    if column and (column in resource.sort_by or ANY_COLUMN in resource.sort_by):
        sorts.append((column, query.get("sort_dir") == "desc"))
    if resource.sorts:
        parts = [given[number] for number in sorted(given) if given[number].get("attribute")]
        sorts += [(part["attribute"], part.get("order") == "desc") for part in parts]
    return sorts


def _positive(text: str | None, default: int) -> int:
    return max(1, int(text)) if text and text.isdigit() else default
