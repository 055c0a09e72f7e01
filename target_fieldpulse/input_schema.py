"""The schema of an input stream as the SDK's mapper can use it. Records are judged, and not schemas."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

_TYPES = frozenset(("array", "boolean", "integer", "null", "number", "object", "string"))
_COMBINATIONS = ("anyOf", "oneOf", "allOf")

Schema = dict[str, Any]


def mappable_schema(schema: Schema) -> Schema:
    """Return a schema of the same properties, each with `type`, and each object with its `properties`.

    Taps send `anyOf`, `$ref`, booleans and columns without a type; the mapper fails at them, or makes an invalid schema
    of them. The types matter only for flattening. `additionalProperties` is whether records may have more properties
    than the schema names: if it says so, if it names none, and if its names depend on the record.
    """
    parts = list(_parts(schema, schema, ()))
    properties = _properties(parts, schema, ())
    is_open = not properties or any(
        part.get("patternProperties") or part.get("additionalProperties", False) is not False for part in parts
    )
    return {"type": "object", "properties": properties, "additionalProperties": is_open}


def _parts(schema: Any, root: Schema, seen: tuple[str, ...]) -> Iterator[Schema]:
    """Yield a schema, what it refers to and its alternatives. `seen` holds the references that led here."""
    if not isinstance(schema, dict):
        return
    yield schema
    reference = schema.get("$ref")
    if isinstance(reference, str) and reference not in seen:
        yield from _parts(_resolve(reference, root), root, (*seen, reference))
    for keyword in _COMBINATIONS:
        alternatives = schema.get(keyword)
        for alternative in alternatives if isinstance(alternatives, list) else ():
            yield from _parts(alternative, root, seen)


def _properties(parts: list[Schema], root: Schema, seen: tuple[str, ...]) -> dict[str, Schema]:
    objects = [part["properties"] for part in parts if isinstance(part.get("properties"), dict)]
    return {name: _property(schema, root, seen) for properties in objects for name, schema in properties.items()}


def _property(schema: Any, root: Schema, seen: tuple[str, ...]) -> Schema:
    parts = list(_parts(schema, root, seen))
    references = tuple(part["$ref"] for part in parts if isinstance(part.get("$ref"), str))
    properties = {} if set(references) & set(seen) else _properties(parts, root, (*seen, *references))
    types = {name for part in parts for name in _type_names(part)} | ({"object"} if properties else set())
    return {"type": sorted(types or _TYPES)} | ({"properties": properties} if properties else {})


def _type_names(part: Schema) -> set[str]:
    names = part.get("type")
    return {name for name in (names if isinstance(names, list) else [names]) if isinstance(name, str)} & _TYPES


def _resolve(reference: str, root: Schema) -> Any:
    """Return the part of the schema that a reference such as `#/definitions/address` names, or None."""
    node: Any = root
    for name in reference.removeprefix("#/").split("/"):
        node = node.get(name) if isinstance(node, Mapping) else None
    return node
