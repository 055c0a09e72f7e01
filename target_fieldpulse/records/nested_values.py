"""Lists and objects inside a record, such as line items: checked against the schema of their column, and converted."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping
from typing import Any

from fieldpulse_api.errors import RecordInvalid
from fieldpulse_api.resources.write_model import Field, decimal_places
from fieldpulse_api.values.scalars import ConversionError, to_boolean

from . import numbers
from .field_codec import describe, invalid_field

_LOGGER = logging.getLogger(__name__)
_AMOUNT = re.compile("price|amount|total|cost|rate|fee|charge", re.IGNORECASE)
_PLACE = re.compile(r"\[\d+\]")
_EMPTY: tuple[Any, ...] = (None, "", [], {})

Schema = Mapping[str, Any]


class NestedValues:
    """Converts nested values. Keys that the schema lacks are sent as they are, with a warning for each in a run."""

    def __init__(self) -> None:
        self._unknown: set[str] = set()

    def to_wire(self, field: Field, value: Any, schema: Schema, path: str) -> Any:
        """Return a value with its numbers and booleans as the API takes them; `path` is its property, for messages.

        Raises: RecordInvalid for a value of another type, and for an element that would be worth 0.00 only because its
        amount has another name than the API's.
        """
        if isinstance(value, list):
            _check_amounts(value, schema, field.amount_keys, path)
        return self._converted(value, schema, path)

    def _converted(self, value: Any, schema: Schema, path: str) -> Any:
        if value in _EMPTY:
            return value
        types = schema.get("type", ())
        if "array" in types:
            elements = _of_type(list, value, path, "a list")
            return [
                self._converted(element, schema.get("items", {}), f"{path}[{place}]")
                for place, element in enumerate(elements)
            ]
        if "object" in types:
            properties = schema.get("properties", {})
            members = _of_type(Mapping, value, path, "an object")
            self._warn_of(sorted(members.keys() - properties.keys()), path)
            return {
                key: self._converted(member, properties.get(key, {}), f"{path}.{key}")
                for key, member in members.items()
            }
        return _scalar(value, schema, path)

    def _warn_of(self, keys: list[str], path: str) -> None:
        for key in keys:
            name = f"{_PLACE.sub('[]', path)}.{key}"
            if name not in self._unknown:
                self._unknown.add(name)
                _LOGGER.warning("%s is sent as it is: it is not a documented key", name)


def _scalar(value: Any, schema: Schema, path: str) -> Any:
    types, name = schema.get("type", ()), path.rpartition(".")[2]
    convert: Callable[[Any], Any] | None = None
    if schema.get("format") == "x-singer.decimal":
        convert, expected = lambda each: numbers.to_decimal_text(each, decimal_places(name)), "a number"
    elif "integer" in types:
        convert, expected = numbers.to_integer, "a whole number"
    elif "boolean" in types:
        convert, expected = to_boolean, "true or false"
    elif "string" in types and isinstance(value, (list, Mapping)):
        raise _type_error(value, path, "text is expected")
    if convert is None:
        return value
    try:
        return convert(value)
    except ConversionError as error:
        raise _type_error(value, path, str(error) or f"{expected} is expected") from None


def _of_type(kind: type, value: Any, path: str, expected: str) -> Any:
    if not isinstance(value, kind):
        raise _type_error(value, path, f"{expected} is expected")
    return value


def _type_error(value: Any, path: str, reason: str) -> RecordInvalid:
    return invalid_field(f"{path} is {describe(value)}; {reason}", re.split(r"[.[]", path)[0])


def _check_amounts(elements: list[Any], schema: Schema, keys: tuple[str, ...], path: str) -> None:
    """Raise RecordInvalid for an element whose amount is not where the API looks for it: under `keys`, by level."""
    if not keys:
        return
    element_schema = schema.get("items", {})
    known = element_schema.get("properties", {})
    for place, element in enumerate(elements):
        amount = element.get(keys[0]) if isinstance(element, Mapping) else None
        if isinstance(amount, list) and amount:
            _check_amounts(amount, known[keys[0]], keys[1:], f"{path}[{place}].{keys[0]}")
        elif isinstance(element, Mapping) and not _is_nonzero(amount):
            others = [key for key, value in element.items() if key not in known and _has_amount(key, value)]
            if others:
                form = keys[-1]
                for key in reversed(keys[:-1]):
                    form = f"{key}: [{{{form}}}]"
                raise invalid_field(
                    f"{path}[{place}] has an amount in `{others[0]}` and none in `{keys[0]}`: it would count as 0.00",
                    re.split(r"[.[]", path)[0],
                    f"put the amount into `{form}`",
                )


def _has_amount(key: str, value: Any) -> bool:
    """Return whether a value is an amount by its name, or holds such a value."""
    if isinstance(value, Mapping):
        return any(_has_amount(name, member) for name, member in value.items())
    if isinstance(value, list):
        return any(_has_amount(key, element) for element in value)
    return bool(_AMOUNT.search(key)) and _is_nonzero(value)


def _is_nonzero(value: Any) -> bool:
    try:
        return float(numbers.to_decimal_text(value, places=4) or 0) != 0
    except ConversionError:
        return False
