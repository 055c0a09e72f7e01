"""What the target writes: its streams, and the properties that a record of each may have."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fieldpulse_api.resources.catalogue import BY_NAME, WRITABLE
from fieldpulse_api.resources.model import Operation, WritableResource
from fieldpulse_api.resources.write_model import Action, Field, FieldType, Reference, decimal_places

from .dictionary import description_of
from .tables import codes, table

_TYPES = {
    "e164": "phone",
    "time": "timestamp",
    "text_time": "timestamp",
    "object_type": "object type",
    "json": "array or object",
    "key": "text",
}


def streams_table() -> str:
    """Return every stream that the target writes as a table."""
    head = ("stream", "by name or your key", "required to create", "default `match`", "actions", "delete")
    rows = []
    for resource in WRITABLE.values():
        spec = resource.write_spec
        by_name = dict.fromkeys(
            name
            for reference in spec.references
            for name in reference.properties
            if name not in spec.by_name or reference.is_list
        )
        required = [*spec.required, *([f"one of {', '.join(spec.require_any_of)}"] if spec.require_any_of else [])]
        rows.append(
            (
                f"[`{resource.name}`](fields.md#{resource.name})",
                codes([*by_name, *(["custom_fields"] if resource.custom_field_object else [])]),
                ", ".join(required),
                " or ".join(" and ".join(fields) for fields in spec.match_sets),
                codes(action.name for action in spec.actions),
                "yes" if Operation.DELETE in resource.operations else "no",
            )
        )
    return table(head, rows)


def fields() -> str:
    """Return one section for each stream: every property that a record may have."""
    return "\n".join(_section(resource) for resource in WRITABLE.values())


def _section(resource: WritableResource) -> str:
    spec = resource.write_spec
    rows = [
        (f"`{field.name}`", _type(field), _rules(resource, field), _meaning(resource, field)) for field in spec.fields
    ]
    rows += [row for reference in spec.references for row in _reference_rows(resource, reference)]
    if resource.custom_field_object:
        rows.append(("`custom_fields`", "object", "", "Values of custom fields by their names"))
    rows += [_action_row(action) for action in spec.actions]
    return f"## {resource.name}\n\n{table(('property', 'type', 'rules', 'meaning'), rows)}"


def _type(field: Field) -> str:
    return _TYPES.get(field.type.value, field.type.value)


def _rules(resource: WritableResource, field: Field) -> str:
    spec = resource.write_spec
    labels = field.code_labels.by_code if field.code_labels else {}
    rules = [
        "required to create" if field.name in spec.required else "",
        "one of these is required to create" if field.name in spec.require_any_of else "",
        f"at most {field.max_length:,} characters" if field.max_length else "",
        ", ".join(f"{value} {labels[value]}" if value in labels else f"`{value}`" for value in field.allowed_values),
    ]
    schema = BY_NAME[spec.target_resource or resource.name].schema["properties"].get(field.column)
    if any(reference.is_list and reference.field == field.name for reference in spec.references):
        rules.append("a list of names or ids")
    elif schema and field.type is FieldType.JSON:
        rules.append(_shape(schema))
    places = decimal_places(field.name) if field.type is FieldType.DECIMAL else None
    rules.append(f"at most {places} decimal places" if places else "")
    return "; ".join(rule for rule in rules if rule)


def _shape(schema: dict[str, Any]) -> str:
    """Return what a list or an object holds."""
    if "array" in schema["type"]:
        return f"a list of {_shape(schema['items'])}" if "items" in schema else "a list"
    if "object" in schema["type"] and schema.get("properties"):
        members = (
            f"`{name}`" + (f" ({_shape(each)})" if each.keys() & {"items", "properties"} else "")
            for name, each in schema["properties"].items()
        )
        return f"objects of {', '.join(members)}"
    return "ids" if "integer" in schema["type"] else "values"


def _meaning(resource: WritableResource, field: Field) -> str:
    target = BY_NAME[resource.write_spec.target_resource or resource.name]
    return description_of(target, field.column)


def _reference_rows(resource: WritableResource, reference: Reference) -> Iterator[tuple[str, str, str, str]]:
    stream, spec = f"`{reference.stream}`", resource.write_spec
    if reference.external_id_property:
        meaning = f"Your key of a record of {stream}; stands for `{reference.field}`"
        yield f"`{reference.external_id_property}`", "text", "", meaning
    if reference.name_property and reference.name_property not in spec.by_name:
        meaning = f"`{reference.column}` of a row of {stream}; stands for `{reference.field}`"
        yield f"`{reference.name_property}`", "text", "", meaning


def _action_row(action: Action) -> tuple[str, str, str, str]:
    return (
        f"`{action.name}`",
        "array of objects",
        f"of {codes(field.name for field in action.item.fields)}",
        "An action",
    )
