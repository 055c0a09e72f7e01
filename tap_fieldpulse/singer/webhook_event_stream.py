"""The stream of what webhooks delivered, as it came."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from singer_sdk.helpers.conform import TypeConformanceLevel
from singer_sdk.streams import Stream
from typing_extensions import override

from tap_fieldpulse.records.record_builder import Record
from tap_fieldpulse.webhooks.hinted_rows import HintedRows
from tap_fieldpulse.webhooks.inbox import valid_sequence

if TYPE_CHECKING:
    from tap_fieldpulse.tap import TapFieldPulse

NAME = "webhook_events"
_KEY = "sequence"


def _property(kinds: list[str], description: str, **more: Any) -> dict[str, Any]:
    return {"type": kinds, "description": description, **more}


WEBHOOK_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "event_key": _property(["string"], "Identifier of the event; a delivery that is sent again has the same"),
        _KEY: _property(["integer"], "Number of the event, ascending in the order in which they were stored"),
        "event": _property(
            ["string"], "Name of the event, such as job_created; unknown, if the vendor does not document it"
        ),
        "trigger": _property(["string"], "Name of the event as it came"),
        "message": _property(["string"], "Action, resource and field as they came"),
        "object_type": _property(["string", "null"], "What the event is of: job, estimate, invoice"),
        "object_id": _property(["integer"], "Identifier of the row that the event is of"),
        "old_value": _property(["string", "null"], "The value before, as text; null for a created row"),
        "new_value": _property(["string", "null"], "The value now, as text; null for a created row"),
        "updated_at": _property(["string", "null"], "The row's updated_at as it came"),
        "data": _property(["string"], "All that came of the row, as JSON text"),
        "received_at": _property(["string"], "When the first delivery came (UTC)", format="date-time"),
        "deliveries": _property(["integer"], "How often the event had been delivered when it was read"),
    },
}


class WebhookEventStream(Stream):
    """The deliveries that `fieldpulse webhooks` has stored since the run before. Selected on request only."""

    TYPE_CONFORMANCE_LEVEL = TypeConformanceLevel.NONE  # they are of their types
    selected_by_default = False
    is_sorted = True

    def __init__(self, tap: TapFieldPulse) -> None:
        super().__init__(tap, schema=WEBHOOK_SCHEMA, name=NAME)
        self.primary_keys = ["event_key"]
        self.replication_key = _KEY
        self._fieldpulse = tap

    @override
    def get_records(self, context: object) -> Iterable[Record]:
        """Yield the deliveries, in the order in which they were stored."""
        run = self._fieldpulse.context
        if self.ABORT_AT_RECORD_COUNT is not None:  # a trial of all streams: it must leave no store behind
            return
        if run.inbox is None:
            self.logger.info("%s: nothing is received without a webhook_token", NAME)
            return
        since = _number(self.stream_state) if self.replication_method == "INCREMENTAL" else 0
        yield from run.inbox.read_after(run.account, since)

    @override
    def _increment_stream_state(self, latest_record: Record, *, context: object = None) -> None:
        """Note the number that was emitted; the SDK's own way would take `start_date` for one."""
        self.stream_state.update(replication_key=_KEY, replication_key_value=latest_record[_KEY])

    @override
    def _write_starting_replication_value(self, context: object) -> None:
        """Write nothing: as above."""


def confirmed_sequence(bookmarks: Mapping[str, Mapping[str, Any]], *, has_events: bool) -> int:
    """Return the number up to which a state has read the deliveries: as events where they are wanted, else as hints."""
    if has_events:
        return _number(bookmarks.get(NAME, {}))
    return max((HintedRows.last_sequence(one) for one in bookmarks.values()), default=0)


def _number(state: Mapping[str, Any]) -> int:
    return valid_sequence(state.get("replication_key_value") if state.get("replication_key") == _KEY else None)
