"""Hashes of properties: they show which properties changed since the last write, without storing any value.

A value counts as changed only if FieldPulse would get another value. Sources spell one value in many ways, and a change
of the spelling must not undo what the office has edited meanwhile.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

from fieldpulse_api.resources.write_model import WriteSpec
from fieldpulse_api.values.custom_fields import CUSTOM_FIELDS_PROPERTY

from .custom_fields import FIELD as CUSTOM_FIELDS
from .field_codec import FieldCodec, canonical_json, comparable_json

PropertyHashes = dict[str, str]
"""A hash for each property that has an effect; each custom field is a property of its own."""


def hash_property(name: str, value: Any) -> PropertyHashes:
    """Return the hash of one property."""
    return {name: hashlib.blake2b(canonical_json(value), digest_size=6, person=b"fieldpulse").hexdigest()}


def hash_properties(
    write: WriteSpec,
    values: Mapping[str, Any],
    codec: FieldCodec,
    *,
    with_nulls: bool = False,
    fill_empty_only: bool = False,
) -> PropertyHashes:
    """Return the hashes of all properties of a record that have an effect; nulls have one where they clear fields.

    Properties that only fill empty fields hash differently: once the setting changes, they are written again.
    """
    properties = {name: values[name] for name in sorted(write.properties & values.keys())}
    custom_fields = values.get(CUSTOM_FIELDS_PROPERTY)
    if CUSTOM_FIELDS in write.by_name and isinstance(custom_fields, Mapping):
        properties.pop(CUSTOM_FIELDS, None)  # the same values by definition: those by name take precedence
        properties |= {f"{CUSTOM_FIELDS_PROPERTY}.{name}": value for name, value in custom_fields.items()}
    elif CUSTOM_FIELDS in write.by_name and custom_fields is not None:
        properties[CUSTOM_FIELDS_PROPERTY] = custom_fields
    hashes: PropertyHashes = {}
    for name, value in properties.items():
        if value is not None:
            field = write.field_of(name)
            hashes |= hash_property(name, codec.comparable(field, value) if field else comparable_json(value))
        elif with_nulls:
            hashes |= hash_property(name, None)
    return {name: f"~{value}" for name, value in hashes.items()} if fill_empty_only else hashes


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
