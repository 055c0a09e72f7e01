"""Checks the catalog that the user gives, and completes it with what this account and version have."""

from __future__ import annotations

from logging import Logger
from typing import Any

from jsonschema import Draft7Validator
from jsonschema.exceptions import SchemaError
from singer_sdk.singerlib import Catalog, CatalogEntry, Metadata, Schema

from fieldpulse_api.errors import ConfigError, got_and_allowed
from fieldpulse_api.resources.catalogue import BY_NAME
from fieldpulse_api.values.custom_fields import CUSTOM_FIELDS_PROPERTY
from tap_fieldpulse.records.shaper import UNEXPECTED

_METHODS = ("FULL_TABLE", "INCREMENTAL")
_TEXT = {"type": ["string", "null"]}
_NAMES = {"type": ["array", "null"], "items": {"type": "string"}}
_SWITCH = {"type": ["boolean", "null"]}
_METADATA = {
    "selected": _SWITCH,
    "selected-by-default": _SWITCH,
    "inclusion": {"enum": ["available", "automatic", "unsupported", None]},
    "table-key-properties": _NAMES,
    "replication-key": _TEXT,
    "forced-replication-method": {"enum": [*_METHODS, None]},
}
_ENTRY = {
    "tap_stream_id": {"type": "string"},
    "stream": _TEXT,
    "schema": {"type": "object"},
    "metadata": {
        "type": "array",
        "items": {
            "type": "object",
            "required": ["breadcrumb", "metadata"],
            "properties": {
                "breadcrumb": {"type": "array", "items": {"type": "string"}},
                "metadata": {"type": "object", "properties": _METADATA},
            },
        },
    },
    "key_properties": _NAMES,
    "replication_key": _TEXT,
    "replication_method": {"enum": [*_METHODS, None]},
}
_SHAPE = Draft7Validator(
    {
        "type": "object",
        "required": ["streams"],
        "properties": {
            "streams": {
                "type": "array",
                "items": {"type": "object", "required": ["tap_stream_id", "schema"], "properties": _ENTRY},
            }
        },
    }
)


def read_catalog(catalog_json: dict[str, Any], other_streams: tuple[str, ...]) -> Catalog:
    """Return a checked catalog; `other_streams` are the streams besides those of resources.

    Raises: ConfigError if it is not a catalog, or selects something that the tap cannot do.
    """
    error = next(_SHAPE.iter_errors(catalog_json), None)
    if error:
        raise _catalog_error(f"{error.validator}: {error.validator_value}", ".".join(map(str, error.absolute_path)))
    catalog = Catalog()
    for stream in catalog_json["streams"]:
        name = stream["tap_stream_id"]
        if name in catalog:
            raise _catalog_error("it lists a stream more than once", f"stream {name}")
        catalog[name] = _read(stream)
        if name in (*BY_NAME, *other_streams):
            _check(catalog[name])
        elif catalog[name].metadata.resolve_selection().get((), False):
            raise _catalog_error(
                f"it selects an unknown stream: {got_and_allowed(name, (*BY_NAME, *other_streams))}", f"stream {name}"
            )
    return catalog


def _read(stream: dict[str, Any]) -> CatalogEntry:
    where = f"schema of stream {stream['tap_stream_id']}"
    try:
        Draft7Validator.check_schema(_without_unchanged_properties(stream))
        return CatalogEntry.from_dict(stream)
    except SchemaError as error:
        rule = f"{error.validator}: {error.validator_value}"
        raise _catalog_error(rule, ".".join([where, *map(str, error.absolute_path)])) from None
    except (AttributeError, TypeError, ValueError, RecursionError):  # the SDK does not accept `true` as a schema
        raise _catalog_error("the schema of a property is not an object", where) from None


def _without_unchanged_properties(stream: dict[str, Any]) -> dict[str, Any]:
    """Return the stream's schema without what is as in ours: to check all would double the time to start."""
    schema: dict[str, Any] = stream["schema"]
    resource = BY_NAME.get(stream["tap_stream_id"])
    properties = schema.get("properties")
    if resource is None or not isinstance(properties, dict):
        return schema
    ours = resource.schema["properties"]
    return {**schema, "properties": {name: value for name, value in properties.items() if value != ours.get(name)}}


def _check(entry: CatalogEntry) -> None:
    where, root = f"stream {entry.tap_stream_id}", entry.metadata.root
    if entry.stream not in (None, entry.tap_stream_id):
        raise _catalog_error("`stream` differs from `tap_stream_id`; rename streams with stream_maps", where)
    resource = BY_NAME.get(entry.tap_stream_id)
    if resource is None:
        return
    allowed = [resource.updated_column] if resource.updated_column else []
    for key in (entry.replication_key, root.replication_key):
        if key is not None and key not in allowed:
            raise _catalog_error(
                f"the stream has no such replication key: {got_and_allowed(key, allowed or ['null'])}", where
            )
    columns = {*resource.schema["properties"], *(entry.schema.properties or ())}
    for key in (*(entry.key_properties or ()), *(root.table_key_properties or ())):
        if key not in columns:
            raise _catalog_error(f"the stream has no such key column: {got_and_allowed(key, sorted(columns))}", where)


