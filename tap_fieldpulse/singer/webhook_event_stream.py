"""The Singer stream of webhook deliveries, as FieldPulse sent them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from singer_sdk import Tap
from singer_sdk.helpers.conform import TypeConformanceLevel
from singer_sdk.streams import Stream
from typing_extensions import override

from tap_fieldpulse.records.record_builder import Record
from tap_fieldpulse.sync.context import SyncContext
from tap_fieldpulse.webhooks.hinted_rows import HintedRows
from tap_fieldpulse.webhooks.inbox import valid_sequence

WEBHOOK_EVENTS = "webhook_events"
_KEY = "sequence"


def _property(types: list[str], description: str, **keywords: Any) -> dict[str, Any]:
    return {"type": types, "description": description, **keywords}


WEBHOOK_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "event_key": _property(["string"], "Identifier of the event; the same if FieldPulse sends the delivery again"),
        _KEY: _property(["integer"], "Number of the event, ascending in the order of storage"),
        "event": _property(["string"], "Name of the event, such as job_created; unknown if it is not documented"),
        "trigger": _property(["string"], "Name of the event as FieldPulse sent it"),
        "message": _property(["string"], "Action, resource and field as FieldPulse sent them"),
        "object_type": _property(["string", "null"], "Type of the row: job, estimate or invoice"),
        "object_id": _property(["integer"], "Identifier of the row"),
        "old_value": _property(["string", "null"], "The previous value, as text; null for a created row"),
        "new_value": _property(["string", "null"], "The new value, as text; null for a created row"),
        "updated_at": _property(["string", "null"], "The row's updated_at as FieldPulse sent it"),
        "data": _property(["string"], "The data of the delivery, as JSON text"),
        "received_at": _property(["string"], "When the first delivery arrived (UTC)", format="date-time"),
        "deliveries": _property(["integer"], "Number of deliveries of the event before it was read"),
    },
}


class WebhookEventStream(Stream):
    """The deliveries that `fieldpulse webhooks` has stored since the last run. Not selected by default."""

    TYPE_CONFORMANCE_LEVEL = TypeConformanceLevel.NONE  # the database has the types
    selected_by_default = False
    is_sorted = True

    def __init__(self, tap: Tap, context: SyncContext) -> None:
        super().__init__(tap, schema=WEBHOOK_SCHEMA, name=WEBHOOK_EVENTS)
        self.primary_keys = ["event_key"]
        self.replication_key = _KEY
        self._context = context

    @override
    def get_records(self, context: object) -> Iterable[Record]:
        """Yield the deliveries in the order of storage."""
        if self.ABORT_AT_RECORD_COUNT is not None:  # a connection test must leave no database behind
            return
        inbox = self._context.inbox
        if inbox is None:
            self.logger.info("%s: no deliveries, because webhook_token is not set", self.name)
            return
        since = _bookmark(self.stream_state) if self.replication_method == "INCREMENTAL" else 0
        yield from inbox.read_after(self._context.account, since)

    @override
    def _increment_stream_state(self, latest_record: Record, *, context: object = None) -> None:
        """Move the bookmark to the emitted delivery; the SDK would compare it with `start_date`."""
        self.stream_state.update(replication_key=_KEY, replication_key_value=latest_record[_KEY])

    @override
    def _write_starting_replication_value(self, context: object) -> None:
        """Do nothing: the state holds what was read, and no start value."""


def confirmed_sequence(bookmarks: Mapping[str, Mapping[str, Any]], *, emits_events: bool) -> int:
    """Return the last delivery that a state has read: as an event if the stream is selected, otherwise as a hint."""
    if emits_events:
        return _bookmark(bookmarks.get(WEBHOOK_EVENTS, {}))
    return max(map(HintedRows.last_sequence, bookmarks.values()), default=0)


def _bookmark(state: Mapping[str, Any]) -> int:
    return valid_sequence(state.get("replication_key_value") if state.get("replication_key") == _KEY else None)
