"""The stream of change events: written beside the rows that show them, and read for streams that are not selected."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, cast

from singer_sdk.streams import Stream
from typing_extensions import override

from fieldpulse_api.resources.catalogue import BY_NAME
from tap_fieldpulse.changes.change_event import EVENT_SCHEMA
from tap_fieldpulse.records.record_builder import Record

if TYPE_CHECKING:
    from tap_fieldpulse.tap import TapFieldPulse

    from .resource_stream import ResourceStream

NAME = "change_events"


class ChangeEventStream(Stream):
    """What changed since the run before, one record for each change. Selected on request only: it needs a store."""

    STATE_MSG_FREQUENCY = sys.maxsize
    selected_by_default = False

    def __init__(self, tap: TapFieldPulse) -> None:
        super().__init__(tap, schema=EVENT_SCHEMA, name=NAME)
        self.primary_keys = ["event_id"]
        self._fieldpulse = tap
        self._is_announced = False

    def write(self, events: Iterable[Record]) -> None:
        """Emit events that another stream's rows show, before those rows."""
        for event in events:
            self._write_schema_message()
            self._write_record_message(event)

    @override
    def get_records(self, context: object) -> Iterable[Record]:
        """Read the streams whose changes are wanted and which are not selected themselves."""
        if self.ABORT_AT_RECORD_COUNT is not None:  # a trial of all streams: it must leave no store behind
            return
        kept = self.stream_state.setdefault("sources", {})
        for name in self._fieldpulse.context.event_streams:
            stream = cast("ResourceStream", self._fieldpulse.streams[name])
            if stream.selected or self._fieldpulse.context.is_unavailable(BY_NAME[name], self.logger):
                continue
            source = self._fieldpulse.stream_sync(stream, kept.setdefault(name, {}), self.logger, is_incremental=True)
            for batch in source.batches():
                yield from batch.events
            self._fieldpulse.state_writer.write_state(self.tap_state)
            self._fieldpulse.on_state_emitted(source)

    @override
    def _write_schema_message(self) -> None:
        """Write the schema once, whoever comes first."""
        if not self._is_announced:
            self._is_announced = True
            super()._write_schema_message()
