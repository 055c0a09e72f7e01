"""Custom fields of records: values by name become the entries that a write body has, and are compared with a row's.

The API takes no names, so a record's names are looked up among the definitions of the account.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import tzinfo
from typing import Any

from fieldpulse_api.errors import ConfigError, RecordInvalid, RowNotFound, UnexpectedResponse, allowed_and_similar
from fieldpulse_api.http.client import Client
from fieldpulse_api.reading.definitions import read_definitions
from fieldpulse_api.reading.pages import ReadOptions
from fieldpulse_api.values.custom_fields import (
    CUSTOM_FIELDS_PROPERTY,
    VALUE_COLUMNS,
    CustomFieldDefinition,
    CustomFieldType,
    entries_of,
)
from fieldpulse_api.values.scalars import ConversionError, number_text, to_boolean, to_date
from fieldpulse_api.values.text import normalized, property_name

from . import numbers
from .faults import Faults
from .field_codec import FieldCodec, describe, invalid_field
from .times import to_day

Entries = list[dict[str, Any]]

FIELD = VALUE_COLUMNS[0]
"""The body field that holds the entries."""
DEFINITION = "field_instance_id"
"""The key of an entry that holds the id of its definition."""
_COMPARED_AS: Mapping[CustomFieldType | None, Callable[[str], Any]] = {
    "number": number_text,
    "checkbox": to_boolean,
    "date": to_date,
    "drop-down": normalized,
}
_NO_DEFINITIONS = (403, 404)  # HTTP statuses of an account without custom fields


class CustomFieldWriter:
    """The custom fields of the account, read when they are first needed. May be used by many threads.

    The codec learns their types.
    """

    def __init__(self, client: Client, options: ReadOptions, codec: FieldCodec) -> None:
        self._client, self._options, self._codec = client, options, codec
        self._lock = threading.Lock()
        self._definitions: list[CustomFieldDefinition] | None = None

    def entries(
        self,
        object_type: str,
        values: Mapping[str, Any],
        row_values: Mapping[int, Any],
        *,
        clear_nulls: bool,
        faults: Faults,
    ) -> Entries:
        """Return the entries for values by name: the name of a field, or the property that the tap makes of it.

        `row_values` are the values that the record carries in the API's own form, by definition. A value that equals
        its row value is sent unchecked: FieldPulse holds it already. An unknown name, and a value that does not fit its
        field, are added to the faults.
        """
        entries: dict[int, dict[str, Any]] = {}
        for name, value in values.items():
            with faults.collect():
                definition = self._definition_named(object_type, str(name))
                if definition.id in entries:
                    raise invalid_field(
                        f"{CUSTOM_FIELDS_PROPERTY}: two names refer to the field {definition.name!r}",
                        CUSTOM_FIELDS_PROPERTY,
                    )
                if value is None and not clear_nulls:
                    continue
                is_unchanged = value not in (None, "") and str(value) == str(row_values.get(definition.id))
                with faults.collect(f"{CUSTOM_FIELDS_PROPERTY}.{name}"):
                    text = str(value) if is_unchanged else _to_text(definition, value, self._codec.zone)
                    entries[definition.id] = {DEFINITION: definition.id, "value": text}
        return list(entries.values())

    def comparable(self, object_type: str, name: str, value: Any) -> Any:
        """Return the form in which a value counts as changed: as it is sent. Any other value stays as it is."""
        try:
            return _to_text(self._definition_named(object_type, name), value, self._codec.zone)
        except (RecordInvalid, RowNotFound, UnexpectedResponse):
            return value

    def definition_of(self, definition_id: Any) -> CustomFieldDefinition:
        """Return the definition of a field; for an id that the account lacks, a text named by its id."""
        unknown = CustomFieldDefinition(definition_id, str(definition_id), "text", ())
        return next((each for each in self._all() if each.id == definition_id), unknown)

    def text_field(self, object_type: str, name: str, *, where: str) -> int:
        """Return the id of the text field with this name. Raises: ConfigError, also if the list cannot be read."""
        try:
            candidates = [definition for definition in self._of(object_type) if definition.type == "text"]
        except (RowNotFound, UnexpectedResponse) as error:
            if error.http_status not in _NO_DEFINITIONS:
                raise
            raise ConfigError(
                f"The custom fields that hold the external_id cannot be read. {error.what}",
                where=where,
                hint="remove the setting if your FieldPulse plan has no custom fields",
            ) from error
        ids = [definition.id for definition in candidates if normalized(definition.name) == normalized(name)]
        if len(ids) == 1:
            return ids[0]
        instead = allowed_and_similar(name, [definition.name for definition in candidates])
        raise ConfigError(
            f"{len(ids) or 'No'} custom text fields have this name: {instead}.",
            where=where,
            hint="create the field in FieldPulse, or correct the setting",
        )

    def _definition_named(self, object_type: str, name: str) -> CustomFieldDefinition:
        definitions = self._of(object_type)
        tests = (
            lambda each: each.name == name,
            lambda each: normalized(each.name) == normalized(name),
            lambda each: (
                name in (property_name(each.name), f"field_{each.id}", f"{property_name(each.name)}_{each.id}")
            ),
        )
        for is_named in tests:
            matches = [definition for definition in definitions if is_named(definition)]
            if len(matches) == 1:
                return matches[0]
            if matches:
                ids = ", ".join(f"field_{definition.id}" for definition in matches)
                raise invalid_field(
                    f"{CUSTOM_FIELDS_PROPERTY}: several fields have the name {name!r}",
                    CUSTOM_FIELDS_PROPERTY,
                    f"use one of {ids}",
                )
        instead = allowed_and_similar(name, [definition.name for definition in definitions])
        raise invalid_field(f"{CUSTOM_FIELDS_PROPERTY} has no field {name!r}; {instead}", CUSTOM_FIELDS_PROPERTY)

    def _of(self, object_type: str) -> list[CustomFieldDefinition]:
        return [each for each in self._all() if not each.object_types or object_type in each.object_types]

    def _all(self) -> list[CustomFieldDefinition]:
        with self._lock:
            if self._definitions is None:
                self._definitions = read_definitions(self._client, self._options)
                self._codec.custom_field_types |= {each.id: each.type for each in self._definitions}
            return self._definitions


def row_values(row: Mapping[str, Any]) -> dict[int, Any]:
    """Return the values of the custom fields of a row, by the ids of their definitions."""
    return {definition: value for name in VALUE_COLUMNS for definition, value in entries_of(row.get(name))}


def merge_into_row(body: Mapping[str, Any], row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a body whose custom fields replace those of a row."""
    return {name: with_value_ids(value, row) if name == FIELD else value for name, value in body.items()}


