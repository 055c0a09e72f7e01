"""The custom fields of one stream: a property with a stable name and a type for each, and the values of a row."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from fieldpulse_api.reading.pages import Row
from fieldpulse_api.values.custom_fields import CUSTOM_FIELDS_PROPERTY, VALUE_COLUMNS, CustomFieldDefinition, entries_of
from fieldpulse_api.values.scalars import ConversionError, to_boolean, to_date, to_number, to_text
from fieldpulse_api.values.text import property_name, with_suffix

from .shaper import Unexpected

_GENERATED_NAME = re.compile(r"field_\d+\Z")
# The field id is kept in the description: catalogs drop keywords that Singer does not know.
_ID_IN_DESCRIPTION = re.compile(r"\bcustom field (\d+)\b")


class CustomFieldValues:
    """The schema of the property `custom_fields` of one stream, and the conversion of a row's values.

    `catalog_properties` are the properties in the user's catalog. They keep their names and types; `changes` lists
    where the account's definitions differ from them. `misfits` counts values that do not match their type, `undefined`
    those without a definition.
    """

    def __init__(
        self,
        definitions: Iterable[CustomFieldDefinition],
        object_type: str,
        catalog_properties: Mapping[str, Any],
    ) -> None:
        self.changes: list[str] = []
        self.misfits: Counter[str] = Counter()
        self.undefined: Counter[str] = Counter()
        self._properties = dict(catalog_properties)
        self._names = dict(_names_by_id(catalog_properties))
        for definition in definitions:
            if definition.id in self._names:
                self._compare(definition)
            elif not definition.object_types or object_type in definition.object_types:
                self._add(definition, is_change=bool(catalog_properties))
        self._converters = {field_id: _converter(self._properties[name]) for field_id, name in self._names.items()}
        self._empty = dict.fromkeys(self._properties)

    @property
    def schema(self) -> dict[str, Any]:
        """Return the schema of the object."""
        return {
            "type": ["object", "null"],
            "description": "Custom field values by field name; the raw values are in customfields",
            "properties": dict(self._properties),
        }

    def values(self, row: Row, unexpected: Unexpected) -> dict[str, Any] | None:
        """Return the values of a row by name, or None if it has no value column. The last value of a field wins.

        Values without a definition, and those that do not match their type, are added to `unexpected`.
        """
        values: dict[str, Any] | None = None
        for column in VALUE_COLUMNS:
            entries = row.get(column)
            if not isinstance(entries, list):
                continue
            values = self._empty.copy() if values is None else values
            for field_id, value in entries_of(entries):
                name = self._names.get(field_id)
                if name is None:
                    self.undefined[f"field_{field_id}"] += 1
                    unexpected[f"{CUSTOM_FIELDS_PROPERTY}.field_{field_id}"] = _as_text(value)
                    continue
                try:
                    values[name] = None if value in (None, "") else self._converters[field_id](value)
                except ConversionError:
                    values[name] = None
                    self.misfits[f"{CUSTOM_FIELDS_PROPERTY}.{name}"] += 1
                    unexpected[f"{CUSTOM_FIELDS_PROPERTY}.{name}"] = _as_text(value)
        return values

    def _add(self, definition: CustomFieldDefinition, *, is_change: bool) -> None:
        name = property_name(definition.name) or f"field_{definition.id}"
        while name in self._properties or (_GENERATED_NAME.match(name) and name != f"field_{definition.id}"):
            name = with_suffix(name, definition.id)
        self._names[definition.id] = name
        self._properties[name] = definition.schema
        if is_change:
            self.changes.append(f"field {definition.id} is new; its property is {name}")

    def _compare(self, definition: CustomFieldDefinition) -> None:
        name = self._names[definition.id]
        before = self._properties[name]
        if before.get("title") not in (None, definition.name):
            self.changes.append(f"field {definition.id} was renamed; its property is still {name}")
        if _type_and_format(before) != _type_and_format(definition.schema):
            self.changes.append(
                f"field {definition.id} ({name}) was changed to {definition.type}; it keeps the type in the catalog"
            )


def _names_by_id(properties: Mapping[str, Any]) -> Iterator[tuple[int, str]]:
    for name, schema in properties.items():
        match = _ID_IN_DESCRIPTION.search(str(schema.get("description", "")))
        if match:
            yield int(match[1]), name


def _type_and_format(schema: Mapping[str, Any]) -> tuple[Any, ...]:
    types = schema.get("type", [])
    return (*sorted({types} if isinstance(types, str) else types), schema.get("format"))


def _converter(schema: Mapping[str, Any]) -> Callable[[Any], Any]:
    types = schema.get("type", [])
    if "number" in types:
        return to_number
    if "boolean" in types:
        return to_boolean
    return to_date if schema.get("format") == "date" else _as_text


def _as_text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else to_text(value)
