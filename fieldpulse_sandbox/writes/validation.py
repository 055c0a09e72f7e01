"""Whether the body of a write is acceptable, and its values in the form that rows have.

The catalogue's `Write` rules: its fields, limits, allowed values and required names. Whatever else is a column is
taken as well, and what is neither is ignored: unknown keys do not stop a write (O).
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
from fieldpulse_sandbox.writes.field_values import accepted, is_object_type

from .field_values import converted_value, invalid_choice, readable_name
from .line_items import line_problems
from .references import reference_problems

Body = dict[str, Any]
LISTED = frozenset({"locations", "job_ids", "inventory_hub_items", "item_links"}) | frozenset(
    {"serialized_inventories", "item_price_tiers"}
)
"""Fields that hold lists without being columns of every row."""
NOTHING = WriteSpec(fields=())


def validated(store: Store, resource: Resource, body: Body, *, before: Row, behaviour: Behaviour) -> Body:
    """Return the cells that the row takes over from a body. `before` is {} on create.

    Raises: Refused.
    """
    rules = resource.write_spec if isinstance(resource, WritableResource) else NOTHING
    problems = _absent(rules, body, creating=not before, names_again=resource.name in behaviour.names_required_on_put)
    if not before:
        problems += missing_fields(_also_required(resource.name, behaviour), body)
    values, unfit = documented_values(rules, body, behaviour)
    problems += unfit + _unlisted(rules, resource.name, values) + _placeless(values, behaviour)
    problems += line_problems(values.get("line_items"))
    broken = {name.partition(".")[0] for name, _ in problems}
    sound = {name: value for name, value in values.items() if name not in broken}
    problems += reference_problems(store, resource.name, sound, before)
    if not before and resource.name == "customers" and not problems:
        problems += _shared(store, values)
    if problems:
        raise ValidationFailed(problems)
    documented = {*rules.by_name, *(field.column for field in rules.fields)}
    cells = {rules.by_name[name].column: value for name, value in values.items()}
    return undocumented_cells(resource.name, body, documented) | cells


def documented_values(
    rules: WriteSpec, body: Body, behaviour: Behaviour, prefix: str = ""
) -> tuple[Body, list[Problem]]:
    """Return the documented fields of a body by their names in it, and those that do not fit."""
    values: Body = {}
    problems = []
    for name, field in rules.by_name.items():
        if name not in body:
            continue
        try:
            values[name] = converted_value(field, accepted(field, body[name], behaviour))
        except ValueError as why:
            problems.append((prefix + name, str(why)))
    return values, problems


def missing_fields(names: tuple[str, ...], body: Body, prefix: str = "") -> list[Problem]:
    """Return the complaints about required fields that are not there."""
    missing = [prefix + name for name in names if is_blank(body.get(name))]
    return [(name, f"The {readable_name(name)} field is required.") for name in missing]


def is_blank(value: object) -> bool:
    """Say whether a value is none."""
    return value is None or value == ""


def _absent(rules: WriteSpec, body: Body, *, creating: bool, names_again: bool) -> list[Problem]:
    """Return what is required and not there; a PUT repeats little of it, but empties nothing that is required."""
    repeated = [name for name in rules.required if creating or name in rules.always_resend or name in body]
    problems = missing_fields(tuple(repeated), body)
    is_asked = (creating or names_again) and rules.require_any_of
    if is_asked and all(is_blank(body.get(name)) for name in rules.require_any_of):
        first, *others = rules.require_any_of
        listed = " / ".join(readable_name(name) for name in others)
        problems.append((first, f"The {readable_name(first)} field is required when none of {listed} are present."))
    return problems


def _also_required(name: str, behaviour: Behaviour) -> tuple[str, ...]:
    paths = (path.partition(".") for path in behaviour.required_on_create)
    return tuple(column for resource, _, column in paths if resource == name)


def _unlisted(rules: WriteSpec, name: str, values: Body) -> list[Problem]:
    """Return what should be a list or an object and is none; an empty text is none given."""
    problems = []
    for field in rules.fields:
        value = values.get(field.name)
        if field.type is not FieldType.JSON or value is None:
            continue
        is_list = SHAPES[name].get(field.column) == [] or field.name in LISTED
        is_fit = isinstance(value, list if is_list else dict)
        if is_fit and field.name == "items":
            is_fit = all(isinstance(one, dict) for one in value)
        if not is_fit:
            problems.append((field.name, f"The {readable_name(field.name)} must be an array."))
    return problems


def _placeless(values: Body, behaviour: Behaviour) -> list[Problem]:
    """Return the places inside a customer's body that do not say whose they are."""
    places = values.get("locations")
    problems = []
    for number, place in enumerate(places if isinstance(places, list) else ()):
        path = f"locations.{number}.object_type"
        if not (isinstance(place, dict) and place.get("object_type")):
            problems.append((path, f"The {path} field is required."))
        elif not is_object_type(place["object_type"], behaviour):
            problems.append((path, str(invalid_choice(path))))
    return problems


def _shared(store: Store, values: Body) -> list[Problem]:
    """Return the complaint about a display name that two nameless customers would share (D)."""
    name = values.get("display_name")
    if not name or values.get("first_name") or values.get("last_name"):
        return []
    rows = store.tables["customers"].find("display_name", name)
    if any(not (row["first_name"] or row["last_name"]) for row in rows):
        return [("display_name", "The display name has already been taken.")]
    return []
