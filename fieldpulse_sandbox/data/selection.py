"""Which rows of a table, in which order: what a query asks of it."""

from __future__ import annotations

from dataclasses import dataclass

from .conditions import Condition

Sort = tuple[str, bool]
"""A column, and whether it descends."""


@dataclass(frozen=True)
class Selection:
    """Which rows, in which order. Equal selections give equal rows until something is written."""

    conditions: tuple[Condition, ...] = ()
    sorts: tuple[Sort, ...] = ()
    search: str = ""
    default_order: str = "mixed"
    with_deleted: bool = False
