"""The data dictionary: every field of every stream, and how the streams join.

The description of a field in the schema names its join: "Customer of the job (customers.id)".
Nothing here knows a stream by name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from fieldpulse_api.resources.catalogue import BY_NAME, RESOURCES
from fieldpulse_api.resources.model import Resource

from .domains import domains, link
from .streams import EVENT_STREAMS, filters_of, replication, writes
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
    """A field of one stream that holds the id of a row of another, or a list of such ids."""

    stream: str
    path: str
    other: str
    is_list: bool


def pages() -> Iterator[tuple[str, str]]:
    """Yield one page for each business domain, and one for events: its file name, and a section for each stream."""
    incoming: dict[str, list[Join]] = {}
    for join in joins():
        incoming.setdefault(join.other, []).append(join)
    for domain, (about, streams) in domains().items():
        parts = [f"# Data dictionary: {domain}\n\n<!-- Written by `make fix` from the code. -->\n\n{about}\n"]
        parts += [_diagram(streams)]
        parts += [_section(resource, incoming.get(resource.name, [])) for resource in streams]
        yield f"{domain}.md", "\n".join(parts)
    yield "events.md", _events_page()


def relations() -> str:
    """Return how the streams join, as a table."""
    rows = [(f"`{join.stream}.{join.path}`", f"[`{join.other}.id`]({link(join.other)})") for join in joins()]
    return table(("field", "joins"), rows)


def joins() -> list[Join]:
    """Return every join, in the catalogue's order.

    A pair such as `object_type` and `object_id` holds the id of the other row in the second field, while the schema
    describes both streams at the first.
    """
    found = []
    for resource in RESOURCES:
        paths = {column.path for column in columns(resource)}
        for column in columns(resource):
            holder = re.sub("_type$", "_id", column.path)
            path = holder if holder in paths else column.path
            is_list = "[]" in path or column.type.startswith("array")
            found += [Join(resource.name, path, other, is_list) for other in column.references]
    return list(dict.fromkeys(found))


def description_of(resource: Resource, name: str) -> str:
    """Return the description of a field without its joins; empty for a field that rows do not have."""
    description = resource.schema["properties"].get(name, {}).get("description", "")
    return _PLAIN_REFERENCE.sub("", description)


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
    """Return the joins of the elements of a list of ids, as in a description."""
    return "".join(f" ({name}.id)" for name in _REFERENCE.findall(items.get("description", "")))


def _type(schema: dict[str, Any]) -> str:
    types = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    name = next(each for each in types if each != "null")
    if name == "array" and "type" in schema.get("items", {}):
        return f"array of {_type(schema['items'])}"
    return str(_TYPES.get(schema.get("format", ""), _NAMES.get(name, name)))


def _diagram(streams: list[Resource]) -> str:
    """Return the joins of these streams as a diagram: one line for two streams, without authors and embedded rows."""
    lines: dict[tuple[str, str], str] = {}
    for join in joins():
        is_embedded = join.path.endswith(".id") or join.path.count(".") > 1
        if BY_NAME[join.stream] in streams and not is_embedded and "author" not in join.path:
            end = "o{" if join.is_list else "o|"
            line = f'    {join.stream} }}o--{end} {join.other} : "{join.path}"\n'
            lines.setdefault((join.stream, join.other), line)
    return f"```mermaid\nerDiagram\n{''.join(lines.values())}```\n"


def _section(resource: Resource, incoming: list[Join]) -> str:
    rows = [
        (
            f"`{column.path}`",
            column.type,
            _PLAIN_REFERENCE.sub("", column.description),
            ", ".join(f"[`{name}.id`]({link(name, folder='')})" for name in column.references),
        )
        for column in columns(resource)
    ]
    referenced_by = ", ".join(f"[`{join.stream}.{join.path}`]({link(join.stream, folder='')})" for join in incoming)
    facts = [
        ("primary key", "`id`"),
        ("replication", replication(resource)),
        ("read from", f"`GET {resource.path}`"),
        ("the target writes", writes(resource)),
        ("filters", codes(name for name, _, _ in filters_of(resource))),
        ("labels (`add_labels`)", codes(f"{labels.column}_label" for labels in resource.code_labels)),
        ("custom fields", "object `custom_fields`" if resource.custom_field_object else ""),
        ("never emitted", codes(resource.excluded_fields)),
        ("joined by", referenced_by),
        ("evidence", f"{resource.evidence.value}: {resource.source}"),
    ]
    head = f"## {resource.name}\n\n{resource.title}.\n\n"
    return (
        head
        + table(("of the stream", ""), [(name, text) for name, text in facts if text])
        + "\n"
        + table(("field", "type", "meaning", "joins"), rows)
    )


def _events_page() -> str:
    parts = ["# Data dictionary: events\n\n<!-- Written by `make fix` from the code. -->\n"]
    for name, each in EVENT_STREAMS.items():
        properties = each.schema["properties"]
        rows = [(f"`{field}`", _type(of_field), of_field["description"]) for field, of_field in properties.items()]
        facts = [("primary key", f"`{each.key}`"), ("replication", "append"), ("selected", each.is_selected)]
        parts.append(f"## {name}\n\n{each.title}.\n\n{table(('of the stream', ''), facts)}")
        parts.append(table(("field", "type", "meaning"), rows))
    return "\n".join(parts)
