"""Change events: the difference between two contents of a row, in the form of the vendor's webhooks. No I/O."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

import msgspec

from fieldpulse_api.resources.model import Resource
from fieldpulse_api.values.custom_fields import VALUE_COLUMNS, entries_of
from fieldpulse_api.values.scalars import ConversionError, iso_timestamp, to_decimal_text
from fieldpulse_api.values.strict_json import decode
from tap_fieldpulse.records.shaper import UNEXPECTED

ChangeKind = Literal["created", "updated", "status_changed", "deleted"]
Record = dict[str, Any]

# A change of these columns alone is ignored; the vendor's webhooks do not fire for it either (API facts 5).
_IGNORED_COLUMNS = ("updated_at",)
_SEEN_WRITE = "_fieldpulse_seen_write"
_ANY_TYPE = ["object", "array", "string", "number", "integer", "boolean", "null"]
_ENCODER = msgspec.json.Encoder(decimal_format="number", order="deterministic")


def _property(kinds: list[str], description: str, **more: Any) -> dict[str, Any]:
    return {"type": kinds, "description": description, **more}


EVENT_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "event_id": _property(["string"], "Identifier of the event; the same if the event is emitted again"),
        "event": _property(["string"], "created, updated, status_changed or deleted"),
        "stream": _property(["string"], "Stream of the row that changed"),
        "object_id": _property(["integer"], "Identifier of the row that changed"),
        "trigger": _property(["string"], "Name of the event in the vendor's webhooks, or one formed like it"),
        "message": _property(["string"], "Action, resource and fields, in the form of the vendor's webhooks"),
        "old_value": _property(
            _ANY_TYPE, "status_changed: the previous status; updated: the previous values by field; null if unknown"
        ),
        "new_value": _property(_ANY_TYPE, "status_changed: the new status; updated: the new values by field"),
        "object": _property(
            ["object", "null"], "The row as its stream emits it; for a deleted row, its last known contents"
        ),
        "status_name": _property(["string", "null"], "Name of the row's status, of the account's own where it has one"),
        "customer_name": _property(["string", "null"], "Name of the row's customer"),
        "technician_names": {
            "type": ["array", "null"],
            "items": {"type": ["string", "null"], "description": "Name of a user"},
            "description": "Names of the users to whom the row is assigned",
        },
        "local_times": _property(
            ["object", "null"], "The row's times and detected_at in the zone of the setting event_timezone, by column"
        ),
        "detected_at": _property(["string"], "When the tap detected the change (UTC)", format="date-time"),
        "updated_at": _property(["string", "null"], "The row's own updated_at", format="date-time"),
    },
}


@dataclass(frozen=True)
class Change:
    """One change of a row. `fields` are the columns that changed."""

    kind: ChangeKind
    fields: tuple[str, ...] = ()
    old: Any = None
    new: Any = None


def comparable_contents(record: Record) -> Record:
    """Return the part of a record that is compared, with custom field values by definition id.

    A custom field that is renamed therefore does not look like a change. Unexpected fields are compared one by one.
    """
    contents = {name: value for name, value in record.items() if name not in (*VALUE_COLUMNS, UNEXPECTED)}
    contents |= record.get(UNEXPECTED) or {}
    if any(name in record for name in VALUE_COLUMNS):
        entries = (entry for name in VALUE_COLUMNS for entry in entries_of(record.get(name)))
        contents[VALUE_COLUMNS[0]] = {str(field_id): value for field_id, value in entries if value not in (None, "")}
    return contents


def pack(record: Record, write_number: int = 0) -> bytes:
    """Return contents in their stored form, with the last write of our target, if there was one."""
    return zlib.compress(_ENCODER.encode({**record, _SEEN_WRITE: write_number} if write_number else record), 1)


def unpack(body: bytes) -> Record:
    """Return contents from their stored form."""
    record: Record = decode(zlib.decompress(body))
    record.pop(_SEEN_WRITE, None)
    return record


def seen_write(body: bytes) -> int:
    """Return the last write of our target when contents were stored, 0 for none."""
    return int(decode(zlib.decompress(body)).get(_SEEN_WRITE, 0))


EMPTY_CONTENTS = pack({})


def changes(resource: Resource, before: Record, after: Record, *, omits_nulls: bool = False) -> list[Change]:
    """Return the changes between two contents of a row: one of the status, one of all other columns.

    A column that only one of them has does not count: the API or the catalog has changed, not the row. An account that
    `omits_nulls` leaves columns out instead: a column of the catalogue is null there.
    """
    after = decode(_ENCODER.encode(after))  # the form in which the store returns it
    if omits_nulls:
        columns = resource.schema["properties"].keys() - set(VALUE_COLUMNS)
        before, after = (dict.fromkeys((before.keys() | after.keys()) & columns) | each for each in (before, after))
    shared = [name for name in after if name in before and name not in _IGNORED_COLUMNS]
    fields = [name for name in shared if not _equals(before[name], after[name])]
    status = next((name for name in resource.status_columns if name in fields), None)
    others = tuple(sorted(name for name in fields if name not in resource.status_columns))
    found = []
    if status:
        found.append(Change("status_changed", (status,), before[status], after[status]))
    if others:
        old, new = ({name: row[name] for name in others} for row in (before, after))
        found.append(Change("updated", others, old, new))
    return found


def _equals(before: Any, after: Any) -> bool:
    """Return whether two values are equal; a decimal as text equals the number (setting decimals_as_numbers)."""
    if before == after:
        return True
    if isinstance(before, dict) and isinstance(after, dict):
        return before.keys() == after.keys() and all(_equals(value, after[name]) for name, value in before.items())
    if isinstance(before, list) and isinstance(after, list):
        return len(before) == len(after) and all(map(_equals, before, after))
    if isinstance(before, str) is isinstance(after, str) or None in (before, after):
        return False
    try:
        return to_decimal_text(before) is not None and Decimal(str(before)) == Decimal(str(after))
    except (ConversionError, ArithmeticError):
        return False


def changed_columns(found: Sequence[Change]) -> set[str]:
    """Return the columns that changed; each custom field is one of its own, as `customfields.<id>`."""
    columns = {name for change in found for name in change.fields}
    if VALUE_COLUMNS[0] in columns:
        columns.remove(VALUE_COLUMNS[0])
        change = next(each for each in found if VALUE_COLUMNS[0] in each.fields)
        before, after = ((values[VALUE_COLUMNS[0]] or {}) for values in (change.old, change.new))
        differing = (id_ for id_ in {*before, *after} if before.get(id_) != after.get(id_))
        columns |= {f"{VALUE_COLUMNS[0]}.{id_}" for id_ in differing}
    return columns


def changes_of_row(
    resource: Resource, known: Mapping[int, bytes | None], record: Record, *, omits_nulls: bool = False
) -> list[Change]:
    """Return the changes of a row since its `known` contents; none if only its id is known."""
    row_id = int(record["id"])
    if row_id not in known:
        return [Change("created")]
    before = known[row_id]
    if before is None:
        return []
    return changes(resource, unpack(before), comparable_contents(record), omits_nulls=omits_nulls)


def change_event(resource: Resource, change: Change, record: Record, *, generation: int, now: datetime) -> Record:
    """Return the record of a change.

    Its id depends on the row, the change and the generation of the snapshot. A run that repeats a failed run writes
    under the same generation, so a change that it detects again gets the same id.
    """
    plural, noun, fields = resource.name.replace("_", " ").upper(), resource.webhook_noun, ", ".join(change.fields)
    # The vendor names a job's status differently where the account defines the statuses (API facts 5).
    status_update = "Workflow Custom Status Update" if change.fields == ("status_id",) else "Custom Status Update"
    trigger, message = {
        "created": (f"{noun} Created", f"CREATE ON {plural}"),
        "updated": (f"{noun} Updated", f"UPDATE ON {plural} FOR {fields}"),
        "status_changed": (f"{noun} {status_update}", f"UPDATE ON {plural} FOR {fields}"),
        "deleted": (f"{noun} Deleted", f"DELETE ON {plural}"),
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
        **dict.fromkeys(("status_name", "customer_name", "technician_names", "local_times")),
        "detected_at": iso_timestamp(now),
        "updated_at": record.get(resource.updated_column or "updated_at"),
    }
