"""How money, quantities and rates are announced: exact text of the format `x-singer.decimal`, or JSON numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .shaper import PRECISION, SCALE

Schema = dict[str, Any]

DECIMAL = "x-singer.decimal"


def with_precision(schema: Mapping[str, Any]) -> Schema:
    """Return a schema whose decimals have a precision and a scale, which the SDK's catalog drops."""
    added = {"precision": PRECISION, "scale": SCALE} if schema.get("format") == DECIMAL else {}
    return {**_with_each_schema(schema, with_precision), **added}


def as_numbers(schema: Mapping[str, Any]) -> Schema:
    """Return a schema whose decimals are numbers."""
    result = _with_each_schema(schema, as_numbers)
    if result.get("format") == DECIMAL:
        del result["format"]
        result["type"] = ["number", "null"]
    return result


def _with_each_schema(schema: Mapping[str, Any], convert: Callable[[Any], Schema]) -> Schema:
    """Return a schema whose properties and elements are converted."""
    properties, element = schema.get("properties"), schema.get("items")
    result = dict(schema)
    if properties is not None:
        result["properties"] = {name: convert(each) for name, each in properties.items()}
    if element is not None:
        result["items"] = convert(element)
    return result
