"""In which form a write may say things: times and object types, and the zone of times that name none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fieldpulse_api.resources.write_model import Field, FieldType
from fieldpulse_sandbox.data.conditions import OBJECT_TYPES
from fieldpulse_sandbox.schema.timestamps import in_utc, is_unix

from .field_values import invalid_choice, readable_name

if TYPE_CHECKING:
    from fieldpulse_sandbox.behaviour.switches import Behaviour


def accepted(field: Field, given: Any, behaviour: Behaviour) -> Any:
    """Return a value of a body; times without a zone come back in UTC.

    Raises: ValueError with the text that the API answers, for a form that it does not take.
    """
    if field.type is FieldType.TIME and given not in (None, ""):
        if behaviour.accepted_times != "any" and is_unix(given) != (behaviour.accepted_times == "unix"):
            raise ValueError(f"The {readable_name(field.name)} is not a valid date.")
        return in_utc(given, behaviour.time_zone)
    is_class = field.type is FieldType.OBJECT_TYPE and field.name.endswith(
        "_type"
    )  # `custom_fields.object` stays short
    if is_class and not is_object_type(given, behaviour):
        raise invalid_choice(field.name)
    return given


def is_object_type(given: Any, behaviour: Behaviour) -> bool:
    """Say whether an object type has one of the names that a write takes; whether there is such a type is not asked."""
    if given in (None, "") or behaviour.accepted_object_types == "any":
        return True
    return (given in OBJECT_TYPES) if behaviour.accepted_object_types == "short" else (given in OBJECT_TYPES.values())
