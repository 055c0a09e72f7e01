"""How a row is shown: the forms of times, numbers and nulls, and columns too many or too few.

The account itself keeps one form of everything; what the switches change, they change on the way out.
"""

from __future__ import annotations

import re
from datetime import datetime, timezone
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from fieldpulse_sandbox.behaviour.switches import Behaviour
from fieldpulse_sandbox.schema.column_rules import TIME_ENDINGS, names
from fieldpulse_sandbox.schema.table_shapes import Row
from fieldpulse_sandbox.schema.timestamps import moment_of

SWITCHES = (
    "time_zone",
    "time_format",
    "numbers_as_text",
    "money_as_numbers",
    "null_as_empty_text",
    "omit_null_columns",
    "missing_columns",
    "unknown_columns",
    "unknown_codes",
    "tag_elements",
)
"""The switches that change how a row is shown."""
TIME = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.000000Z)?")
MONEY = re.compile(r"(.*_)?(amount|total|subtotal|discounted|tax|rate|discount|price|cost|paid|unpaid|quantity)")
DECIMAL = re.compile(r"-?\d+(\.\d+)?")
OBJECTS = names(
    "main_location customer entity_location customer_contact map schedule_details custom_status location_coords"
    " settings default_status last_known_location custom_field"
)
"""Columns that hold an object or null: '' is for columns of one value."""
UNKNOWN: Row = {
    "sandbox_flag": True,
    "sandbox_rank": 3,
    "sandbox_note": "no catalogue knows this",
    "sandbox_object": {"depth": {"leaves": [1, "two", None]}},
}
UNKNOWN_CODES = {"invoices": -1, "payments": 9}
"""A status that no document explains, by resource; -1 was seen on an invoice (V)."""


class RowFormat:
    """What some switches make of rows. There is one for each state of them, so that what is encoded can be kept."""

    def __init__(self, behaviour: Behaviour) -> None:
        """Take the switches as they are now."""
        self._is_plain = all(getattr(behaviour, name) == getattr(Behaviour, name) for name in SWITCHES)
        self._zone = ZoneInfo(behaviour.time_zone)
        self._time_form = behaviour.time_format
        self._times_change = (behaviour.time_zone, behaviour.time_format) != ("UTC", "bare")
        self._texts, self._numbers = behaviour.numbers_as_text, behaviour.money_as_numbers
        self._null = "" if behaviour.null_as_empty_text else None
        self._leave_out = behaviour.omit_null_columns
        self._missing = frozenset(behaviour.missing_columns)
        self._more = UNKNOWN if behaviour.unknown_columns else {}
        self._codes = UNKNOWN_CODES if behaviour.unknown_codes else {}
        self._tags_are_objects = behaviour.tag_elements == "objects"

    def __call__(self, name: str, row: Row) -> Row:
        """Return a row of this resource as it is shown."""
        if self._is_plain:
            return row
        kept = {key: cell for key, cell in row.items() if f"{name}.{key}" not in self._missing} | self._more
        if name in self._codes and row["id"] % 3 == 0:
            kept["status"] = self._codes[name]
        if self._tags_are_objects and isinstance(kept.get("tags"), list):
            kept["tags"] = [{"id": number, "tag_id": number} for number in kept["tags"]]
        return self._object(kept)

    def nested(self, key: str, value: Any) -> Any:
        """Return what a row has under a key, at any depth, as it is shown."""
        return value if self._is_plain else self._value(key, value)

    def _object(self, cells: Row) -> Row:
        shown = {key: self._value(key, cell) for key, cell in cells.items()}
        return {key: cell for key, cell in shown.items() if cell is not None} if self._leave_out else shown

    def _value(self, key: str, cell: Any) -> Any:
        if isinstance(cell, dict):
            return self._object(cell)
        if isinstance(cell, list):
            return [self._value(key, one) for one in cell]
        if cell is None:
            return None if key in OBJECTS else self._null
        if isinstance(cell, str):
            return self._text(key, cell)
        return str(cell) if self._texts and isinstance(cell, int) and not isinstance(cell, bool) else cell

    def _text(self, key: str, cell: str) -> str | int | float:
        if self._times_change and key.endswith(TIME_ENDINGS) and TIME.fullmatch(cell):
            return self._time(cell)
        if self._numbers and MONEY.fullmatch(key) and DECIMAL.fullmatch(cell):
            return float(cell) if "." in cell else int(cell)
        return cell

    def _time(self, cell: str) -> str:
        moment = datetime.fromtimestamp(moment_of(cell), timezone.utc)
        if self._time_form == "iso_z":
            return moment.strftime("%Y-%m-%dT%H:%M:%S.000000Z")
        local = moment.astimezone(self._zone)
        if self._time_form == "offset":
            return local.isoformat()
        return cell if cell.endswith("Z") else local.strftime("%Y-%m-%d %H:%M:%S")


def row_format(behaviour: Behaviour) -> RowFormat:
    """Return how rows are shown now."""
    return _form(tuple(getattr(behaviour, name) for name in SWITCHES))


@lru_cache(maxsize=64)
def _form(values: tuple[Any, ...]) -> RowFormat:
    return RowFormat(Behaviour(**dict(zip(SWITCHES, values, strict=True))))
