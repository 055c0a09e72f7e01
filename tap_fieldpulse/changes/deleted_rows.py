"""The records of deleted rows: in the stream `deleted_rows`, and in the row's own stream if the settings ask for it.

A record in the row's own stream has no other value, so a loader that upserts empties the row.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from fieldpulse_api.values.scalars import iso_timestamp
from tap_fieldpulse.records.record_builder import SDC_DELETED_AT, Record

DELETED_ROWS = "deleted_rows"
KEYS = ("stream", "id")
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "stream": {"type": ["string"], "description": "Stream of the deleted row"},
        "id": {"type": ["integer"], "description": "Identifier of the deleted row in its stream"},
        "deleted_at": {
            "type": ["string", "null"],
            "format": "date-time",
            "description": "When the row was deleted (UTC); null where FieldPulse no longer has the row",
        },
        "detected_at": {
            "type": ["string"],
            "format": "date-time",
            "description": "When the tap detected the delete (UTC)",
        },
    },
}


def deleted_row(stream: str, row_id: int, deleted_at: str | None, now: datetime) -> Record:
    """Return the record of the stream `deleted_rows`."""
    return {"stream": stream, "id": row_id, "deleted_at": deleted_at, "detected_at": iso_timestamp(now)}


def delete_record(row_id: int, deleted_at: str | None, now: datetime) -> Record:
    """Return the record of a deleted row in its own stream: its key, and when it was deleted, or found to be."""
    time = deleted_at or iso_timestamp(now)
    return {"id": row_id, "deleted_at": time, SDC_DELETED_AT: time}


def is_delete_record(record: Record) -> bool:
    """Return whether a record is that of a deleted row in its own stream."""
    return SDC_DELETED_AT in record
