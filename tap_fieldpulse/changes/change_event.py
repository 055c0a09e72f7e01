"""Two contents of one row → the events between them, in the form of the vendor's webhooks. Pure: no I/O."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import msgspec

from fieldpulse_api.resources.model import Resource
from fieldpulse_api.values.custom_fields import VALUE_COLUMNS, entries_of
from fieldpulse_api.values.scalars import iso_timestamp
from fieldpulse_api.values.strict_json import decode

ChangeKind = Literal["created", "updated", "status_changed", "deleted"]
Record = dict[str, Any]

DEFAULT_EVENT_STREAMS = ("customers", "estimates", "invoices", "jobs")
"""The streams whose changes are always looked for."""
_NO_CHANGE = ("updated_at",)  # alone it is none: the vendor's webhooks do not fire for it either (contract 5)
_ANYTHING = ["object", "array", "string", "number", "integer", "boolean", "null"]
_ENCODER = msgspec.json.Encoder(decimal_format="number", order="deterministic")


def _property(kinds: list[str], description: str, **more: Any) -> dict[str, Any]:
    return {"type": kinds, "description": description, **more}


EVENT_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "event_id": _property(["string"], "Identifier of the event; an event that is emitted again has the same"),
        "event": _property(["string"], "created, updated, status_changed or deleted"),
        "stream": _property(["string"], "Stream of the row that changed"),
        "object_id": _property(["integer"], "Identifier of the row that changed"),
        "trigger": _property(["string"], "Name of the event, as the vendor's webhooks call it where they have it"),
        "message": _property(["string"], "Action, resource and fields, in the form of the vendor's webhooks"),
        "old_value": _property(
            _ANYTHING, "status_changed: the status before; updated: the values before, by field; null if not known"
        ),
        "new_value": _property(_ANYTHING, "status_changed: the status now; updated: the values now, by field"),
        "object": _property(
            ["object", "null"], "The row as its stream emits it; of a deleted row what was last known of it"
        ),
        "detected_at": _property(["string"], "When the change was seen (UTC)", format="date-time"),
        "updated_at": _property(["string", "null"], "The row's own updated_at", format="date-time"),
    },
}


@dataclass(frozen=True)
class Change:
    """What happened to a row. `fields` are the columns that changed."""

    kind: ChangeKind
    fields: tuple[str, ...] = ()
    old: Any = None
    new: Any = None


def comparable_contents(record: Record) -> Record:
    """Return what of a record is compared: custom values by their definitions, so that a new name is no change."""
    kept = {name: value for name, value in record.items() if name not in VALUE_COLUMNS}
    values = {
        str(one): value
        for name in VALUE_COLUMNS
        for one, value in entries_of(record.get(name))
        if value not in (None, "")
    }
    if any(name in record for name in VALUE_COLUMNS):
        kept[VALUE_COLUMNS[0]] = values
    return kept


def pack(record: Record) -> bytes:
    """Return contents as they are stored."""
    return zlib.compress(_ENCODER.encode(record), 1)


def unpack(body: bytes) -> Record:
    """Return stored contents."""
    record: Record = decode(zlib.decompress(body))
    return record


EMPTY_CONTENTS = pack({})


def changes(resource: Resource, before: Record, after: Record) -> list[Change]:
    """Return what happened between two contents of a row; a column that only one of them has is no change.

    A change of status is one event, all other fields together are another.
    """
    after = decode(_ENCODER.encode(after))  # as it would come back from the store
    fields = [name for name in after if name in before and before[name] != after[name] and name not in _NO_CHANGE]
    status = [name for name in resource.status_columns if name in fields]
    others = tuple(sorted(name for name in fields if name not in resource.status_columns))
    found = []
    if status:
        column = status[0]
        found.append(Change("status_changed", (column,), before[column], after[column]))
    if others:
        old, new = ({name: row[name] for name in others} for row in (before, after))
        found.append(Change("updated", others, old, new))
    return found


def change_event(resource: Resource, change: Change, record: Record, *, generation: int, now: datetime) -> Record:
    """Return the record of a change. One that is detected again, after a run that was killed, gets the same id."""
    plural = resource.name.replace("_", " ").upper()
    trigger, message = {
        "created": (f"{resource.webhook_noun} Created", f"CREATE ON {plural}"),
        "updated": (f"{resource.webhook_noun} Updated", f"UPDATE ON {plural} FOR {', '.join(change.fields)}"),
        "status_changed": (
            f"{resource.webhook_noun} {_status_update(change)}",
            f"UPDATE ON {plural} FOR {', '.join(change.fields)}",
        ),
        "deleted": (f"{resource.webhook_noun} Deleted", f"DELETE ON {plural}"),
    }[change.kind]
    identity = [resource.name, record["id"], change.kind, generation, change.old, change.new]
    return {
        "event_id": hashlib.sha256(_ENCODER.encode(identity)).hexdigest()[:32],
        "event": change.kind,
        "stream": resource.name,
        "object_id": record["id"],
        "trigger": trigger,
        "message": message,
        "old_value": change.old,
        "new_value": change.new,
        "object": record,
        "detected_at": iso_timestamp(now),
        "updated_at": record.get(resource.updated_column or "updated_at"),
    }


def changes_of_row(resource: Resource, known: Mapping[int, bytes | None], record: Record) -> list[Change]:
    """Return the changes of a row that was read; of one whose contents were not kept, nothing is known."""
    identity = int(record["id"])
    if identity not in known:
        return [Change("created")]
    before = known[identity]
    return changes(resource, unpack(before), comparable_contents(record)) if before is not None else []


def _status_update(change: Change) -> str:
    return "Workflow Custom Status Update" if change.fields == ("status_id",) else "Custom Status Update"
