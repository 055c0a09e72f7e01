"""The schema of an input stream as the SDK's mapper can use it. Records are judged, and not schemas."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_TYPES = frozenset(("array", "boolean", "integer", "null", "number", "object", "string"))
_COMBINATIONS = ("anyOf", "oneOf", "allOf")

Schema = dict[str, Any]


def mappable_schema(schema: Schema, depth: int) -> Schema:
    """Return a schema of the same properties, each with `type`, and objects with their `properties` down to `depth`.

    Taps send `anyOf`, `$ref`, booleans and columns without a type; the mapper fails at them, or makes an invalid schema
    of them. The types matter only for flattening, which goes to `depth`. `additionalProperties` is whether records may
    have more properties than the schema names: if it says so, if it names none, and if its names depend on the record.
    """
    parts = _parts(schema, schema)
    properties = _properties(parts, schema, depth)
    is_open = not properties or any(
        part.get("patternProperties") or part.get("additionalProperties", False) is not False for part in parts
    )
    return {"type": "object", "properties": properties, "additionalProperties": is_open}


def _parts(schema: Any, root: Schema) -> list[Schema]:
    """Return a schema, what it refers to and its alternatives, each once: references may lead back to themselves."""
    parts: dict[int, Schema] = {}
    pending = [schema]
    while pending:
        part = pending.pop()
        if isinstance(part, dict) and id(part) not in parts:
            parts[id(part)] = part
            alternatives = [part[keyword] for keyword in _COMBINATIONS if isinstance(part.get(keyword), list)]
            pending += [each for several in alternatives for each in several]
            if isinstance(part.get("$ref"), str):
                pending.append(_resolve(part["$ref"], root))
    return list(parts.values())


def _properties(parts: list[Schema], root: Schema, depth: int) -> dict[str, Schema]:
    schemas: dict[str, Any] = {}
    for part in parts:
        if isinstance(part.get("properties"), dict):
            schemas |= part["properties"]
    return {name: _property(schema, root, depth) for name, schema in schemas.items()}


def _property(schema: Any, root: Schema, depth: int) -> Schema:
    parts = _parts(schema, root)
    properties = _properties(parts, root, depth - 1) if depth > 0 else {}
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
