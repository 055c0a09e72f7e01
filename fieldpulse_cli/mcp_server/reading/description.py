"""What a model learns of the streams, from the catalogue: columns, filters, and what may be written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from fieldpulse_api.resources.catalogue import RESOURCES
from fieldpulse_api.resources.model import Operation, Resource, WritableResource
from fieldpulse_api.resources.write_model import Field, WriteSpec
from fieldpulse_api.values.custom_fields import CUSTOM_FIELDS_PROPERTY
from fieldpulse_cli.mcp_server.results import Record
from tap_fieldpulse.records.shaper import is_secret_name

from .row_filters import is_nested, related_streams

_MAX_MEMBERS = 12


def describe_streams() -> Record:
    """Return all streams, with the names of their filters."""
    return {
        "streams": {
            resource.name: {
                "title": resource.title,
                "filters": sorted({*(each.name for each in resource.filters), *related_streams(resource)}),
                "writable": isinstance(resource, WritableResource),
                **({"parent": resource.parent} if resource.parent else {}),
            }
            for resource in RESOURCES
        },
        "notes": ["A filter on any other column works by its exact value, such as customer_id."],
    }


def describe_stream(resource: Resource, schema: Mapping[str, Any]) -> Record:
    """Return one stream. `schema` is that of its records in this account, with its custom fields."""
    result: Record = {
        "stream": resource.name,
        "title": resource.title,
        "tools": ["list_rows", "search_rows", *(["get_row"] if Operation.GET in resource.operations else [])],
        **({"parent": resource.parent} if resource.parent else {}),
        "columns": dict(_columns(schema["properties"])),
        "filters": dict(_filters(resource)),
    }
    if isinstance(resource, WritableResource):
        result["write"] = _write_rules(resource)
    return result


def _columns(properties: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, schema in properties.items():
        if is_secret_name(name):
            continue
        types = schema.get("type", [])
        kind = next((each for each in ([types] if isinstance(types, str) else types) if each != "null"), "any")
        text = f"{schema.get('format') or kind}: {schema.get('description', '')}".rstrip(": ")
        members = list(schema.get("properties") or (schema.get("items") or {}).get("properties") or ())
        if is_nested(schema) and members:
            more = f" and {len(members) - _MAX_MEMBERS} more" if len(members) > _MAX_MEMBERS else ""
            text += f" (members: {', '.join(members[:_MAX_MEMBERS])}{more})"
        yield name, text


def _filters(resource: Resource) -> Iterator[tuple[str, str]]:
    labels = {each.column: each for each in resource.code_labels}
    values: dict[str, list[str]] = {}
    for each in resource.filters:
        if each.comparison:
            text = f"a time or a day in ISO 8601; {each.columns[0]} {each.comparison} it"
        elif each.allowed_values:
            text = f"one of {', '.join(each.allowed_values)}"
        elif each.stream:
            text = f"names or ids of {each.stream}"
        elif each.columns[0] in labels:
            text = f"one of {', '.join(labels[each.columns[0]].by_code.values())}"
        else:
            text = f"a value of {', '.join(each.columns)}"
        values.setdefault(each.name, []).append(text)
    for name, related in related_streams(resource).items():
        values[name] = [f"words of a name of a row of {related.name}: {', '.join(related.write_spec.require_any_of)}"]
    return ((name, ", or ".join(texts)) for name, texts in values.items())


def _write_rules(resource: WritableResource) -> Record:
    spec = resource.write_spec
    rules: Record = {
        "properties": {field.name: _field_rule(field) for field in spec.fields} | dict(_references(spec)),
        "required_to_create": list(spec.required),
        "one_of_these_required_to_create": list(spec.require_any_of),
        "can_be_deleted": Operation.DELETE in resource.operations,
    }
    if resource.custom_field_object:
        rules["properties"][CUSTOM_FIELDS_PROPERTY] = "object: values of custom fields by their names"
    if spec.target_resource:
        rules["changes_rows_of"] = spec.target_resource
    for action in spec.actions:
        rules["properties"][action.name] = f"array of objects of {', '.join(each.name for each in action.item.fields)}"
    return {name: value for name, value in rules.items() if value or value is False}


def _field_rule(field: Field) -> str:
    labels = field.code_labels.by_code if field.code_labels else {}
    parts = [field.type.value]
    if field.max_length:
        parts.append(f"at most {field.max_length} characters")
    if field.allowed_values:
        parts.append(
            "one of " + ", ".join(f"{value} {labels.get(value, '')}".strip() for value in field.allowed_values)
        )
    return "; ".join(parts)


def _references(spec: WriteSpec) -> Iterator[tuple[str, str]]:
    for reference in spec.references:
        if reference.external_id_property:
            yield reference.external_id_property, f"external key of a row of {reference.stream}"
        if reference.name_property:
            yield reference.name_property, f"{reference.column} of a row of {reference.stream}"
