"""Converts rows to records, with functions that are compiled once from a resource's schema.

Compiling costs little and saves looking up the schema for every value. A record holds only what its schema announces:
loaders drop other values silently, or fail. A value that does not fit its type is null in its place. It moves to the
property `unexpected_fields`, and so does a field that the schema lacks. Secrets and positions are dropped at any depth.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping
from datetime import timezone, tzinfo
from decimal import Decimal
from functools import lru_cache
from typing import Any

from fieldpulse_api.values.scalars import (
    ConversionError,
    quick_timestamp,
    to_boolean,
    to_date,
    to_decimal_text,
    to_integer,
    to_number,
    to_text,
    to_timestamp,
)

from .layout import Convert, Field, Layout

_LEAST, _MOST = -(2**63), 2**63 - 1  # of 64 bits, the largest integer of a warehouse
PRECISION, SCALE = 38, 9
"""Most digits of a decimal, and behind its point: those of NUMBER in Snowflake, where a column without a scale holds
whole numbers."""
Unexpected = dict[str, Any]

UNEXPECTED = "unexpected_fields"
UNEXPECTED_SCHEMA: dict[str, Any] = {
    "type": ["object", "null"],
    "description": "What FieldPulse sent beside the columns: fields that the catalogue lacks, by name, and values that "
    "do not fit their type, by path, such as line_items.0.tax_rate",
    "additionalProperties": True,
}
"""The schema of the property `unexpected_fields`."""

SECRET_WORDS = ("token", "password", "secret", "api_key", "apikey")
"""Parts of the names of fields that may hold a secret, in lower case."""
POSITION = "last_known_location"
"""The field with the position of a person."""
_SECRET = re.compile("|".join(SECRET_WORDS), re.IGNORECASE)
_TIME = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d")
_TYPE_NAMES = {type(None): "null", bool: "boolean", int: "integer", dict: "object", list: "array"}
_FITS = {
    "string": "{v}.__class__ is str",
    "boolean": "{v}.__class__ is bool",
    "integer": f"{{v}}.__class__ is int and {_LEAST} <= {{v}} <= {_MOST}",
    "number": "{v}.__class__ is int or {v}.__class__ is Decimal",
    "x-singer.decimal": "{v}.__class__ is str and is_plain_decimal({v})",
    "any": "{v}.__class__ is not dict and {v}.__class__ is not list",
}
"""The usual values of a type, see `Field`."""
_NAMES = {
    "Decimal": Decimal,
    "is_plain_decimal": re.compile(
        rf"-?(0|[1-9]\d{{0,{PRECISION - SCALE - 1}}})(\.\d{{1,{SCALE}}})?\Z", re.ASCII
    ).match,
}
_ELEMENT = "[]"
"""Stands for the index of an element in the path of a value."""
_LAYOUTS = 1024  # of one kind of object; it has one or few, unless the server omits what is null


class Shaper:
    """Convert rows of one resource to dicts of JSON values.

    Money becomes exact text, times become `YYYY-MM-DDTHH:MM:SS.ffffffZ`. `misfits` counts values that do not fit their
    type, by path without indexes. `unknown_fields` has the types of a row's fields that the schema lacks;
    `omitted_fields` those that it does not allow. `flags_property` is the property that collects unknown true and
    false values. Objects inside a row stay open: a field that is unknown there stays in its place.
    """

    def __init__(
        self,
        schema: Mapping[str, Any],
        *,
        excluded: tuple[str, ...] = (),
        flags_property: str | None = None,
        zone: tzinfo = timezone.utc,
    ) -> None:
        self.misfits: Counter[str] = Counter()
        self.unknown_fields: defaultdict[str, set[str]] = defaultdict(set)
        self.omitted_fields: set[str] = set()
        never = frozenset({POSITION, *excluded})
        self._is_forbidden = lru_cache(maxsize=4096)(lambda name: name in never or is_secret_name(name))
        self._conversions: dict[str, Convert] = {
            "string": lambda value: value if isinstance(value, str) else to_text(self._clean(value)),
            "boolean": to_boolean,
            "integer": _int64,
            "number": to_number,
            "date": to_date,
            "date-time": lambda value: to_timestamp(value, zone),
            "x-singer.decimal": _decimal,
        }
        self._zone, self._flags_property, self._flags = zone, flags_property, dict[str, bool]()
        self._unexpected: Unexpected = {}
        self._indexes: list[int] = []  # of the array elements around the value that is converted
        self._shape = self._object(schema, "")

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        """Return the record of a row."""
        self._unexpected, self._flags = {}, {}
        self._indexes.clear()
        record: dict[str, Any] = self._shape(row)
        if self._flags_property:
            record = {self._flags_property: self._flags, **record}
        record[UNEXPECTED] = self._unexpected or None
        return record

    def _object(self, schema: Mapping[str, Any], path: str) -> Convert:
        """Return the conversion of objects; `path` precedes the names of their fields."""
        fields = {name: self._field(each, path + name) for name, each in schema.get("properties", {}).items()}
        rest = schema.get("additionalProperties", True)

        @lru_cache(maxsize=_LAYOUTS)
        def layout(names: tuple[str, ...]) -> Layout:
            return Layout(names, [fields.get(name) or self._unknown_field(name, path, rest) for name in names])

        return lambda row: layout(tuple(row)).convert(row)

    def _field(self, schema: Mapping[str, Any], path: str) -> Field:
        kinds = schema.get("type", [])
        kind = next((name for name in ([kinds] if isinstance(kinds, str) else kinds) if name != "null"), "any")
        if kind == "object":
            return Field(self._nested(self._object(schema, f"{path}."), path))
        if kind == "array":
            return Field(self._array(self._field(schema.get("items", {}), f"{path}.{_ELEMENT}"), path))
        form = str(schema.get("format", ""))
        kind = form if form in self._conversions else kind
        convert = self._conversions.get(kind, self._clean)

        def converted(value: Any) -> Any:
            try:
                return convert(value)
            except ConversionError:
                return self._moved(value, path)

        if kind == "date-time":
            return Field(quick_timestamp(self._zone, otherwise=converted))
        return Field(converted, _FITS.get(kind, ""), names=_NAMES)

    def _nested(self, convert: Convert, path: str) -> Convert:
        def nested(value: Any) -> Any:
            if isinstance(value, dict):
                return convert(value)
            return None if value in ("", []) else self._moved(value, path)  # [] is an empty PHP array

        return nested

    def _array(self, field: Field, path: str) -> Convert:
        convert, indexes = field.convert, self._indexes

        def array(value: Any) -> Any:
            if isinstance(value, list):
                elements = value.copy()
                if elements:
                    indexes.append(0)
                    for indexes[-1], element in enumerate(value):
                        if element is not None:
                            elements[indexes[-1]] = convert(element)
                    indexes.pop()
                return elements
            return None if value in ("", {}) else self._moved(value, path)

        return array

    def _moved(self, value: Any, path: str) -> None:
        """Move a value that does not fit to the unexpected fields."""
        self.misfits[path.replace(f".{_ELEMENT}", "")] += 1
        for index in self._indexes:
            path = path.replace(_ELEMENT, str(index), 1)
        self._unexpected[path] = self._clean(value)

    def _unknown_field(self, name: str, path: str, rest: Any) -> Field:
        """Return what happens to a field that the schema lacks; `rest` is the schema of such fields, or false."""

        def move(value: Any) -> None:
            self.unknown_fields[name].add(type_name(value))
            self._unexpected[name] = self._clean(value)

        def omit(value: Any) -> None:
            if self._flags_property and isinstance(value, bool):
                self._flags[name] = value
            else:
                self.omitted_fields.add(name)

        if self._is_forbidden(name) or (path and rest is False):
            return Field(lambda _: None, is_left_out=True)
        if path:
            return self._field(rest if isinstance(rest, Mapping) else {}, path + name)
        return Field(omit if rest is False else move, is_left_out=True)

    def _clean(self, value: Any) -> Any:
        """Return a value of unknown type without secrets and positions."""
        if isinstance(value, dict):
            return {
                name: self._clean(element) if isinstance(element, (dict, list)) else element
                for name, element in value.items()
                if not self._is_forbidden(name)
            }
        if isinstance(value, list):
            return [self._clean(element) for element in value]
        return value


def _int64(value: Any) -> int | None:
    """Return an integer of 64 bits. Raises: ConversionError."""
    number = to_integer(value)
    if number is not None and not _LEAST <= number <= _MOST:
        raise ConversionError
    return number


def _decimal(value: Any) -> str | None:
    """Return a decimal that has no more digits than are announced. Raises: ConversionError."""
    decimal = to_decimal_text(value)
    if decimal and len(decimal) > SCALE:  # else it fits in any case
        whole, _, fraction = decimal.lstrip("-").partition(".")
        if len(fraction.rstrip("0")) > SCALE or len(whole) > PRECISION - SCALE:
            raise ConversionError
    return decimal


@lru_cache(maxsize=4096)
def is_secret_name(name: str) -> bool:
    """Return whether a field of this name may hold a secret."""
    return bool(_SECRET.search(name))


def type_name(value: Any) -> str:
    """Return the JSON Schema type of a value, or `date-time` for text in that format."""
    if isinstance(value, str):
        return "date-time" if _TIME.match(value) else "string"
    return _TYPE_NAMES.get(type(value), "number")
