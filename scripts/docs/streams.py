"""Streams and their filters, as tables."""

from __future__ import annotations

from typing import Any, NamedTuple

from fieldpulse_api.resources.catalogue import RESOURCES
from fieldpulse_api.resources.model import Filter, Operation, Resource, WritableResource
from tap_fieldpulse.changes import deleted_rows
from tap_fieldpulse.changes.change_event import EVENT_SCHEMA
from tap_fieldpulse.singer import change_event_stream, webhook_event_stream

from .domains import link
from .tables import codes, table


class EventStream(NamedTuple):
    """A stream beside the lists of the API. `key` is its primary key, `is_selected` says when it is selected."""

    title: str
    key: str
    is_selected: str
    schema: dict[str, Any]


EVENT_STREAMS = {
    change_event_stream.CHANGE_EVENTS: EventStream(
        "Changes of the other streams", "event_id", "only on request", EVENT_SCHEMA
    ),
    deleted_rows.DELETED_ROWS: EventStream(
        "Rows that were deleted in FieldPulse",
        ", ".join(deleted_rows.KEYS),
        "with `detect_deletes`",
        deleted_rows.SCHEMA,
    ),
    webhook_event_stream.WEBHOOK_EVENTS: EventStream(
        "Webhook deliveries as they came", "event_key", "only on request", webhook_event_stream.WEBHOOK_SCHEMA
    ),
}
"""The streams beside the lists of the API."""


def streams_table() -> str:
    """Return every stream as a table."""
    rows = [
        (
            f"[`{resource.name}`]({link(resource.name)})",
            resource.title,
            replication(resource),
            writes(resource),
            resource.evidence.value,
        )
        for resource in RESOURCES
    ]
    rows += [
        (f"[`{name}`](dictionary/events.md#{name})", f"{each.title}; {each.is_selected}", "append", "", "")
        for name, each in EVENT_STREAMS.items()
    ]
    return table(("stream", "what it is", "replication", "the target writes", "shape is"), rows)


def filters_table() -> str:
    """Return every filter of every stream as a table."""
    rows = [
        (f"`{resource.name}`", f"`{name}`", values, sent)
        for resource in RESOURCES
        for name, values, sent in filters_of(resource)
    ]
    return table(("stream", "filter", "values", "sent as"), rows)


def filters_of(resource: Resource) -> list[tuple[str, str, str]]:
    """Return name, values and query parameter of each filter of a stream; filters of one name are one."""
    by_name: dict[str, list[Filter]] = {}
    for each in resource.filters:
        by_name.setdefault(each.name, []).append(each)
    return [
        (
            name,
            " or ".join(_values(resource, each) for each in filters),
            " or ".join(dict.fromkeys(_sent_as(each) for each in filters)),
        )
        for name, filters in by_name.items()
    ]


def replication(resource: Resource) -> str:
    """Return how a stream is replicated."""
    if resource.parent:
        return f"of changed `{resource.parent}`"
    return f"incremental, `{resource.updated_column}`" if resource.updated_column else "full table"


def writes(resource: Resource) -> str:
    """Return which writes the target makes for a stream."""
    if not isinstance(resource, WritableResource):
        return ""
    if resource.write_spec.target_resource:
        return f"moves {resource.write_spec.target_resource}"
    return "create, update, delete" if Operation.DELETE in resource.operations else "create, update"


def _values(resource: Resource, each: Filter) -> str:
    if each.comparison:
        return "a time or a day"
    if each.stream:
        return f"names or ids of `{each.stream}`"
    if any(labels.column == each.columns[0] for labels in resource.code_labels):
        return "labels or codes"
    if each.query_param:
        return ", ".join(each.allowed_values) or "codes"
    return f"values of {codes(each.columns)}"


def _sent_as(each: Filter) -> str:
    if each.query_param is None:
        return "not sent"
    return f"`filter` on `{each.columns[0]}`" if each.query_param == "filter" else f"`{each.query_param}`"
