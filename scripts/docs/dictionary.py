"""The data dictionary: every field of every stream, and how the streams join.

A join is what a schema says of a field: "Customer of the job (customers.id)". Nothing here knows a stream by name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from fieldpulse_api.resources.catalogue import BY_NAME, RESOURCES
from fieldpulse_api.resources.model import Resource

from .streams import filters_of, replication, writes
from .tables import codes, table

_REFERENCE = re.compile(r"\((\w+)\.id\)")
_PLAIN_REFERENCE = re.compile(r" \(\w+\.id\)")
_TYPES = {"date-time": "timestamp", "date": "date", "x-singer.decimal": "decimal"}
_NAMES = {"string": "text"}


@dataclass(frozen=True)
class Column:
    """One field of a stream, at any depth: `assignments[].user_id`."""

    path: str
    type: str
    description: str

    @property
    def references(self) -> tuple[str, ...]:
        """Return the streams whose `id` the field may hold."""
        return tuple(name for name in _REFERENCE.findall(self.description) if name in BY_NAME)


@dataclass(frozen=True)
class Join:
    """A field of one stream that holds the id of a row of another."""

    stream: str
    path: str
    other: str


def dictionary() -> str:
    """Return one section for each stream."""
    incoming: dict[str, list[Join]] = {}
    for join in joins():
        incoming.setdefault(join.other, []).append(join)
    return "\n".join(_section(resource, incoming.get(resource.name, [])) for resource in RESOURCES)


def relations() -> str:
    """Return how the streams join: a diagram for each stream that others refer to, and a table."""
    rows = [(f"`{join.stream}.{join.path}`", f"`{join.other}.id`") for join in joins()]
    return table(("field", "joins"), rows)


def joins() -> list[Join]:
    """Return every join, in the catalogue's order.

    A pair such as `object_type` and `object_id` holds its row's id in the second field. Ids inside an object that
    embeds a row of the stream itself are no joins.
    """
    found = []
    for resource in RESOURCES:
        paths = {column.path for column in columns(resource)}
        for column in columns(resource):
            holder = re.sub("_type$", "_id", column.path)
            path = holder if holder in paths else column.path
            found += [Join(resource.name, path, other) for other in column.references]
    return list(dict.fromkeys(found))


def columns(resource: Resource) -> Iterator[Column]:
    """Yield every field of a stream, parents before what they hold."""
    yield from _columns(resource.schema["properties"], "")


def _columns(properties: dict[str, Any], prefix: str) -> Iterator[Column]:
    for name, schema in properties.items():
        path = f"{prefix}{name}"
        items = schema.get("items", {})
        yield Column(path, _type(schema), schema["description"] + _of_items(items))
        yield from _columns(schema.get("properties", {}), f"{path}.")
        yield from _columns(items.get("properties", {}), f"{path}[].")


def _of_items(items: dict[str, Any]) -> str:
    """Return which ids the elements of a list of ids are."""
    return "".join(f" ({name}.id)" for name in _REFERENCE.findall(items.get("description", "")))


def _type(schema: dict[str, Any]) -> str:
    types = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    name = next(each for each in types if each != "null")
    if name == "array" and "type" in schema.get("items", {}):
        return f"array of {_type(schema['items'])}"
    return _TYPES.get(schema.get("format", ""), _NAMES.get(name, name))


def _section(resource: Resource, incoming: list[Join]) -> str:
    rows = [
        (
            f"`{column.path}`",
            column.type,
            _PLAIN_REFERENCE.sub("", column.description),
            ", ".join(f"[`{name}.id`](#{name})" for name in column.references),
        )
        for column in columns(resource)
    ]
    facts = [("primary key", f"`{resource.key}`"), ("replication", replication(resource))]
    facts += [("read from", f"`GET {resource.path}`"), ("shape is", f"{resource.evidence.name.lower()}: {resource.source}")]
    optional = [
        ("the target writes", writes(resource)),
        ("filters", codes(name for name, _, _ in filters_of(resource))),
        ("labels (`add_labels`)", codes(f"{labels.column}_label" for labels in resource.code_labels)),
        ("custom fields", "object `custom_fields`" if resource.custom_field_object else ""),
        ("never emitted", codes(resource.excluded_fields)),
        ("referenced by", ", ".join(f"[`{join.stream}.{join.path}`](#{join.stream})" for join in incoming)),
    ]
    facts += [(name, text) for name, text in optional if text]
    head = f"## {resource.name}\n\n{resource.title}.\n\n"
    return head + table(("", ""), facts) + "\n" + table(("field", "type", "meaning", "joins"), rows)
