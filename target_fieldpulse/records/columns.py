"""Columns of rows, custom fields included, as look-ups and fingerprints name them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fieldpulse_api.resources.model import Resource, WritableResource
from fieldpulse_api.resources.write_model import Field, FieldType
from fieldpulse_api.values.custom_fields import VALUE_COLUMNS, entries_of

_EXACT = "="
_CUSTOM_FIELD = f"{VALUE_COLUMNS[0]}:"


@dataclass(frozen=True)
class Column:
    """A key of a row, or with `custom_field_id` the value of one custom field.

    Values of an exact column are the source's keys: they are compared letter by letter, where others are compared
    without regard to case and spaces.
    """

    name: str
    custom_field_id: int | None = None
    is_exact: bool = False

    @classmethod
    def of_custom_field(cls, custom_field_id: int, *, is_exact: bool = False) -> Column:
        """Return the column of a custom field's values."""
        return cls(VALUE_COLUMNS[0], custom_field_id, is_exact)

    @classmethod
    def from_text(cls, text: str) -> Column:
        """Return the column of a text form, the inverse of `text`."""
        label = text.removeprefix(_EXACT)
        if label.startswith(_CUSTOM_FIELD):
            return cls.of_custom_field(int(label.removeprefix(_CUSTOM_FIELD)), is_exact=label != text)
        return cls(label, is_exact=label != text)

    @property
    def text(self) -> str:
        """Return the form in which the ledger stores a column as a key of JSON."""
        return f"{_EXACT if self.is_exact else ''}{self.label}"

    @property
    def label(self) -> str:
        """Return the form for messages: the name, with the id of a custom field."""
        return self.name if self.custom_field_id is None else f"{_CUSTOM_FIELD}{self.custom_field_id}"

    def value_in(self, row: Mapping[str, Any]) -> Any:
        """Return the value of this column in a row, None where the row has none."""
        if self.custom_field_id is None:
            return row.get(self.name)
        values = (
            value
            for name in VALUE_COLUMNS
            for field_id, value in entries_of(row.get(name))
            if field_id == self.custom_field_id
        )
        return next(values, None)

    def is_in(self, row: Mapping[str, Any]) -> bool:
        """Return whether a row has this column at all, even if it is empty."""
        if self.custom_field_id is None:
            return self.name in row
        return any(isinstance(row.get(name), list) for name in VALUE_COLUMNS)

    def field_of(self, resource: Resource) -> Field:
        """Return the body field whose type says how values of this column are compared."""
        if self.is_exact:
            return Field(self.label, FieldType.KEY)
        fields = resource.write_spec.fields if isinstance(resource, WritableResource) else ()
        return next((field for field in fields if field.column == self.label), Field(self.label))
