"""The ids of a table's rows by the value of one column, kept up to date: equality must not read 60,000 rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from fieldpulse_sandbox.schema.table_shapes import Row


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
