"""One condition of a read: a column, an operator, a value. Both kinds of filter and the search become these."""

from __future__ import annotations

import operator
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
OPERATORS = ("=", "in", *COMPARISONS)
"""What a bracket filter may say."""
ASSIGNMENT = {"assigned": "user_id", "team": "team_id"}
"""What only our own conditions say of the elements of `assignments`: that one holds any of these users, or teams."""
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
"""The flat parameters that the vendor documents, by resource; every other flat parameter is ignored (V)."""
WORDS = {("subtasks", "status"): {"open": "1", "close": "2"}}


@dataclass(frozen=True)
class Condition:
    """A claim about one column; the values of rows and of requests differ in form, so both are brought together."""

    column: str
    operator: str
    value: str

    def test(self) -> Test:
        """Return the function that decides whether a row fits. A null fits nothing, as in SQL."""
        column = self.column
        if self.operator in ASSIGNMENT:
            return self._assignment(ASSIGNMENT[self.operator])
        if self.operator in COMPARISONS:
            return self._comparison(COMPARISONS[self.operator])
        wanted = self.equals() or set()
        return lambda row: row.get(column) in wanted

    def equals(self) -> set[Any] | None:
        """Return every cell that fits, or None if this is no claim of equality."""
        if self.operator not in ("=", "in"):
            return None
        texts = self.value.split(",") if self.operator == "in" else [self.value]
        return {form for text in texts for form in _forms(text.strip())}

    def _assignment(self, key: str) -> Test:
        column, wanted = self.column, set(self.value.split(","))
        return lambda row: any(str(one.get(key)) in wanted for one in row.get(column) or ())

    def _comparison(self, compare: Callable[[Any, Any], bool]) -> Test:
        column, number, moment = self.column, _number(self.value), bare_from(self.value)

        def fits(row: Row) -> bool:
            cell = row.get(column)
            if cell is None:
                return False
            as_number = _number(cell)
            if as_number is None:
                return compare(str(cell), self.value) if moment is None else compare(_moment(str(cell)), moment)
            return number is not None and compare(as_number, number)

        return fits


def flat_conditions(name: str, query: dict[str, str]) -> list[Condition]:
    """Return the conditions of the flat parameters that are documented for this list."""
    found = []
    for parameter, (column, operation) in FLAT.get(name, {}).items():
        value = query.get(parameter, "")
        if not value:
            continue
        value = WORDS.get((name, parameter), {}).get(value, value)
        if parameter == "object_type" and column.endswith("_type"):
            value = OBJECT_TYPES.get(value, value)
        found.append(Condition(column, operation, value))
    return found


def _forms(text: str) -> list[Any]:
    """Return what a cell may hold that equals this text of a request."""
    forms: list[Any] = [text]
    if text.lstrip("-").isdigit():
        forms.append(int(text))
    if text in ("true", "false"):
        forms.append(text == "true")
    moment = bare_from(text) if len(text) >= SHORTEST_TIME else None
    return forms if moment is None else [*forms, moment]


def _moment(cell: str) -> str:
    """Return a cell as a bare time, which most are already; plain dates and the few in ISO form are not."""
    return cell if len(cell) == BARE_LENGTH else bare_from(cell) or cell


def _number(value: object) -> float | None:
    if not isinstance(value, str | int | float):
        return None
    try:
        return float(value)
    except ValueError:
        return None
