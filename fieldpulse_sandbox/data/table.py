"""The rows of one resource, and the work that is kept until a row changes: encodings, orders, selections."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from operator import itemgetter
from random import Random
from typing import Any

import msgspec

from fieldpulse_sandbox.data.errors import BackendError
from fieldpulse_sandbox.schema.table_shapes import DETAIL_ONLY, NEVER_SHOWN, SHAPES, Row

from .conditions import ASSIGNMENT, Condition

SEARCH_COLUMNS = [
    "first_name",
    "last_name",
    "display_name",
    "company_name",
    "email",
    "alt_email",
    "secondary_email",
    "phone",
    "phone_e164",
    "secondary_phone",
    "address_1",
    "title",
    "name",
    "job_type",
    "subtitle",
    "notes",
    "tag",
    "serial_number",
    "manufacturer",
    "method",
]
REMEMBERED = 64
"""How many selections of a table are kept at most."""


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


class ColumnIndex:
    """Ids by value. Cells that are lists or objects are not found by any value."""

    def __init__(self, column: str, rows: Iterable[Row]) -> None:
        """Read every row once."""
        self._column = column
        self._ids: dict[Any, set[int]] = {}
        for row in rows:
            self.add(row)

    def add(self, row: Row) -> None:
        """Take a row in."""
        self._ids.setdefault(self._value(row), set()).add(row["id"])

    def discard(self, row: Row) -> None:
        """Forget a row as it was."""
        self._ids.get(self._value(row), set()).discard(row["id"])

    def find(self, values: Collection[Any]) -> list[int]:
        """Return the ids of the rows that have any of these values, ascending."""
        return sorted(number for value in values if value is not None for number in self._ids.get(value, ()))

    def _value(self, row: Row) -> Any:
        cell = row.get(self._column)
        return None if isinstance(cell, list | dict) else cell


class Table:
    """Rows by id, ascending. A row is replaced, never changed in place, so that what is kept can be trusted."""

    def __init__(self, name: str, rows: Iterable[Row]) -> None:
        """Take the rows over; those with a `deleted_at` go to the trash."""
        self.name = name
        everything = list(rows)
        self.rows: dict[int, Row] = {row["id"]: row for row in everything if not row.get("deleted_at")}
        self.deleted: dict[int, Row] = {row["id"]: row for row in everything if row.get("deleted_at")}
        self.last_id = max((row["id"] for row in everything), default=0)
        self.last_cuid = max((row.get("cuid") or 0 for row in everything), default=1000)
        nested = {key for row in everything[:50] for key, cell in row.items() if isinstance(cell, list | dict)}
        self.columns = frozenset(SHAPES[name]) - nested
        self._hidden = DETAIL_ONLY.get(name, frozenset()) | NEVER_SHOWN.get(name, frozenset())
        self._encoded: dict[int, bytes] = {}
        self._form: Callable[[str, Row], Row] | None = None
        self._haystacks: dict[int, str] = {}
        self._selected: dict[Selection, list[int]] = {}
        self._indexes: dict[str, ColumnIndex] = {}

    def upsert(self, row: Row) -> None:
        """Insert or replace a row."""
        number = row["id"]
        before = self.rows.get(number)
        for index in self._indexes.values():
            if before:
                index.discard(before)
            index.add(row)
        self.rows[number] = row
        self.last_id = max(self.last_id, number)
        self.last_cuid = max(self.last_cuid, row.get("cuid") or 0)
        self._forget(number)

    def remove(self, number: int, stamp: str) -> Row:
        """Take a row out of every answer, and return it as it lies in the trash, deleted at `stamp`."""
        self._forget(number)
        row = self.rows.pop(number)
        for index in self._indexes.values():
            index.discard(row)
        self.deleted[number] = trashed = row | {"deleted_at": stamp}
        return trashed

    def find(self, column: str, *values: Any) -> list[Row]:
        """Return the rows that have any of these values in a column, ascending by id."""
        index = self._indexes.get(column)
        if index is None:
            index = self._indexes[column] = ColumnIndex(column, self.rows.values())
        return [self.rows[number] for number in index.find(values)]

    def _forget(self, number: int) -> None:
        self._encoded.pop(number, None)
        self._haystacks.pop(number, None)
        self._selected.clear()

    def encoded(self, numbers: Iterable[int], form: Callable[[str, Row], Row]) -> list[bytes]:
        """Return these rows as JSON, as a list shows them in this form."""
        kept = self._encoded
        if form is not self._form:
            kept.clear()
            self._form = form
        for number in numbers:
            if number not in kept:
                row = self.rows.get(number) or self.deleted[number]
                kept[number] = msgspec.json.encode(form(self.name, self.list_row(row)))
        return [kept[number] for number in numbers]

    def list_row(self, row: Row) -> Row:
        """Return a row as a list shows it."""
        return {key: cell for key, cell in row.items() if key not in self._hidden} if self._hidden else row

    def select(self, selection: Selection) -> list[int]:
        """Return the ids of the selected rows in order. The list is kept: do not change it."""
        ids = self._selected.get(selection)
        if ids is None:
            if len(self._selected) >= REMEMBERED:
                self._selected.clear()
            ids = self._selected[selection] = self._ordered(self._fitting(selection), selection)
        return ids

    def _fitting(self, selection: Selection) -> list[Row]:
        rows = self._with_trash() if selection.with_deleted else None
        for claim in selection.conditions:
            if claim.operator not in ASSIGNMENT and claim.column not in self.columns:
                raise BackendError(claim.column)
            wanted = claim.equals()
            if rows is None and wanted is not None:
                rows = self.find(claim.column, *wanted)
            else:
                test = claim.test()
                rows = [row for row in (self.rows.values() if rows is None else rows) if test(row)]
        if rows is None:
            rows = list(self.rows.values())
        if selection.search:
            rows = [row for row in rows if selection.search in self._haystack(row)]
        return rows

    def _with_trash(self) -> list[Row]:
        return sorted((*self.rows.values(), *self.deleted.values()), key=itemgetter("id"))

    def _haystack(self, row: Row) -> str:
        text = self._haystacks.get(row["id"])
        if text is None:
            text = "\n".join(row[key] for key in SEARCH_COLUMNS if row.get(key)).lower()
            self._haystacks[row["id"]] = text
        return text

    def _ordered(self, rows: list[Row], selection: Selection) -> list[int]:
        """Return ids in the order asked for; ties, and everything if nothing was asked, keep the default order.

        The default order differs between lists and is mostly not that of the ids (V): customers ascend,
        lead sources have no order, the rest come newest first.
        """
        if selection.sorts != (("id", False),):
            rows = self._default_order(rows, selection.default_order)
        for column, is_descending in reversed(selection.sorts):
            if column in self.columns:
                rows = sorted(rows, key=lambda row, key=column: _rank(row[key]), reverse=is_descending)  # type: ignore[misc]
        return [row["id"] for row in rows]

    def _default_order(self, rows: list[Row], order: str) -> list[Row]:
        if order == "id" or (order == "mixed" and self.name == "customers"):
            return rows
        if order == "mixed" and self.name == "lead_sources":
            Random(len(rows)).shuffle(rows)
            return rows
        return rows[::-1]


def _rank(cell: Any) -> tuple[int, Any]:
    """Return a sort key for any mix of cells; nulls are last when ascending, as in PostgreSQL."""
    if cell is None:
        return (2, 0)
    return (0, cell) if isinstance(cell, int | float) else (1, str(cell))
