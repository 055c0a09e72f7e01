"""The Singer stream of change events, written while other streams are read."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from singer_sdk import Tap
from typing_extensions import override

from fieldpulse_api.resources.catalogue import BY_NAME
from fieldpulse_api.values.scalars import to_text
from tap_fieldpulse.changes.change_event import EVENT_SCHEMA
from tap_fieldpulse.records.record_builder import Record
from tap_fieldpulse.sync.context import SyncContext
from tap_fieldpulse.sync.sync_plan import StreamSelection

from .side_stream import SideStream

CHANGE_EVENTS = "change_events"


class ChangeEventStream(SideStream):
    """Changes since the last run, one record per change. Not selected by default, since it needs a database.

    The events of a selected stream are written while that stream is read. Event streams that are not selected are read
    here, for their events only; the state of this stream holds theirs, under `sources`.
    """

    selected_by_default = False

    def __init__(self, tap: Tap, context: SyncContext) -> None:
        super().__init__(tap, CHANGE_EVENTS, EVENT_SCHEMA, ["event_id"])
        self._context = context
        self._is_flattened = context.settings.flattening_depth > 0

    @override
    def write(self, records: Iterable[Record]) -> None:
        super().write(map(self._with_announced_types, records))

    def _with_announced_types(self, event: Record) -> Record:
        """Return an event whose values are text where the SDK flattens: it announces values of any type as text."""
        if not self._is_flattened:
            return event
        values = {name: event[name] for name in ("old_value", "new_value")}
        scalars = {name: value for name, value in values.items() if isinstance(value, (bool, int, float, Decimal))}
        return event | {name: to_text(value) for name, value in scalars.items()}

    @override
    def get_records(self, context: object) -> Iterable[Record]:
        """Read the event streams that are not selected themselves, and yield their events."""
        if self.ABORT_AT_RECORD_COUNT is not None:  # a connection test must leave no database behind
            return
        selection = StreamSelection(is_incremental=True, has_change_events=self.selected)
        states = self.stream_state.setdefault("sources", {})
        for name in self._context.settings.event_streams:
            if self._tap.streams[name].selected or self._context.is_unavailable(BY_NAME[name], self.logger):
                continue
            state = states.setdefault(name, {})
            stream_sync = self._context.stream_sync(name, state, self.logger, selection=selection)
            for batch in stream_sync.batches():
                yield from map(self._with_announced_types, batch.events)
            self._tap.state_writer.write_state(self.tap_state)
            stream_sync.on_state_emitted()
