"""The answers in SQL: their questions, and what the tests count by hand on a small account, as examples."""

from __future__ import annotations

import csv
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

from fieldpulse_cli.answers import ANSWERS

from .tables import codes, table

_COUNTED = Path(__file__).parent.parent.parent / "tests" / "cli" / "answers" / "expected"
_AGES = ("not_due", "days_1_to_30", "days_31_to_60", "days_61_to_90", "days_over_90", "no_due_date")
Rows = list[dict[str, str]]


def sections() -> str:
    """Return a section for each answer, with the rows that the tests expect, and a chart where it helps."""
    return "".join(_section(name) for name in ANSWERS)


def _section(name: str) -> str:
    answer = ANSWERS[name]
    with (_COUNTED / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    example = table(tuple(rows[0]), (tuple(row.values()) for row in rows))
    chart = f"\n{_CHARTS[name](rows)}" if name in _CHARTS else ""
    reads = f"View `{name}`; reads {codes(answer.streams)}."
    return f"## {answer.question}\n\n{reads} {answer.leaves_out}\n\n{example}{chart}\n"


def _receivables(rows: Rows) -> str:
    sums = [sum(Decimal(row[age]) for row in rows) for age in _AGES]
    return _bars("Unpaid, by days past due", [age.replace("_", " ") for age in _AGES], [str(total) for total in sums])


def _weeks(rows: Rows) -> str:
    weeks = sorted({row["week"] for row in rows})
    sums = [sum(Decimal(row["revenue"]) for row in rows if row["week"] == week) for week in weeks]
    return _bars("Revenue of all technicians, by week", weeks, [str(total) for total in sums])


def _funnel(rows: Rows) -> str:
    return _bars("Customers at each stage", [row["stage"] for row in rows], [row["customers"] for row in rows])


def _bars(title: str, names: list[str], values: list[str]) -> str:
    """Return a bar chart, which GitHub draws."""
    axis = ", ".join(f'"{name}"' for name in names)
    return (
        f'```mermaid\nxychart-beta\n    title "{title}"\n    x-axis [{axis}]\n    y-axis 0 --> {_top(values)}\n'
        f"    bar [{', '.join(values)}]\n```\n"
    )


def _top(values: list[str]) -> str:
    return str(int(max(Decimal(value) for value in values)) + 1)


_CHARTS: dict[str, Callable[[Rows], str]] = {
    "receivables_by_age": _receivables,
    "technician_weeks": _weeks,
    "pipeline_funnel": _funnel,
}
