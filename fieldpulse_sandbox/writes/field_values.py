"""Single values of a body in the form in which rows have them, by kind, or the text with which they are refused."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from fieldpulse_api.resources.write_model import Field, FieldType
from fieldpulse_sandbox.data.conditions import OBJECT_TYPES
from fieldpulse_sandbox.schema.timestamps import bare_from

TEXTS = frozenset({FieldType.TEXT, FieldType.EMAIL, FieldType.PHONE, FieldType.E164})
"""The kinds that hold an empty text; for the others it is a null."""
MAIL = re.compile(r"[^@\s]+@[^@\sA-Z]+\.[^@\sA-Z]+")
"""The domain must be in lower case (the vendor's skill file)."""
NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,2})?")
DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
PHONE_DIGITS = 7
GREATEST = Decimal(10) ** 12
PLACES = {"amount": 2, "discount": 2}
"""Places of the amounts of money (V)."""
UNIT_ENDINGS = ("unit_price", "unit_cost", "per_unit_measure")
UNIT_PLACES = 4
WHOLE = frozenset({"quantity_available"})
"""Decimals in a body that read back as integers (V)."""
SHORT = {long: short for short, long in OBJECT_TYPES.items() if short != "subtask"}
"""The class of a type column → its short name; comments write subtasks in the plural (D)."""


def converted_value(field: Field, given: Any) -> Any:
    """Return a value as the row stores it; what is empty and no text is None.

    Raises: ValueError with the text that the API answers.
    """
    if given is None or (given == "" and field.type not in TEXTS):
        return None
    value = CONVERSIONS[field.type](field, given)
    if field.max_length and isinstance(value, str) and len(value) > field.max_length:
        raise ValueError(f"The {readable_name(field.name)} may not be greater than {field.max_length} characters.")
    if field.allowed_values and value != "" and value not in field.allowed_values:
        raise invalid_choice(field.name)
    is_class = field.type is FieldType.OBJECT_TYPE and field.name.endswith(
        "_type"
    )  # `custom_fields.object` stays short (V*)
    return OBJECT_TYPES.get(value, value) if is_class else value


def readable_name(name: str) -> str:
    """Return a name as messages have it: paths into lists keep theirs."""
    return name if "." in name else name.replace("_", " ")


def invalid_choice(name: str) -> ValueError:
    """Return the refusal of a value that is none of those there are."""
    return ValueError(f"The selected {readable_name(name)} is invalid.")


def number(given: Any) -> Decimal | None:
    """Return a number or the text of one as a decimal, or None if it is none."""
    if isinstance(given, bool) or not isinstance(given, int | float | str) or not NUMBER.fullmatch(str(given)):
        return None
    value = Decimal(str(given))
    return value if abs(value) < GREATEST else None


def stored(column: str, value: Decimal) -> str:
    """Return a decimal as text, with as many places as the column has in live rows: none to spare if unknown."""
    places = UNIT_PLACES if column.endswith(UNIT_ENDINGS) else PLACES.get(column)
    if places is not None:
        value = value.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)
        return f"{value:f}"
    return f"{value.normalize():f}"


def _must(field: Field, rule: str) -> ValueError:
    return ValueError(f"The {readable_name(field.name)} {rule}.")


def _text(field: Field, given: Any) -> str:
    if isinstance(given, bool | list | dict):
        raise _must(field, "must be a string")
    return str(given)


def _phone(field: Field, given: Any) -> str:
    text = _text(field, given)
    if text and sum(letter.isdigit() for letter in text) < PHONE_DIGITS:
        raise _must(field, "must be a valid phone number")
    return text


def _mail(field: Field, given: Any) -> str:
    if given != "" and not (isinstance(given, str) and MAIL.fullmatch(given)):
        raise _must(field, "must be a valid email address")
    return str(given)


def _integer(field: Field, given: Any) -> int:
    try:
        if isinstance(given, int | str) and not isinstance(given, bool):
            return int(given)
    except ValueError:
        pass
    raise _must(field, "must be an integer")


def _decimal(field: Field, given: Any) -> str | int:
    value = number(given)
    if value is None:
        raise _must(field, "must be a number")
    if field.name in WHOLE:
        if value % 1:
            raise _must(field, "must be an integer")
        return int(value)
    return stored(field.name, value)


def _boolean(field: Field, given: Any) -> bool:
    if given in (True, False, "0", "1"):
        return given in (True, "1")
    raise _must(field, "field must be true or false")


def _time(field: Field, given: Any) -> str:
    moment = bare_from(given)
    if moment is None:
        raise _must(field, "is not a valid date")
    return moment


def _day(field: Field, given: Any) -> str:
    try:
        if isinstance(given, str) and DAY.fullmatch(given):
            return date.fromisoformat(given).isoformat()
    except ValueError:
        pass
    raise _must(field, "does not match the format Y-m-d")


def _object_type(field: Field, given: Any) -> str:
    """Return the short name, which may also come as the class (conflict: contract 7, question 11)."""
    if not isinstance(given, str):
        raise invalid_choice(field.name)
    return SHORT.get(given, given)


CONVERSIONS: dict[FieldType, Callable[[Field, Any], Any]] = {
    FieldType.TEXT: _text,
    FieldType.EMAIL: _mail,
    FieldType.PHONE: _phone,
    FieldType.E164: _phone,
    FieldType.INTEGER: _integer,
    FieldType.DECIMAL: _decimal,
    FieldType.BOOLEAN: _boolean,
    FieldType.TIME: _time,
    FieldType.DATE: _day,
    FieldType.OBJECT_TYPE: _object_type,
    FieldType.JSON: lambda _, given: given,
}
