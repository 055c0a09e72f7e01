"""`custom_fields: {Name: value}` → the nameless entries that FieldPulse takes."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

from fieldpulse_api.errors import ConfigError, RowNotFound, UnexpectedResponse, allowed_and_similar
from fieldpulse_api.http.client import Client
from fieldpulse_api.reading.definitions import read_definitions
from fieldpulse_api.reading.pages import ReadOptions
from fieldpulse_api.values.custom_fields import PROPERTY, CustomFieldDefinition
from fieldpulse_api.values.scalars import ConversionError, to_decimal_text
from fieldpulse_api.values.text import normalized, property_name

from .custom_field_entries import DEFINITION, Entries
from .field_codec import describe, refuse

_NO_LIST = (403, 404)


class CustomFieldWriter:
    """The custom fields of the account, read when first asked for. May be used by many threads."""

    def __init__(self, client: Client, reading: ReadOptions) -> None:
        self._client, self._reading = client, reading
        self._lock = threading.Lock()
        self._definitions: list[CustomFieldDefinition] | None = None

    def entries(self, object_type: str, given: Mapping[str, Any], held: Mapping[int, Any], *, clears: bool) -> Entries:
        """Return the entries of values by name: a field's own name, or the property that the tap makes of it.

        `held` are values that the record has from FieldPulse, by definition: those are not judged.

        Raises: Invalid for a name that no field of this object type has, and for a value that its field does not take.
        """
        found: dict[int, dict[str, Any]] = {}
        for name, value in given.items():
            one = self._named(object_type, str(name))
            if one.id in found:
                raise refuse(f"{PROPERTY}: the field {one.name!r} is given twice", PROPERTY)
            if value is None and not clears:
                continue
            is_held = value not in (None, "") and str(value) == str(held.get(one.id))
            found[one.id] = {DEFINITION: one.id, "value": str(value) if is_held else _written(one, value)}
        return list(found.values())

    def name_of(self, definition: Any) -> str:
        """Return the name of a field, for people."""
        return next((one.name for one in self._all() if one.id == definition), str(definition))

    def text_field(self, object_type: str, name: str, *, where: str) -> int:
        """Return the id of the field for text that a setting names. Raises: BadSetting, also where there is no list."""
        try:
            known = [one for one in self._of(object_type) if one.type == "text"]
        except (RowNotFound, UnexpectedResponse) as error:
            if error.http_status not in _NO_LIST:
                raise
            what = f"The custom fields that keep keys cannot be looked up. {error.what}"
            raise ConfigError(
                what, where=where, hint="leave the setting out if your plan has no custom fields"
            ) from error
        found = [one.id for one in known if normalized(one.name) == normalized(name)]
        if len(found) == 1:
            return found[0]
        instead = allowed_and_similar(name, [one.name for one in known])
        what = f"{len(found) or 'No'} custom fields for text have this name: {instead}."
        raise ConfigError(what, where=where, hint="create the field in FieldPulse, or correct the setting")

    def _named(self, object_type: str, name: str) -> CustomFieldDefinition:
        known = self._of(object_type)
        ways = (
            lambda one: one.name == name,
            lambda one: normalized(one.name) == normalized(name),
            lambda one: name in (property_name(one.name), f"field_{one.id}", f"{property_name(one.name)}_{one.id}"),
        )
        for way in ways:
            found = [one for one in known if way(one)]
            if len(found) == 1:
                return found[0]
            if found:
                ids = ", ".join(f"field_{one.id}" for one in found)
                raise refuse(f"{PROPERTY}: several fields have the name {name!r}", PROPERTY, f"name one of {ids}")
        raise refuse(
            f"{PROPERTY}: there is no {name!r}; {allowed_and_similar(name, [one.name for one in known])}", PROPERTY
        )

    def _of(self, object_type: str) -> list[CustomFieldDefinition]:
        return [one for one in self._all() if not one.object_types or object_type in one.object_types]

    def _all(self) -> list[CustomFieldDefinition]:
        with self._lock:
            if self._definitions is None:
                self._definitions = read_definitions(self._client, self._reading)
            return self._definitions


def _written(definition: CustomFieldDefinition, value: Any) -> str:
    """Return a value as text, in which all of them are kept (I). Only documented kinds are checked."""
    name = f"{PROPERTY}.{definition.name}"
    if value is None or value == "":
        return ""
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, (list, Mapping)):
        raise refuse(f"{name} is {describe(value)}, and not one value", name)
    written = _number(value)
    if written is None and definition.type == "number":
        raise refuse(f"{name} is {describe(value)}, and a number in FieldPulse", name)
    if definition.type == "number" or not isinstance(value, str):
        return written or ""
    if definition.choices:
        choice = next((one for one in definition.choices if normalized(one) == normalized(value)), None)
        if choice is None:
            raise refuse(f"{name} is {describe(value)}; {allowed_and_similar(value, definition.choices)}", name)
        return choice
    return value


def _number(value: Any) -> str | None:
    try:
        return to_decimal_text(value)
    except ConversionError:
        return None
