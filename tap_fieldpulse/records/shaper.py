"""Converts rows to records, with functions that are compiled once from a resource's schema.

Compiling costs little and saves looking up the schema for every value. A record holds only what its schema announces:
loaders drop other values silently, or fail. A value that does not fit its type is null in its place. It moves to the
property `unexpected_fields`, and so does a field that the schema lacks. Secrets and positions are dropped at any depth.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from datetime import timezone, tzinfo
from functools import lru_cache
from typing import Any, NamedTuple

from fieldpulse_api.values.scalars import (
    ConversionError,
    to_boolean,
    to_date,
    to_decimal_text,
    to_integer,
    to_number,
    to_text,
    to_timestamp,
)

_INT64 = range(-(2**63), 2**63)
PRECISION, SCALE = 38, 9
"""Most digits of a decimal, and behind its point: those of NUMBER in Snowflake, where a column without a scale holds
whole numbers."""
Convert = Callable[[Any], Any]
Unexpected = dict[str, Any]

UNEXPECTED = "unexpected_fields"
UNEXPECTED_SCHEMA: dict[str, Any] = {
    "type": ["object", "null"],
    "description": "What FieldPulse sent beside the columns: fields that the catalogue lacks, by name, and values that "
    "do not fit their type, by path, such as line_items.0.tax_rate",
    "additionalProperties": True,
}
"""The schema of the property `unexpected_fields`."""

_SECRET = re.compile(r"token|password|secret|api_?key", re.IGNORECASE)
_POSITION = "last_known_location"
_TIME = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d")
_TYPE_NAMES = {type(None): "null", bool: "boolean", int: "integer", dict: "object", list: "array"}


class Rule(NamedTuple):
    """How the values of one field are converted; a value of exactly the type `fits` is emitted unchanged."""

    fits: type | None
    convert: Convert


_RULES: dict[str, Rule] = {
    "integer": Rule(None, lambda value: value if value.__class__ is int and value in _INT64 else _int64(value)),
    "boolean": Rule(bool, to_boolean),
    "number": Rule(None, to_number),
    "date": Rule(None, to_date),
    "x-singer.decimal": Rule(None, lambda value: _fitting(to_decimal_text(value))),
}
_ELEMENT = "[]"
"""Stands for the index of an element in the path of a value."""


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
        self._never, self._zone, self._flags_property = frozenset({_POSITION, *excluded}), zone, flags_property
        self._unexpected: Unexpected = {}
        self._indexes: list[int] = []  # of the array elements around the value that is converted
        self._shape = self._object(schema, "")

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        """Return the record of a row."""
        self._unexpected = {}
        self._indexes.clear()
        record: dict[str, Any] = self._shape(row)
        record[UNEXPECTED] = self._unexpected or None
        return record

    def _compile(self, schema: Mapping[str, Any], path: str) -> Rule:
        kinds = schema.get("type", [])
        kind = next((name for name in ([kinds] if isinstance(kinds, str) else kinds) if name != "null"), "any")
        form = str(schema.get("format", ""))
        if kind == "object":
            return Rule(None, _nested(self._object(schema, path)))
        if kind == "array":
            return Rule(None, self._array(self._compile(schema.get("items", {}), f"{path}{_ELEMENT}."), path))
        if form == "date-time":
            return Rule(None, lambda value: to_timestamp(value, self._zone))
        if kind == "string" and form not in _RULES:
            return Rule(str, lambda value: to_text(self._clean(value)))
        return _RULES.get(form) or _RULES.get(kind) or Rule(None, self._clean)

    def _object(self, schema: Mapping[str, Any], path: str) -> Convert:
        rules = {name: self._compile(field, f"{path}{name}.") for name, field in schema.get("properties", {}).items()}
        is_open = schema.get("additionalProperties", True)
        rest = self._compile(is_open if isinstance(is_open, dict) else {}, path)
        flags_property = None if path else self._flags_property

        def shape(row: dict[str, Any]) -> dict[str, Any]:
            record: dict[str, Any] = {flags_property: {}} if flags_property else {}
            for name, value in row.items():
                rule = rules.get(name)
                if rule is not None:
                    fits = value is None or value.__class__ is rule[0]
                    record[name] = value if fits else self._convert(rule, value, path + name)
                elif self._forbidden(name):
                    continue
                elif is_open and path:
                    record[name] = None if value is None else self._convert(rest, value, path + name)
                elif is_open:
                    self.unknown_fields[name].add(type_name(value))
                    self._unexpected[name] = self._clean(value)
                elif flags_property and isinstance(value, bool):
                    record[flags_property][name] = value
                elif not path:
                    self.omitted_fields.add(name)
            return record

        return shape

    def _array(self, rule: Rule, path: str) -> Convert:
        element_path, indexes = path + _ELEMENT, self._indexes

        def array(value: Any) -> Any:
            if isinstance(value, list):
                elements = []
                indexes.append(0)
                for indexes[-1], element in enumerate(value):
                    elements.append(None if element is None else self._convert(rule, element, element_path))
                indexes.pop()
                return elements
            if value in ("", {}):
                return None
            raise ConversionError

        return array

    def _convert(self, rule: Rule, value: Any, path: str) -> Any:
        try:
            return value if value.__class__ is rule.fits else rule.convert(value)
        except ConversionError:
            self.misfits[path.replace(f".{_ELEMENT}", "")] += 1
            self._unexpected[self._indexed(path)] = self._clean(value)
            return None

    def _indexed(self, path: str) -> str:
        for index in self._indexes:
            path = path.replace(_ELEMENT, str(index), 1)
        return path

    def _clean(self, value: Any) -> Any:
        """Return a value of unknown type without secrets and positions."""
        if isinstance(value, dict):
            return {name: self._clean(element) for name, element in value.items() if not self._forbidden(name)}
        if isinstance(value, list):
            return [self._clean(element) for element in value]
        return value

    def _forbidden(self, name: str) -> bool:
        return name in self._never or is_secret_name(name)


def _int64(value: Any) -> int | None:
    """Return an integer of 64 bits, the largest of a warehouse. Raises: ConversionError."""
    number = to_integer(value)
    if number is not None and number not in _INT64:
        raise ConversionError
    return number


def _fitting(decimal: str | None) -> str | None:
    """Return a decimal that has no more digits than are announced. Raises: ConversionError."""
    if decimal and len(decimal) > SCALE:  # else it fits in any case
        whole, _, fraction = decimal.lstrip("-").partition(".")
        if len(fraction.rstrip("0")) > SCALE or len(whole) > PRECISION - SCALE:
            raise ConversionError
    return decimal


def _nested(shape: Convert) -> Convert:
    def nested(value: Any) -> Any:
        if isinstance(value, dict):
            return shape(value)
        if value in ("", []):  # an empty PHP array
            return None
        raise ConversionError

    return nested


@lru_cache(maxsize=4096)
def is_secret_name(name: str) -> bool:
    """Return whether a field of this name may hold a secret."""
    return bool(_SECRET.search(name))


def type_name(value: Any) -> str:
    """Return the JSON Schema type of a value, or `date-time` for text in that format."""
    if isinstance(value, str):
        return "date-time" if _TIME.match(value) else "string"
    return _TYPE_NAMES.get(type(value), "number")
