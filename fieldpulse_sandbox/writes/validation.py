"""Validation of the body of a write, and conversion of its values to the form of the rows.

The rules are those of the catalogue's `WriteSpec`. Other names that are columns are written as well; the rest is
ignored, because unknown names do not make the live API reject a write (observed).
"""

from __future__ import annotations

from typing import Any

from fieldpulse_api.resources.model import Resource, WritableResource
from fieldpulse_api.resources.write_model import FieldType, WriteSpec
from fieldpulse_sandbox.behaviour.switches import Behaviour
from fieldpulse_sandbox.data.errors import Problem, ValidationFailed
from fieldpulse_sandbox.data.store import Store
from fieldpulse_sandbox.schema.column_rules import undocumented_cells
from fieldpulse_sandbox.schema.table_shapes import SHAPES, Row

from .field_values import accepted_value, converted_value, invalid_choice, is_object_type, readable_name
from .line_items import line_problems
from .references import reference_problems

Body = dict[str, Any]
LIST_FIELDS = frozenset(
    {"locations", "job_ids", "inventory_hub_items", "item_links", "serialized_inventories", "item_price_tiers"}
)
"""Fields that hold lists but are not columns of every row."""
NO_FIELDS = WriteSpec(fields=())


def validated_cells(store: Store, resource: Resource, body: Body, *, before: Row, behaviour: Behaviour) -> Body:
    """Return the cells that a body sets. `before` is {} on create.

    Raises: ValidationFailed.
    """
    rules = resource.write_spec if isinstance(resource, WritableResource) else NO_FIELDS
    is_complete = not before or resource.name in behaviour.required_on_put
    problems = _required_problems(rules, body, is_create=not before, is_complete=is_complete)
    if not before:
        problems += missing_fields(_required_by_switch(resource.name, behaviour), body)
    values, unfit = documented_values(rules, body, behaviour)
    problems += unfit + _json_problems(rules, resource.name, values) + _location_problems(values, behaviour)
    problems += line_problems(values.get("not_optional_line_items"))
    invalid = {name.partition(".")[0] for name, _ in problems}
    valid_values = {name: value for name, value in values.items() if name not in invalid}
    problems += reference_problems(store, resource.name, valid_values, before)
    if not before and resource.name == "customers" and not problems:
        problems += _display_name_problems(store, values)
    if problems:
        raise ValidationFailed(problems)
    documented = {*rules.by_name, *(field.column for field in rules.fields)}
    cells = {rules.by_name[name].column: value for name, value in values.items()}
    return undocumented_cells(resource.name, body, documented) | cells


def documented_values(
    rules: WriteSpec, body: Body, behaviour: Behaviour, prefix: str = ""
) -> tuple[Body, list[Problem]]:
    """Return the converted values of documented fields by name, and the problems of values that do not fit."""
    values: Body = {}
    problems = []
    for name, field in rules.by_name.items():
        if name not in body:
            continue
        try:
            values[name] = converted_value(field, accepted_value(field, body[name], behaviour))
        except ValueError as error:
            problems.append((prefix + name, str(error)))
    return values, problems


def missing_fields(names: tuple[str, ...], body: Body, prefix: str = "") -> list[Problem]:
    """Return a problem for each required field without a value."""
    missing = [prefix + name for name in names if is_blank(body.get(name))]
    return [(name, f"The {readable_name(name)} field is required.") for name in missing]


def is_blank(value: object) -> bool:
    """Return whether a value is null or an empty text."""
    return value is None or value == ""


def _required_problems(rules: WriteSpec, body: Body, *, is_create: bool, is_complete: bool) -> list[Problem]:
    """Return the problems of required fields. A PUT may omit them unless it must be complete, but cannot empty them."""
    resent = rules.always_resend if is_complete else ()
    required = [name for name in rules.required if is_create or name in resent or name in body]
    problems = missing_fields(tuple(required), body)
    if is_complete and rules.require_any_of and all(is_blank(body.get(name)) for name in rules.require_any_of):
        first, *others = rules.require_any_of
        listed = " / ".join(readable_name(name) for name in others)
        problems.append((first, f"The {readable_name(first)} field is required when none of {listed} are present."))
    return problems


def _required_by_switch(name: str, behaviour: Behaviour) -> tuple[str, ...]:
    paths = (path.partition(".") for path in behaviour.required_on_create)
    return tuple(column for resource, _, column in paths if resource == name)


def _json_problems(rules: WriteSpec, name: str, values: Body) -> list[Problem]:
    """Return a problem for each value that should be a list or an object."""
    problems = []
    for field in rules.fields:
        value = values.get(field.name)
        if field.type is not FieldType.JSON or value is None:
            continue
        is_list = SHAPES[name].get(field.column) == [] or field.name in LIST_FIELDS
        is_valid = isinstance(value, list if is_list else dict)
        if is_valid and field.name == "items":
            is_valid = all(isinstance(element, dict) for element in value)
        if not is_valid:
            problems.append((field.name, f"The {readable_name(field.name)} must be an array."))
    return problems


def _location_problems(values: Body, behaviour: Behaviour) -> list[Problem]:
    """Return a problem for each location inside a customer's body without a valid object type."""
    locations = values.get("locations")
    problems = []
    for place, location in enumerate(locations if isinstance(locations, list) else ()):
        path = f"locations.{place}.object_type"
        if not isinstance(location, dict):
            problems.append((path, str(invalid_choice(path))))
        elif not location.get("object_type"):  # accepted without one (observed on the backend)
            continue
        elif not is_object_type(location["object_type"], behaviour):
            problems.append((path, str(invalid_choice(path))))
    return problems


def _display_name_problems(store: Store, values: Body) -> list[Problem]:
    """Return a problem if a customer without first and last name has the display name of another one (documented)."""
    name = values.get("display_name")
    if not name or values.get("first_name") or values.get("last_name"):
        return []
    rows = store.tables["customers"].find("display_name", name)
    if any(not (row["first_name"] or row["last_name"]) for row in rows):
        return [("display_name", "The display name has already been taken.")]
    return []
