"""The form of rows in responses: times, numbers, nulls, and additional or missing columns.

The account stores one form of everything. Switches change rows only on their way out.
"""

from __future__ import annotations

import re
from datetime import datetime, timezone
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from fieldpulse_sandbox.behaviour.switches import Behaviour
from fieldpulse_sandbox.schema.column_rules import TIME_ENDINGS, names
from fieldpulse_sandbox.schema.table_shapes import FEW_USER_COLUMNS, SHAPES, Row
from fieldpulse_sandbox.schema.timestamps import unix_from_bare

SWITCHES = (
    "time_zone",
    "time_format",
    "numbers_as_text",
    "money_as_numbers",
    "null_as_empty_text",
    "omit_null_columns",
    "missing_columns",
    "user_columns",
    "pipeline_label",
    "unknown_columns",
    "unknown_codes",
    "tag_elements",
)
"""The switches that change the form of rows."""
COLUMN_SWITCHES = ("user_columns", "pipeline_label")
"""Those that choose between columns."""
PIPELINE_COLUMNS = {"status": names("status type"), "name": names("name color order")}
"""The columns that come with each of the labels of a pipeline status."""
TIME = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.000000Z)?")
MONEY = re.compile(r"(.*_)?(amount|total|subtotal|discounted|tax|rate|discount|price|cost|paid|unpaid|quantity)")
DECIMAL = re.compile(r"-?\d+(\.\d+)?")
OBJECT_COLUMNS = names(
    "main_location customer entity_location customer_contact map schedule_details custom_status location_coords"
    " settings default_status last_known_location custom_field avatar google_calendar_object"
)
"""Columns that hold an object or null; `null_as_empty_text` does not apply to them."""
UNKNOWN_COLUMNS: Row = {
    "sandbox_flag": True,
    "sandbox_rank": 3,
    "sandbox_note": "no catalogue knows this",
    "sandbox_object": {"depth": {"leaves": [1, "two", None]}},
}
UNKNOWN_CODES = {"invoices": -1, "payments": 9}
"""Undocumented statuses, by resource. The live API has an invoice with -1 (verified)."""


class RowFormat:
    """A function that brings rows into the form of one combination of switches."""

    def __init__(self, behaviour: Behaviour) -> None:
        """Read the switches once; later changes do not matter."""
        self._is_plain = all(
            getattr(behaviour, name) == getattr(Behaviour, name) for name in SWITCHES if name not in COLUMN_SWITCHES
        )
        other_label = "name" if behaviour.pipeline_label == "status" else "status"
        self._hidden = {"pipeline_statuses": PIPELINE_COLUMNS[other_label]}
        if behaviour.user_columns == "few":
            self._hidden["users"] = frozenset(SHAPES["users"]) - FEW_USER_COLUMNS
        self._zone = ZoneInfo(behaviour.time_zone)
        self._time_format = behaviour.time_format
        self._changes_times = (behaviour.time_zone, behaviour.time_format) != ("UTC", "bare")
        self._numbers_as_text, self._money_as_numbers = behaviour.numbers_as_text, behaviour.money_as_numbers
        self._null = "" if behaviour.null_as_empty_text else None
        self._omits_null = behaviour.omit_null_columns
        self._missing = frozenset(behaviour.missing_columns)
        self._added = UNKNOWN_COLUMNS if behaviour.unknown_columns else {}
        self._codes = UNKNOWN_CODES if behaviour.unknown_codes else {}
        self._tags_are_objects = behaviour.tag_elements == "objects"

    def __call__(self, name: str, row: Row) -> Row:
        """Return a row of this resource as responses show it."""
        if name in self._hidden:
            row = {key: cell for key, cell in row.items() if key not in self._hidden[name]}
        if self._is_plain:
            return row
        cells = {key: cell for key, cell in row.items() if f"{name}.{key}" not in self._missing} | self._added
        if name in self._codes and row["id"] % 3 == 0:
            cells["status"] = self._codes[name]
        if self._tags_are_objects and isinstance(cells.get("tags"), list):
            cells["tags"] = [{"id": tag_id, "tag_id": tag_id} for tag_id in cells["tags"]]
        return self._object(cells)

    def nested(self, key: str, value: Any) -> Any:
        """Return a value below a key of a row, at any depth, as responses show it."""
        return value if self._is_plain else self._value(key, value)

    def _object(self, cells: Row) -> Row:
        formatted = {key: self._value(key, cell) for key, cell in cells.items()}
        return {key: cell for key, cell in formatted.items() if cell is not None} if self._omits_null else formatted

    def _value(self, key: str, cell: Any) -> Any:
        if isinstance(cell, dict):
            return self._object(cell)
        if isinstance(cell, list):
            return [self._value(key, element) for element in cell]
        if cell is None:
            return None if key in OBJECT_COLUMNS else self._null
        if isinstance(cell, str):
            return self._text(key, cell)
        return str(cell) if self._numbers_as_text and isinstance(cell, int) and not isinstance(cell, bool) else cell

    def _text(self, key: str, cell: str) -> str | int | float:
        if self._changes_times and key.endswith(TIME_ENDINGS) and TIME.fullmatch(cell):
            return self._time(cell)
        if self._money_as_numbers and MONEY.fullmatch(key) and DECIMAL.fullmatch(cell):
            return float(cell) if "." in cell else int(cell)
        return cell

    def _time(self, cell: str) -> str:
        time = datetime.fromtimestamp(unix_from_bare(cell), timezone.utc)
        if self._time_format == "iso_z":
            return time.strftime("%Y-%m-%dT%H:%M:%S.000000Z")
        local = time.astimezone(self._zone)
        if self._time_format == "offset":
            return local.isoformat()
        return cell if cell.endswith("Z") else local.strftime("%Y-%m-%d %H:%M:%S")


def row_format(behaviour: Behaviour) -> RowFormat:
    """Return the current form of rows: one object per combination of switches, so that tables can cache rows."""
    return _row_format(tuple(getattr(behaviour, name) for name in SWITCHES))


@lru_cache(maxsize=64)
def _row_format(values: tuple[Any, ...]) -> RowFormat:
    return RowFormat(Behaviour(**dict(zip(SWITCHES, values, strict=True))))
