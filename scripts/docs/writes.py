"""What the target writes: its streams, and the properties that a record of each may have."""

from __future__ import annotations

from collections.abc import Iterator

from fieldpulse_api.resources.catalogue import BY_NAME, WRITABLE
from fieldpulse_api.resources.model import Operation, WritableResource
from fieldpulse_api.resources.write_model import Action, Field, Reference

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
    return "; ".join(rule for rule in rules if rule)


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
