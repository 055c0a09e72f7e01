"""The rows of one resource.

Encoded rows, search texts, selections and column indexes are cached until a row changes: a test reads lists of
60,000 rows page by page.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from operator import itemgetter
from random import Random
from typing import Any

import msgspec

from fieldpulse_sandbox.schema.table_shapes import DETAIL_ONLY, NEVER_SHOWN, SHAPES, Row

from .conditions import LISTS, Condition
from .errors import BackendError

SEARCH_COLUMNS = (
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
)
MAX_CACHED_SELECTIONS = 64

Sort = tuple[str, bool]
"""A column, and whether it is in descending order."""
Formatter = Callable[[str, Row], Row]
"""Returns a row of a resource as responses show it."""


@dataclass(frozen=True)
class Selection:
    """The rows of a query, and their order."""

    conditions: tuple[Condition, ...] = ()
    sorts: tuple[Sort, ...] = ()
    search: str = ""
    default_order: str = "mixed"
    with_deleted: bool = False
    only_deleted: bool = False


class ColumnIndex:
    """Ids of rows by the value of one column. Lists and objects are not indexed."""

    def __init__(self, column: str, rows: Iterable[Row]) -> None:
        """Index every row."""
        self._column = column
        self._ids: dict[Any, set[int]] = {}
        for row in rows:
            self.add(row)

    def add(self, row: Row) -> None:
        """Add a row."""
        self._ids.setdefault(self._value(row), set()).add(row["id"])

    def discard(self, row: Row) -> None:
        """Remove a row, given as it was when it was added."""
        self._ids.get(self._value(row), set()).discard(row["id"])

    def find(self, values: Collection[Any]) -> list[int]:
        """Return the ids of the rows that have one of these values, ascending."""
        return sorted(row_id for value in values if value is not None for row_id in self._ids.get(value, ()))

    def _value(self, row: Row) -> Any:
        cell = row.get(self._column)
        return None if isinstance(cell, list | dict) else cell


class Table:
    """Rows by id, ascending. A row is replaced, never changed in place; the caches rely on that."""

    def __init__(self, name: str, rows: Iterable[Row]) -> None:
        """Store the rows; those with a `deleted_at` are kept apart."""
        self.name = name
        all_rows = list(rows)
        self.rows: dict[int, Row] = {row["id"]: row for row in all_rows if not row.get("deleted_at")}
        self.deleted: dict[int, Row] = {row["id"]: row for row in all_rows if row.get("deleted_at")}
        self.last_id = max((row["id"] for row in all_rows), default=0)
        self.last_cuid = max((row.get("cuid") or 0 for row in all_rows), default=1000)
        nested = {key for row in all_rows[:50] for key, cell in row.items() if isinstance(cell, list | dict)}
        self.columns = frozenset(SHAPES[name]) - nested
        self._hidden = DETAIL_ONLY.get(name, frozenset()) | NEVER_SHOWN.get(name, frozenset())
        self._encoded: dict[int, bytes] = {}
        self._formatter: Formatter | None = None
        self._search_texts: dict[int, str] = {}
        self._selections: dict[Selection, list[int]] = {}
        self._indexes: dict[str, ColumnIndex] = {}

    def upsert(self, row: Row) -> None:
        """Insert or replace a row."""
        row_id = row["id"]
        before = self.rows.get(row_id)
        for index in self._indexes.values():
            if before:
                index.discard(before)
            index.add(row)
        self.rows[row_id] = row
        self.last_id = max(self.last_id, row_id)
        self.last_cuid = max(self.last_cuid, row.get("cuid") or 0)
        self._invalidate(row_id)

    def remove(self, row_id: int, stamp: str) -> Row:
        """Move a row to the deleted ones, and return it with `stamp` as its `deleted_at`."""
        self.deleted[row_id] = deleted = self.take(row_id) | {"deleted_at": stamp}
        return deleted

    def take(self, row_id: int) -> Row:
        """Remove a row that moves to another table, and return it."""
        self._invalidate(row_id)
        row = self.rows.pop(row_id)
        for index in self._indexes.values():
            index.discard(row)
        return row

    def find(self, column: str, *values: Any) -> list[Row]:
        """Return the rows that have one of these values in a column, ascending by id."""
        index = self._indexes.get(column)
        if index is None:
            index = self._indexes[column] = ColumnIndex(column, self.rows.values())
        return [self.rows[row_id] for row_id in index.find(values)]

    def _invalidate(self, row_id: int) -> None:
        self._encoded.pop(row_id, None)
        self._search_texts.pop(row_id, None)
        self._selections.clear()

    def encoded(self, row_ids: Iterable[int], formatter: Formatter) -> list[bytes]:
        """Return rows as JSON, as a list shows them. Rows stay cached as long as the formatter is the same object."""
        row_ids, cache = list(row_ids), self._encoded
        if formatter is not self._formatter:
            cache.clear()
            self._formatter = formatter
        for row_id in row_ids:
            if row_id not in cache:
                row = self.rows.get(row_id) or self.deleted[row_id]
                cache[row_id] = msgspec.json.encode(formatter(self.name, self.list_row(row)))
        return [cache[row_id] for row_id in row_ids]

    def list_row(self, row: Row) -> Row:
        """Return a row as a list shows it."""
        return {key: cell for key, cell in row.items() if key not in self._hidden} if self._hidden else row

    def select(self, selection: Selection) -> list[int]:
        """Return the ids of the selected rows in order. The list is cached: do not change it.

        Raises: BackendError for a condition on something that is not a column.
        """
        row_ids = self._selections.get(selection)
        if row_ids is None:
            if len(self._selections) >= MAX_CACHED_SELECTIONS:
                self._selections.clear()
            row_ids = self._selections[selection] = self._sorted(self._matching(selection), selection)
        return row_ids

    def _matching(self, selection: Selection) -> list[Row]:
        rows = self._with_deleted() if selection.with_deleted else None
        if selection.only_deleted:
            rows = sorted(self.deleted.values(), key=itemgetter("id"))
        for condition in selection.conditions:
            if condition.operator not in LISTS and condition.column not in self.columns:
                raise BackendError(condition.column)
            cells = condition.equal_cells()
            if rows is None and cells is not None:
                rows = self.find(condition.column, *cells)
            else:
                test = condition.test()
                rows = [row for row in (self.rows.values() if rows is None else rows) if test(row)]
        if rows is None:
            rows = list(self.rows.values())
        if selection.search:
            rows = [row for row in rows if selection.search in self._search_text(row)]
        return rows

    def _with_deleted(self) -> list[Row]:
        return sorted((*self.rows.values(), *self.deleted.values()), key=itemgetter("id"))

    def _search_text(self, row: Row) -> str:
        text = self._search_texts.get(row["id"])
        if text is None:
            text = "\n".join(row[key] for key in SEARCH_COLUMNS if row.get(key)).lower()
            self._search_texts[row["id"]] = text
        return text

    def _sorted(self, rows: list[Row], selection: Selection) -> list[int]:
        """Return ids in the requested order; ties keep the default order."""
        if selection.sorts != (("id", False),):
            rows = self._in_default_order(rows, selection.default_order)
        for column, is_descending in reversed(selection.sorts):
            if column in self.columns:
                rows = sorted(rows, key=lambda row, key=column: _sort_key(row[key]), reverse=is_descending)  # type: ignore[misc]
        return [row["id"] for row in rows]

    def _in_default_order(self, rows: list[Row], order: str) -> list[Row]:
        """Return rows, which ascend by id, in the default order.

        The live lists differ (verified): customers ascend, users come active first and else without order, lead sources
        have no order, the rest come newest first.
        """
        if order == "id" or (order == "mixed" and self.name == "customers"):
            return rows
        if order == "mixed" and self.name == "lead_sources":
            Random(len(rows)).shuffle(rows)
            return rows
        if order == "mixed" and self.name == "users":
            Random(len(rows)).shuffle(rows)
            return sorted(rows, key=lambda row: not row["is_active"])
        return rows[::-1]


def _sort_key(cell: Any) -> tuple[int, Any]:
    """Return a sort key for any mix of cells; null is last when ascending, as in PostgreSQL."""
    if cell is None:
        return (2, 0)
    return (0, cell) if isinstance(cell, int | float) else (1, str(cell))
