"""Schemas and records of the Airbyte manifest: typed columns, and no secrets, as far as a manifest can say it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fieldpulse_api.resources.model import Resource
from tap_fieldpulse.records.decimals import DECIMAL
from tap_fieldpulse.records.shaper import POSITION, SECRET_WORDS

Component = dict[str, Any]
Schema = dict[str, Any]

_LENGTH_WITHOUT_ZONE = len("2026-05-01 12:00:00")
_WHOLE_ROW = "_row"
_TIME = "date-time"


def airbyte_schema(resource: Resource) -> Schema:
    """Return the schema of a stream, without descriptions.

    Columns of amounts are numbers, columns of times have a zone. Values inside of objects and lists stay as they come.
    """
    schema = _without_words(resource.schema)
    for name, column in resource.schema["properties"].items():
        if column.get("format") == DECIMAL:
            schema["properties"][name]["type"] = ["number", "null"]
        elif "format" in column:
            schema["properties"][name]["format"] = column["format"]
        if column.get("format") == _TIME:
            schema["properties"][name]["airbyte_type"] = "timestamp_with_timezone"
    return {"$schema": "http://json-schema.org/draft-07/schema#", **schema}


def transformations(resource: Resource) -> Iterator[Component]:
    """Yield the transformations of a stream's records, in order.

    Where the catalogue closes an object, only the properties in its schema remain. Everywhere else fields with the name
    of a secret are removed, at any depth.
    """
    properties = resource.schema["properties"]
    fields = [_field(name, _closed(name, column)) for name, column in properties.items() if _is_closed(column)]
    fields += [_field(name, _utc(name)) for name, column in properties.items() if column.get("format") == _TIME]
    # Text with a number in it, such as "12.50", becomes a number whenever a template returns it.
    fields += [
        _field(name, f"{{{{ record['{name}'] }}}}") for name, column in properties.items() if _is_decimal(column)
    ]
    fields += [_parent_key(key) for key in resource.parent_keys]
    if not resource.schema.get("additionalProperties", True):
        yield from _only_columns(resource)
    if fields:
        yield {"type": "AddFields", "fields": fields}
    yield {"type": "RemoveFields", "field_pointers": [["**", name] for name in _never(resource)]}
    # FieldPulse has empty text for null, in columns of any type (API facts 4.0); PyAirbyte fails at it in a number.
    yield {"type": "RemoveFields", "field_pointers": [["*"]], "condition": "{{ property == '' }}"}


def _only_columns(resource: Resource) -> Iterator[Component]:
    """Yield what removes every column that the catalogue does not have; its true and false values are collected."""
    names, flags = sorted(resource.schema["properties"]), resource.flags_property
    if flags:
        other_flags = f"record.items() | selectattr(1, 'boolean') | rejectattr(0, 'in', {names})"
        yield {"type": "AddFields", "fields": [_field(flags, f"{{{{ dict({other_flags}) }}}}")]}
    yield {"type": "AddFields", "fields": [_field(_WHOLE_ROW, f"{{{{ {_only('record', names)} }}}}")]}
    yield {"type": "DpathFlattenFields", "field_path": [_WHOLE_ROW], "replace_record": True}


def _field(name: str, value: str) -> Component:
    return {"type": "AddedFieldDefinition", "path": [name], "value": value}


def _only(mapping: str, names: list[str]) -> str:
    return f"dict({mapping}.items() | selectattr(0, 'in', {names}))"


def _is_closed(column: Schema) -> bool:
    return not column.get("items", column).get("additionalProperties", True)


def _closed(name: str, column: Schema) -> str:
    """Return the template of an object, or of a list of objects, with only the properties in its schema."""
    value, names = f"record['{name}']", sorted(column.get("items", column)["properties"])
    if "items" not in column:
        return f"{{{{ {_only(value, names)} if {value} is mapping else none }}}}"
    element = f"{{{{ {_only('each', names)} if each is mapping else none }}}}"
    elements = f"[{{% for each in {value} %}}{element}, {{% endfor %}}]"
    return f"{{% if {value} is sequence and {value} is not string %}}{elements}{{% endif %}}"


def _utc(name: str) -> str:
    """Return the template of a time. One without a zone is in UTC (API facts 4.0)."""
    value = f"record['{name}']"
    is_without_zone = f"{value} is string and {value} | length == {_LENGTH_WITHOUT_ZONE}"
    return f"{{{{ {value} | replace(' ', 'T') ~ 'Z' if {is_without_zone} else {value} }}}}"


def _is_decimal(column: Schema) -> bool:
    return bool(column.get("format") == DECIMAL)


def _parent_key(key: str) -> Component:
    return _field(key, f"{{{{ record['{key}'] or stream_partition['{key}'] }}}}")


def _never(resource: Resource) -> list[str]:
    """Return the names of fields that are never emitted, as patterns that do not depend on the first letter's case."""
    words = ("_".join(f"[{part[0]}{part[0].upper()}]{part[1:]}" for part in word.split("_")) for word in SECRET_WORDS)
    return [*(f"*{word}*" for word in words), *dict.fromkeys((POSITION, *resource.excluded_fields))]


def _without_words(schema: Schema) -> Schema:
    """Return a schema without descriptions and formats."""
    result = {key: value for key, value in schema.items() if key not in ("description", "format")}
    if "properties" in schema:
        result["properties"] = {name: _without_words(each) for name, each in schema["properties"].items()}
    if "items" in schema:
        result["items"] = _without_words(schema["items"])
    return result
