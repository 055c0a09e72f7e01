"""Conversion of the values of a body to the form of the rows, by field type.

A value that does not fit raises ValueError with the text of the API's response.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from fieldpulse_api.resources.write_model import Field, FieldType, decimal_places
from fieldpulse_sandbox.behaviour.switches import Behaviour
from fieldpulse_sandbox.schema.object_types import OBJECT_TYPES
from fieldpulse_sandbox.schema.timestamps import bare_from, in_utc, is_unix

TEXTS = frozenset({FieldType.TEXT, FieldType.EMAIL, FieldType.PHONE, FieldType.E164})
"""Types that can hold an empty text; for the others an empty text is null."""
MAIL = re.compile(r"[^@\s]+@[^@\sA-Z]+\.[^@\sA-Z]+")
"""The domain must be in lower case (documented in the vendor's skill file)."""
NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,2})?")
DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
PHONE_DIGITS = 7
GREATEST = Decimal(10) ** 12
WHOLE = frozenset({"quantity_available"})
"""Decimal fields that rows hold as integers (verified)."""
SHORT_TYPES = {class_name: short for short, class_name in OBJECT_TYPES.items() if short != "subtask"}
"""Short name by class name; comments write subtasks in the plural (documented)."""


def accepted_value(field: Field, value: Any, behaviour: Behaviour) -> Any:
    """Return a value of a body if its form is accepted. Times without a zone are returned in UTC.

    Raises: ValueError with the text of the API.
    """
    if field.type is FieldType.TIME and value not in (None, ""):
        if behaviour.accepted_times != "any" and is_unix(value) != (behaviour.accepted_times == "unix"):
            raise ValueError(f"The {readable_name(field.name)} is not a valid date.")
        return in_utc(value, behaviour.time_zone)
    if field.type is FieldType.TEXT_TIME and value not in (None, ""):
        return in_utc(value, behaviour.time_zone)
    if _is_class_column(field) and not is_object_type(value, behaviour):
        raise invalid_choice(field.name)
    return value


def is_object_type(value: Any, behaviour: Behaviour) -> bool:
    """Return whether an object type has a form that writes accept; whether the type exists is not checked."""
    if value in (None, "") or behaviour.accepted_object_types == "any":
        return True
    return (value in OBJECT_TYPES) if behaviour.accepted_object_types == "short" else (value in OBJECT_TYPES.values())


def converted_value(field: Field, value: Any) -> Any:
    """Return a value as the row stores it. An empty value of a type other than text is None.

    Raises: ValueError with the text of the API.
    """
    if value is None or (value == "" and field.type not in TEXTS):
        return None
    converted = CONVERSIONS[field.type](field, value)
    if field.max_length and isinstance(converted, str) and len(converted) > field.max_length:
        raise ValueError(f"The {readable_name(field.name)} may not be greater than {field.max_length} characters.")
    allowed = field.allowed_values or tuple(SHORT_TYPES.get(name, name) for name in field.object_types)
    if allowed and converted != "" and converted not in allowed:
        raise invalid_choice(field.name)
    return OBJECT_TYPES.get(converted, converted) if _is_class_column(field) else converted


def _is_class_column(field: Field) -> bool:
    """Return whether rows hold the class name of an object type; `custom_fields.object` keeps the short name."""
    return field.type is FieldType.OBJECT_TYPE and field.name.endswith("_type")


def readable_name(name: str) -> str:
    """Return a field name as messages show it; a path into a list stays as it is."""
    return name if "." in name else name.replace("_", " ")


def invalid_choice(name: str) -> ValueError:
    """Return the error for a value that is not one of the allowed ones."""
    return ValueError(f"The selected {readable_name(name)} is invalid.")


def decimal_or_none(value: Any) -> Decimal | None:
    """Return a number, or the text of a number, as a decimal; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str) or not NUMBER.fullmatch(str(value)):
        return None
    number = Decimal(str(value))
    return number if abs(number) < GREATEST else None


def decimal_text(column: str, value: Decimal) -> str:
    """Return a decimal as text with the places that live rows have; without trailing zeros if these are unknown."""
    places = decimal_places(column)
    if places is not None:
        value = value.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)
        return f"{value:f}"
    return f"{value.normalize():f}"


def _value_error(field: Field, rule: str) -> ValueError:
    return ValueError(f"The {readable_name(field.name)} {rule}.")


def _text(field: Field, value: Any) -> str:
    if isinstance(value, bool | list | dict):
        raise _value_error(field, "must be a string")
    return str(value)


def _phone(field: Field, value: Any) -> str:
    text = _text(field, value)
    if text and sum(letter.isdigit() for letter in text) < PHONE_DIGITS:
        raise _value_error(field, "must be a valid phone number")
    return text


def _mail(field: Field, value: Any) -> str:
    if value != "" and not (isinstance(value, str) and MAIL.fullmatch(value)):
        raise _value_error(field, "must be a valid email address")
    return str(value)


def _integer(field: Field, value: Any) -> int:
    try:
        if isinstance(value, int | str) and not isinstance(value, bool):
            return int(value)
    except ValueError:
        pass
    raise _value_error(field, "must be an integer")


def _decimal(field: Field, value: Any) -> str | int:
    number = decimal_or_none(value)
    if number is None:
        raise _value_error(field, "must be a number")
    if field.name in WHOLE:
        if number % 1:
            raise _value_error(field, "must be an integer")
        return int(number)
    return decimal_text(field.name, number)


def _boolean(field: Field, value: Any) -> bool:
    if value in (True, False, "0", "1"):
        return value in (True, "1")
    raise _value_error(field, "field must be true or false")


def _time(field: Field, value: Any) -> str:
    text = bare_from(value)
    if text is None:
        raise _value_error(field, "is not a valid date")
    return text


def _day(field: Field, value: Any) -> str:
    try:
        if isinstance(value, str) and DAY.fullmatch(value):
            return date.fromisoformat(value).isoformat()
    except ValueError:
        pass
    raise _value_error(field, "does not match the format Y-m-d")


def _object_type(field: Field, value: Any) -> str:
    """Return the short name; the class name is accepted as well (the sources conflict: API facts 7, question 11)."""
    if not isinstance(value, str):
        raise invalid_choice(field.name)
    return SHORT_TYPES.get(value, value)


CONVERSIONS: dict[FieldType, Callable[[Field, Any], Any]] = {
    FieldType.TEXT: _text,
    FieldType.EMAIL: _mail,
    FieldType.PHONE: _phone,
    FieldType.E164: _phone,
    FieldType.INTEGER: _integer,
    FieldType.DECIMAL: _decimal,
    FieldType.BOOLEAN: _boolean,
    FieldType.TIME: _time,
    FieldType.TEXT_TIME: _time,
    FieldType.DATE: _day,
    FieldType.OBJECT_TYPE: _object_type,
    FieldType.JSON: lambda _, value: value,
}
