"""Values in the user's words: names in place of ids, local times in place of epochs, labels in place of codes."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from fieldpulse_api.errors import FieldPulseError
from fieldpulse_api.resources.write_model import Field, FieldType, WriteSpec, decimal_places
from fieldpulse_api.values.custom_fields import CustomFieldDefinition
from fieldpulse_api.values.scalars import ConversionError, optional_int, to_boolean
from fieldpulse_api.values.text import PERSONAL_COLUMN, printable
from target_fieldpulse.planning.lookups import Lookups
from target_fieldpulse.planning.plan import RowToCreate
from target_fieldpulse.planning.planned_state import PlannedState
from target_fieldpulse.records.columns import Column
from target_fieldpulse.records.field_codec import FieldCodec, describe

_LOGGER = logging.getLogger(__name__)


class ValueText(NamedTuple):
    """A value as text: `words` None if the value says it itself. `logged` only describes free text and persons."""

    words: str | None
    logged: str


_EMPTY = ValueText(None, "empty")


@dataclass(frozen=True)
class _NamedRows:
    """Rows that a field refers to, and their columns with a name. `item_key` has the id in an element of a list."""

    stream: str
    columns: tuple[Column, ...]
    item_key: str | None = None
    are_people: bool = False


class ValueTexts:
    """Makes texts of the values of body fields. May be used by many threads.

    A list whose rows have names is read when the first of its ids comes; if that fails, ids stay ids.
    """

    def __init__(self, lookups: Lookups, planned_state: PlannedState, codec: FieldCodec) -> None:
        self._lookups, self._planned_state, self._codec = lookups, planned_state, codec
        self._unreadable: set[str] = set()
        self._lock = threading.Lock()

    def text(self, spec: WriteSpec, name: str, value: Any, *, is_sent: bool) -> ValueText:
        """Return the text of a value that is sent in the field `name`, or that a row has there."""
        if value in (None, "", [], {}):
            return _EMPTY
        rows = list(_rows_named_by(spec, name))
        if isinstance(value, list) and rows:
            return _joined([text for item in value for text in self._item_texts(rows, item)])
        if isinstance(value, RowToCreate) or (rows and optional_int(value) is not None):
            return self._row_text(rows, value)
        field = spec.by_name.get(name)
        if field is None or name == PERSONAL_COLUMN:
            return _described(value)
        return _code_text(field, value) or self._typed_text(field, value, is_sent=is_sent)

    def custom_text(self, definition: CustomFieldDefinition, value: Any) -> ValueText:
        """Return the text of a custom field's value. Only choices and checkboxes hold no free text."""
        if value in (None, ""):
            return _EMPTY
        if definition.type == "checkbox":
            return _boolean_text(value)
        return ValueText(None, printable(value)) if value in definition.choices else _described(value)

    def _item_texts(self, rows: list[_NamedRows], item: Any) -> Iterator[ValueText]:
        """Yield the texts of one element: a list of ids has ids, and rows have objects with one or several ids."""
        if not isinstance(item, Mapping):
            yield self._row_text(rows, item)
            return
        keys = {each.item_key: each for each in rows if each.item_key}
        for key, named in keys.items():
            if item.get(key) is not None:
                noun = key.removesuffix("_id")
                words, logged = self._row_text([named], item[key])
                yield ValueText(f"{noun} {words or logged}", f"{noun} {logged}")
        if not keys:
            yield self._row_text(rows, item.get("tag_id") or item.get("id"))

    def _row_text(self, rows: list[_NamedRows], value: Any) -> ValueText:
        if isinstance(value, RowToCreate):
            return ValueText(f"{value.body[0][1]} (new)", f"new row of {value.stream}")
        row_id = optional_int(value)
        if row_id is None:
            return _described(value)
        for named in rows:
            key = self._planned_state.key_of(named.stream, row_id) if row_id < 0 else None
            if key:
                return ValueText(f"{key.text} (new)", f"{key.redacted} (new)")
            name = self._name(named, row_id)
            if name:
                return ValueText(name, str(row_id) if named.are_people else printable(name))
        return ValueText(None, str(row_id))

    def _name(self, rows: _NamedRows, row_id: int) -> str | None:
        if not rows.columns or rows.stream in self._unreadable:
            return None
        try:
            lookup = self._lookups.get(rows.stream)
        except FieldPulseError as error:
            with self._lock:
                if rows.stream not in self._unreadable:
                    _LOGGER.warning("dry run: ids of `%s` stay without names: %s", rows.stream, error.one_line)
                self._unreadable.add(rows.stream)
            return None
        cells = [str(cell) for column in rows.columns if (cell := lookup.cell(row_id, column))]
        return " ".join(cells if rows.are_people else cells[:1]) or None

    def _typed_text(self, field: Field, value: Any, *, is_sent: bool) -> ValueText:
        if field.type in (FieldType.TIME, FieldType.TEXT_TIME):
            time = self._codec.local_time(field, value, is_sent=is_sent)
            return _same(_time_text(time)) if time else _described(value)
        typed = self._codec.normalized(field, value)
        if field.type is FieldType.BOOLEAN:
            return _boolean_text(value)
        if field.type is FieldType.DECIMAL and isinstance(typed, Decimal):
            return _same(_money_text(typed) if decimal_places(field.column) else f"{typed:f}")
        is_code = field.type is FieldType.INTEGER and isinstance(typed, int)
        if is_code or field.type in (FieldType.DATE, FieldType.OBJECT_TYPE) or value in field.allowed_values:
            return _same(str(typed))
        return _described(value)


def _rows_named_by(spec: WriteSpec, name: str) -> Iterator[_NamedRows]:
    """Yield the rows that a field may refer to. E-mail addresses name no row to people."""
    for reference in spec.references:
        if reference.field == name:
            names = [column for column in reference.name_columns if column != PERSONAL_COLUMN]
            yield _NamedRows(
                reference.stream,
                tuple(map(Column, reference.person_columns or names)),
                reference.list_item_key,
                are_people=bool(reference.person_columns),
            )
        if reference.parent and reference.parent.field == name:
            yield _NamedRows(reference.parent.stream, (Column(reference.parent.name_column),))


def _code_text(field: Field, value: Any) -> ValueText | None:
    """Return the label of a code."""
    labels = field.code_labels.by_code if field.code_labels else {}
    label = labels.get(value, labels.get(optional_int(value) or "")) if isinstance(value, (int, str)) else None
    return _same(label) if label else None


def _time_text(time: datetime) -> str:
    """Return a local time with its place: `2026-03-01 09:00 Chicago`."""
    place = str(time.tzinfo).rpartition("/")[2].replace("_", " ")
    seconds = f":{time:%S}" if time.second else ""
    return f"{time:%Y-%m-%d %H:%M}{seconds} {place}"


def _money_text(amount: Decimal) -> str:
    """Return an amount with at least two decimals: `1,234.50`. The currency is not known."""
    return f"{amount:,.2f}" if amount == round(amount, 2) else f"{amount:,f}"


def _boolean_text(value: Any) -> ValueText:
    try:
        return _same("yes" if to_boolean(value) else "no")
    except ConversionError:
        return _described(value)


def _joined(texts: list[ValueText]) -> ValueText:
    return ValueText(", ".join(words or logged for words, logged in texts), ", ".join(logged for _, logged in texts))


def _same(text: str) -> ValueText:
    return ValueText(text, printable(text))


def _described(value: Any) -> ValueText:
    return ValueText(None, describe(value))
