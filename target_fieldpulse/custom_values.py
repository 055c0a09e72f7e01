"""`custom_fields: {Name: value}` → the nameless entries that FieldPulse takes."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

from fieldpulse_api.client import Client
from fieldpulse_api.custom_fields import PROPERTY, Definition, read_definitions
from fieldpulse_api.errors import BadSetting, allowed_instead
from fieldpulse_api.names import normal, property_name
from fieldpulse_api.pages import Reading
from fieldpulse_api.values import Unfit, decimal_text, text

from .entries import DEFINITION, Entries
from .wire import refuse


class CustomValues:
    """The custom fields of the account, read when first asked for. May be used by many threads."""

    def __init__(self, client: Client, reading: Reading) -> None:
        self._client, self._reading = client, reading
        self._lock = threading.Lock()
        self._definitions: list[Definition] | None = None

    def entries(self, object_type: str, given: Any, *, clears: bool) -> Entries:
        """Return the entries of values by name: a field's own name, or the property that the tap makes of it.

        Raises: Invalid for a name that no field of this object type has, and for a value that its field does not allow.
        """
        if not isinstance(given, Mapping):
            raise refuse(f"{PROPERTY} is no object of names and values", PROPERTY)
        found = []
        for name, value in given.items():
            definition = self._named(object_type, str(name))
            if value is not None or clears:
                found.append({DEFINITION: definition.id, "value": _written(definition, value)})
        return found

    def definition(self, object_type: str, name: str, *, where: str) -> int:
        """Return the id of the field that a setting names. Raises: BadSetting."""
        known = self._of(object_type)
        found = [one.id for one in known if normal(one.name) == normal(name)]
        if len(found) == 1:
            return found[0]
        what = (
            f"{len(found) or 'No'} custom fields have this name: {allowed_instead(name, [one.name for one in known])}."
        )
        raise BadSetting(what, where=where, do="create the field in FieldPulse, or correct the setting")

    def _named(self, object_type: str, name: str) -> Definition:
        known = self._of(object_type)
        ways = (
            lambda one: one.name == name,
            lambda one: normal(one.name) == normal(name),
            lambda one: name in (property_name(one.name), f"field_{one.id}", f"{property_name(one.name)}_{one.id}"),
        )
        for way in ways:
            found = [one for one in known if way(one)]
            if len(found) == 1:
                return found[0]
            if found:
                ids = ", ".join(f"field_{one.id}" for one in found)
                raise refuse(f"{PROPERTY}: several fields have the name {name!r}", PROPERTY, f"name one of {ids}")
        raise refuse(f"{PROPERTY}: {allowed_instead(name, [one.name for one in known])}", PROPERTY)

    def _of(self, object_type: str) -> list[Definition]:
        with self._lock:
            if self._definitions is None:
                self._definitions = read_definitions(self._client, self._reading)
        return [one for one in self._definitions if not one.objects or object_type in one.objects]


def _written(definition: Definition, value: Any) -> str:
    """Return a value as text, in which all of them are kept (I). Only documented kinds are checked."""
    name = f"{PROPERTY}.{definition.name}"
    if value is None or value == "":
        return ""
    if isinstance(value, bool):
        return str(int(value))
    if definition.kind == "number":
        try:
            return decimal_text(value) or ""
        except Unfit:
            raise refuse(f"{name} is a number in FieldPulse, and no number is given", name) from None
    written = value if isinstance(value, str) else text(value)
    if definition.allowed:
        choice = next((one for one in definition.allowed if normal(one) == normal(written)), None)
        if choice is None:
            raise refuse(f"{name}: {allowed_instead(written, definition.allowed)}", name)
        return choice
    return written
