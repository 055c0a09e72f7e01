"""Conditions on one column: the common form of bracket filters, documented parameters and internal restrictions."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fieldpulse_sandbox.schema.object_types import OBJECT_TYPES
from fieldpulse_sandbox.schema.table_shapes import Row
from fieldpulse_sandbox.schema.timestamps import SHORTEST_TIME, bare_from

Test = Callable[[Row], bool]
COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    ">": operator.gt,
    "<": operator.lt,
    ">=": operator.ge,
    "<=": operator.le,
}
OPERATORS = ("=", "in", "like", "all", *COMPARISONS)
"""Operators of bracket filters."""
ASSIGNMENT = {"assigned": "user_id", "team": "team_id"}
"""Internal operators on `assignments`: some element has one of these users, or teams."""
LISTS = (*ASSIGNMENT, "unassigned", "all")
"""Operators on columns that hold lists."""
IS_NULL = "whereNull"
"""The action of a bracket filter that takes the place of an operator."""
BARE_LENGTH = 19

FLAT: dict[str, dict[str, tuple[str, str]]] = {
    "jobs": {
        "created_from": ("created_at", ">="),
        "created_to": ("created_at", "<="),
        "status_id": ("status_id", "in"),
    },
    "comments": {"object_type": ("commentable_type", "="), "object_id": ("commentable_id", "=")},
    "locations": {"object_type": ("object_type", "="), "object_id": ("object_id", "=")},
    "custom_fields": {"object_type": ("object", "=")},
    "tags": {"object_type": ("type", "=")},
    "job_qb_classes": {"active": ("active", "=")},
    "estimate_qb_classes": {"active": ("active", "=")},
    "invoice_qb_classes": {"active": ("active", "=")},
    "assets": {"status": ("status", "=")},
    "subtasks": {"status": ("status", "="), "assigned_user_id": ("assignments", "assigned")},
    "timesheets": {
        "user_id": ("user_id", "="),
        "type": ("type", "="),
        "in_time": ("clock_in_time", ">="),
        "out_time": ("clock_out_time", "<="),
    },
}
"""Documented filter parameters, by resource: column and operator. The API ignores all others (verified)."""
VALUE_CODES = {("subtasks", "status"): {"open": "1", "close": "2"}}


@dataclass(frozen=True)
class Condition:
    """A condition on one column. Values of rows and of requests differ in form and are normalized to compare them."""

    column: str
    operator: str
    value: str

    def test(self) -> Test:
        """Return a predicate of rows. Null matches nothing, as in SQL."""
        column = self.column
        if self.operator in ASSIGNMENT:
            return self._assignment(ASSIGNMENT[self.operator])
        if self.operator in COMPARISONS:
            return self._comparison(COMPARISONS[self.operator])
        if self.operator in (IS_NULL, "unassigned"):
            return lambda row: row.get(column) in (None, [])
        if self.operator == "all":
            wanted = set(self.value.split(","))
            return lambda row: wanted <= set(map(str, row.get(column) or ()))
        if self.operator == "like":
            pattern = re.compile(".*".join(map(re.escape, self.value.split("%"))), re.IGNORECASE | re.DOTALL)
            return lambda row: row.get(column) is not None and bool(pattern.fullmatch(str(row[column])))
        cells = self.equal_cells() or set()
        return lambda row: row.get(column) in cells

    def equal_cells(self) -> set[Any] | None:
        """Return every cell that matches, or None if the operator does not test equality."""
        if self.operator not in ("=", "in"):
            return None
        texts = self.value.split(",") if self.operator == "in" else [self.value]
        return {cell for text in texts for cell in _cells_equal_to(text.strip())}

    def _assignment(self, key: str) -> Test:
        column, ids = self.column, set(self.value.split(","))
        return lambda row: any(str(element.get(key)) in ids for element in row.get(column) or ())

    def _comparison(self, compare: Callable[[Any, Any], bool]) -> Test:
        column, number, time = self.column, _number(self.value), bare_from(self.value)

        def matches(row: Row) -> bool:
            cell = row.get(column)
            if cell is None:
                return False
            cell_number = _number(cell)
            if cell_number is None:
                return compare(str(cell), self.value) if time is None else compare(_bare(str(cell)), time)
            return number is not None and compare(cell_number, number)

        return matches


def flat_conditions(name: str, query: dict[str, str]) -> list[Condition]:
    """Return the conditions of the documented filter parameters of a list."""
    conditions = []
    for parameter, (column, operation) in FLAT.get(name, {}).items():
        value = query.get(parameter, "")
        if not value:
            continue
        value = VALUE_CODES.get((name, parameter), {}).get(value, value)
        if parameter == "object_type" and column.endswith("_type"):
            value = OBJECT_TYPES.get(value, value)
        conditions.append(Condition(column, operation, value))
    return conditions


def _cells_equal_to(text: str) -> list[Any]:
    """Return the cells that equal this text of a request."""
    cells: list[Any] = [text]
    if text.lstrip("-").isdigit():
        cells.append(int(text))
    if text in ("true", "false"):
        cells.append(text == "true")
    time = bare_from(text) if len(text) >= SHORTEST_TIME else None
    return cells if time is None else [*cells, time]


def _bare(cell: str) -> str:
    """Return a cell as a bare time. Most cells are one already; plain dates and a few ISO times are not."""
    return cell if len(cell) == BARE_LENGTH else bare_from(cell) or cell


def _number(value: object) -> float | None:
    if not isinstance(value, str | int | float):
        return None
    try:
        return float(value)
    except ValueError:
        return None