def _catalog_error(problem: str, place: str) -> ConfigError:
    return ConfigError(
        f"The catalog is invalid: {problem}.",
        where=f"--catalog · {place}" if place else "--catalog",
        hint="correct the catalog, or run discovery again",
    )


def select_parents(entry: CatalogEntry) -> None:
    """Select the objects around selected properties, without their other properties. The SDK would drop all of them."""
    selected = [breadcrumb for breadcrumb, metadata in entry.metadata.items() if metadata.selected]
    for breadcrumb in selected:
        for depth in range(2, len(breadcrumb), 2):
            parent = breadcrumb[:depth]
            if parent in entry.metadata and entry.metadata[parent].selected is False:
                entry.metadata[parent].selected = True
                for name in _properties_at(entry.schema, parent):
                    child = (*parent, "properties", name)
                    if child not in entry.metadata:
                        entry.metadata[child] = Metadata(selected=False)
                    elif not entry.metadata[child].selected:
                        entry.metadata[child].selected = False


def _properties_at(schema: Schema, breadcrumb: tuple[str, ...]) -> list[str]:
    for name in breadcrumb[1::2]:
        schema = (schema.properties or {}).get(name, Schema())
    return list(schema.properties or {})


def complete_entry(entry: CatalogEntry, ours: dict[str, Any], keys: set[str], logger: Logger) -> None:
    """Add keys and derived properties (custom fields by name, labels) to an entry. `ours` is the current schema.

    The entry's own properties stay, unless their types are not those of the records. Columns that it lacks are
    deselected: the user removed them, or the catalog is older than they are. If the user deselected any column, new
    derived properties are deselected as well.
    """
    schema = entry.schema.to_dict()
    has = schema.get("properties", {})
    lacking = [name for name in ours["properties"] if name not in has]
    resource = BY_NAME.get(entry.tap_stream_id)
    base = (resource.schema if resource else ours)["properties"]
    columns = [name for name in lacking if name in base and name not in keys]
    derived = {name: ours["properties"][name] for name in lacking if name not in base}
    has = {name: ours["properties"][name] for name in lacking if name in keys} | has
    current = {name: property_schema for name, property_schema in ours["properties"].items() if name in has}
    has |= {name: each for name, each in current.items() if not _has_types_of(has[name], each)}
    if CUSTOM_FIELDS_PROPERTY in current:
        _deselect_new_custom_fields(entry, has[CUSTOM_FIELDS_PROPERTY], current[CUSTOM_FIELDS_PROPERTY])
        has |= {CUSTOM_FIELDS_PROPERTY: current[CUSTOM_FIELDS_PROPERTY]}
    is_picked = any(metadata.selected is False for breadcrumb, metadata in entry.metadata.items() if breadcrumb)
    # Unexpected values may be of a column that the user removed.
    deselected = [*derived] if is_picked else [name for name in derived if columns and name == UNEXPECTED]
    for name in [*columns, *deselected]:
        entry.metadata["properties", name] = Metadata(selected=False)
    for name in keys:
        entry.metadata["properties", name] = Metadata(inclusion=Metadata.InclusionType.AUTOMATIC)
    if columns:
        logger.warning(
            "The catalog lacks columns, which are therefore not emitted: %s. Run discovery again to add them",
            ", ".join(columns),
        )
    entry.schema = Schema.from_dict({**ours, **schema, "properties": {**has, **derived}})


def _deselect_new_custom_fields(entry: CatalogEntry, theirs: dict[str, Any], ours: dict[str, Any]) -> None:
    """Deselect the custom fields that the catalog lacks, if the user picked some of those that it has."""
    parent = ("properties", CUSTOM_FIELDS_PROPERTY, "properties")
    is_picked = any(
        metadata.selected is False for breadcrumb, metadata in entry.metadata.items() if breadcrumb[:3] == parent
    )
    for name in ours["properties"] if is_picked else ():
        if name not in (theirs.get("properties") or {}):
            entry.metadata[(*parent, name)] = Metadata(selected=False)


def _has_types_of(schema: dict[str, Any], ours: dict[str, Any]) -> bool:
    """Return whether a schema has the types of ours at every depth where it has ours."""
    if _types(schema) != _types(ours):
        return False
    theirs, properties = schema.get("properties") or {}, ours.get("properties") or {}
    pairs = [(theirs[name], properties[name]) for name in theirs if name in properties]
    elements = (schema.get("items"), ours.get("items"))
    if None not in elements:
        pairs.append(elements)
    return all(_has_types_of(*pair) for pair in pairs)


def _types(schema: dict[str, Any]) -> set[str]:
    types = schema.get("type") or ()
    return {types} if isinstance(types, str) else set(types)
