"""A catalog that was made before, held against what this account and this version have."""

from __future__ import annotations

from logging import Logger
from typing import Any

from jsonschema import Draft7Validator
from jsonschema.exceptions import SchemaError
from singer_sdk.singerlib import Catalog, CatalogEntry, Metadata, Schema

from fieldpulse_api.errors import ConfigError, got_and_allowed
from fieldpulse_api.resources.catalogue import BY_NAME
from fieldpulse_api.values.custom_fields import CUSTOM_FIELDS_PROPERTY

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


def read_catalog(given: dict[str, Any], events: tuple[str, ...]) -> Catalog:
    """Return a catalog that was checked; `events` are the streams that are no resources.

    Raises: BadSetting for what is none, and for what asks of a stream what it cannot do.
    """
    error = next(_SHAPE.iter_errors(given), None)
    if error:
        raise _wrong(f"{error.validator}: {error.validator_value}", ".".join(map(str, error.absolute_path)))
    catalog = Catalog()
    for stream in given["streams"]:
        name = stream["tap_stream_id"]
        if name in catalog:
            raise _wrong("a stream stands in it once", f"stream {name}")
        catalog[name] = _read(stream)
        if name in (*BY_NAME, *events):
            _check(catalog[name])
        elif catalog[name].metadata.resolve_selection().get((), False):
            raise _wrong(
                f"there is no such stream to select: {got_and_allowed(name, (*BY_NAME, *events))}", f"stream {name}"
            )
    return catalog


def _read(stream: dict[str, Any]) -> CatalogEntry:
    where = f"schema of stream {stream['tap_stream_id']}"
    try:
        Draft7Validator.check_schema(stream["schema"])
        return CatalogEntry.from_dict(stream)
    except SchemaError as error:
        rule = f"{error.validator}: {error.validator_value}"
        raise _wrong(rule, ".".join([where, *map(str, error.absolute_path)])) from None
    except (AttributeError, TypeError, ValueError, RecursionError):  # the SDK's own reading: `true` is no schema to it
        raise _wrong("every property has a schema that is an object", where) from None


def _check(entry: CatalogEntry) -> None:
    where, root = f"stream {entry.tap_stream_id}", entry.metadata.root
    if entry.stream not in (None, entry.tap_stream_id):
        raise _wrong("`stream` is the same as `tap_stream_id`; stream_maps renames", where)
    resource = BY_NAME.get(entry.tap_stream_id)
    if resource is None:
        return
    allowed = [resource.updated_column] if resource.updated_column else []
    for key in (entry.replication_key, root.replication_key):
        if key is not None and key not in allowed:
            raise _wrong(f"a replication key of the stream: {got_and_allowed(key, allowed or ['null'])}", where)
    columns = {*resource.schema["properties"], *(entry.schema.properties or ())}
    for key in (*(entry.key_properties or ()), *(root.table_key_properties or ())):
        if key not in columns:
            raise _wrong(f"a key that is a column of the stream: {got_and_allowed(key, sorted(columns))}", where)


def _wrong(rule: str, place: str) -> ConfigError:
    return ConfigError(
        f"The catalog breaks a rule: {rule}.",
        where=f"--catalog · {place}" if place else "--catalog",
        hint="discover again, or correct it",
    )


def complete_entry(entry: CatalogEntry, ours: dict[str, Any], keys: set[str], logger: Logger) -> None:
    """Let an entry announce its keys, and what is derived for it: custom fields by name, labels.

    Its own properties stay. Other columns that it lacks are not emitted: it was trimmed, or is older than they
    are. Where columns were deselected by hand, what is derived is deselected too.
    """
    schema = entry.schema.to_dict()
    has = schema.get("properties", {})
    lacking = [name for name in ours["properties"] if name not in has]
    resource = BY_NAME.get(entry.tap_stream_id)
    base = (resource.schema if resource else ours)["properties"]
    columns = [name for name in lacking if name in base and name not in keys]
    derived = {name: ours["properties"][name] for name in lacking if name not in base}
    has = {name: ours["properties"][name] for name in lacking if name in keys} | has
    if CUSTOM_FIELDS_PROPERTY in has and CUSTOM_FIELDS_PROPERTY in ours["properties"]:
        has = has | {CUSTOM_FIELDS_PROPERTY: ours["properties"][CUSTOM_FIELDS_PROPERTY]}
    is_picked = any(one.selected is False for breadcrumb, one in entry.metadata.items() if breadcrumb)
    for name in [*columns, *(derived if is_picked else ())]:
        entry.metadata["properties", name] = Metadata(selected=False)
    for name in keys:
        entry.metadata["properties", name] = Metadata(inclusion=Metadata.InclusionType.AUTOMATIC)
    if columns:
        logger.warning(
            "The catalog lacks columns, and so they are not emitted: %s. Discover again to have them",
            ", ".join(columns),
        )
    entry.schema = Schema.from_dict({**ours, **schema, "properties": {**has, **derived}})