def with_value_ids(entries: Entries, row: Mapping[str, Any]) -> Entries:
    """Return entries with the ids of the values that they replace: without an id, the API would add a second value."""
    ids = {}
    for entry in (
        each for name in VALUE_COLUMNS for each in row.get(name) or () if isinstance(each, dict) and each.get("id")
    ):
        ids.update({definition: entry["id"] for definition, _ in entries_of([entry])})
    return [({"id": ids[entry[DEFINITION]]} if entry.get(DEFINITION) in ids else {}) | entry for entry in entries]


def missing_values(entries: Entries, row: Mapping[str, Any], codec: FieldCodec) -> Entries:
    """Return the entries whose values differ from those of a row."""
    current, types = row_values(row), codec.custom_field_types

    def is_in_row(entry: Mapping[str, Any]) -> bool:
        return _is_same(entry["value"], current.get(entry[DEFINITION]), types.get(entry[DEFINITION]))

    return [entry for entry in entries if not is_in_row(entry)]


def empty_fields(entries: Entries, row: Mapping[str, Any]) -> Entries:
    """Return the entries whose fields are empty in a row."""
    filled = {id_ for name in VALUE_COLUMNS for id_, value in entries_of(row.get(name)) if value not in (None, "")}
    return [entry for entry in entries if entry[DEFINITION] not in filled]


def _is_same(value: Any, current: Any, kind: CustomFieldType | None) -> bool:
    """Return whether two texts are the same value: numbers, checkboxes and choices have several spellings."""
    if value in (None, "") or current in (None, ""):
        return value in (None, "") and current in (None, "")
    if str(value) == str(current):
        return True
    with suppress(ConversionError):
        return kind in _COMPARED_AS and _COMPARED_AS[kind](str(value)) == _COMPARED_AS[kind](str(current))
    return False


def _to_text(definition: CustomFieldDefinition, value: Any, zone: tzinfo) -> str:
    """Return a value as text, the form of every custom field (inferred). Only documented kinds are checked."""
    name = f"{CUSTOM_FIELDS_PROPERTY}.{definition.name}"
    if value is None or value == "":
        return ""
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, (list, Mapping)):
        raise invalid_field(f"{name} is {describe(value)}; a single value is expected", name)
    if definition.type == "date":  # text that is not a date may be what the office writes: the type is inferred
        with suppress(ConversionError):
            return to_day(value, zone) or ""
    try:
        number = numbers.to_decimal_text(value)
    except ConversionError:
        number = None
    if number is None and definition.type == "number":
        raise invalid_field(f"{name} is {describe(value)}; a number like 1234.5 or 1,234.50 is expected", name)
    if definition.type == "number" or not isinstance(value, str):
        return "" if number is None else number_text(number)
    if definition.choices:
        choice = next((allowed for allowed in definition.choices if normalized(allowed) == normalized(value)), None)
        if choice is None:
            raise invalid_field(f"{name} is {describe(value)}; {allowed_and_similar(value, definition.choices)}", name)
        return choice
    return value.strip()
