"""Hashes of properties: they show which properties changed since the last write, without storing any value.

A value counts as changed only if FieldPulse would get another value. Sources spell one value in many ways, and a change
of the spelling must not undo what the office has edited meanwhile.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any

from fieldpulse_api.resources.write_model import WriteSpec
from fieldpulse_api.values.custom_fields import CUSTOM_FIELDS_PROPERTY
from fieldpulse_api.values.scalars import ConversionError

from .custom_fields import FIELD as CUSTOM_FIELDS
from .field_codec import FieldCodec
from .json_values import canonical_json, comparable_json, comparable_name
from .ledger_key import source_key

PropertyHashes = dict[str, str]
"""A hash for each property that has an effect; each custom field is a property of its own."""


def hash_property(name: str, value: Any) -> PropertyHashes:
    """Return the hash of one property."""
    return {name: hashlib.blake2b(canonical_json(value), digest_size=6, person=b"fieldpulse").hexdigest()}


_NULL_HASH = hash_property("", None)[""]


def hash_properties(
    write: WriteSpec,
    values: Mapping[str, Any],
    codec: FieldCodec,
    *,
    custom_value: Callable[[str, Any], Any] = lambda _, value: value,
    with_nulls: bool = False,
    fill_empty_only: bool = False,
) -> PropertyHashes:
    """Return the hashes of all properties of a record that have an effect; nulls have one where they clear fields.

    `custom_value` returns the form of a custom field's value, by its name, in which it counts as changed.
    Properties that only fill empty fields hash differently: once the setting changes, they are written again.
    """
    properties = {name: _comparable(write, name, values[name], codec) for name in write.properties & values.keys()}
    custom_fields = values.get(CUSTOM_FIELDS_PROPERTY)
    if CUSTOM_FIELDS in write.by_name and isinstance(custom_fields, Mapping):
        properties.pop(CUSTOM_FIELDS, None)  # the same values by definition: those by name take precedence
        properties |= {
            f"{CUSTOM_FIELDS_PROPERTY}.{name}": value if value is None else custom_value(str(name), value)
            for name, value in custom_fields.items()
        }
    elif CUSTOM_FIELDS in write.by_name and custom_fields is not None:
        properties[CUSTOM_FIELDS_PROPERTY] = custom_fields
    hashes: PropertyHashes = {}
    for name, value in sorted(properties.items()):
        if value is not None or with_nulls:
            hashes |= hash_property(name, value)
    return {name: f"~{value}" for name, value in hashes.items()} if fill_empty_only else hashes


def _comparable(write: WriteSpec, name: str, value: Any, codec: FieldCodec) -> Any:
    """Return the form in which a property counts as changed."""
    if value is None or name == CUSTOM_FIELDS:  # values in the API's own form are texts already
        return value
    reference, field = write.name_references.get(name), write.field_of(name)
    if reference and name == reference.external_id_property:
        with suppress(ConversionError):
            return source_key(value)
    if reference:
        return comparable_name(value)
    return codec.comparable(field, value) if field else comparable_json(value)


def without_nulls(hashes: PropertyHashes) -> PropertyHashes:
    """Return the hashes of the properties that are not null."""
    return {name: value for name, value in hashes.items() if value.removeprefix("~") != _NULL_HASH}


def merge_hashes(write: WriteSpec, before: PropertyHashes, now: PropertyHashes) -> PropertyHashes:
    """Return the latest hash of every property. A link property replaces all hashes of the same link."""
    links = {action.link_kind for action in write.actions if action.name in now}
    replaced = {action.name for action in write.actions if action.link_kind and action.link_kind in links}
    return {name: value for name, value in before.items() if name not in replaced} | now


def changed_properties(now: PropertyHashes, before: PropertyHashes) -> tuple[str, ...]:
    """Return the properties whose hash differs from the one that was written last."""
    return tuple(name for name, value in now.items() if before.get(name) != value)


def fields_of(write: WriteSpec, properties: Iterable[str]) -> set[str]:
    """Return the body fields that these properties can fill."""
    fields: set[str] = set()
    for name in properties:
        fields |= (
            {CUSTOM_FIELDS} if name.startswith(CUSTOM_FIELDS_PROPERTY) else set(write.fields_by_property.get(name, ()))
        )
    return fields
