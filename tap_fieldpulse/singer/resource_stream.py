"""One stream per catalogue entry. The SDK's transport is not used: rows come from `Source`."""

from __future__ import annotations

import copy
import sys
from collections.abc import Generator, Iterable
from functools import cached_property
from typing import TYPE_CHECKING, Any

from singer_sdk import metrics
from singer_sdk.helpers._catalog import pop_deselected_record_properties
from singer_sdk.helpers._util import utc_now
from singer_sdk.helpers.conform import TypeConformanceLevel
from singer_sdk.mapper import StreamMap
from singer_sdk.singerlib.encoding.simple import RecordMessage
from singer_sdk.streams import Stream
from typing_extensions import override

from fieldpulse_api.errors import ConfigError
from fieldpulse_api.resources.model import Resource
from tap_fieldpulse.changes.delete_detection import is_delete_record
from tap_fieldpulse.records.record_builder import Record
from tap_fieldpulse.sync.stream_sync import StreamSync

if TYPE_CHECKING:
    from tap_fieldpulse.tap import TapFieldPulse


class ResourceStream(Stream):
    """The stream of one resource."""

    TYPE_CONFORMANCE_LEVEL = TypeConformanceLevel.NONE  # `Form` has done it, at a sixth of the cost
    STATE_MSG_FREQUENCY = sys.maxsize  # the bookmark moves only when the walk has ended

    def __init__(self, tap: TapFieldPulse, resource: Resource) -> None:
        super().__init__(tap, name=resource.name)
        self.primary_keys = ["id"]
        self.replication_key = resource.updated_column
        self._resource, self._fieldpulse = resource, tap
        self._source: StreamSync | None = None

    @cached_property
    @override
    def schema(self) -> dict[str, Any]:
        """Return the schema on this account; where it has custom fields, that asks FieldPulse for them."""
        return self._fieldpulse.context.record_builder(self.name).schema

    @property
    @override
    def is_timestamp_replication_key(self) -> bool:
        """Say no: the bookmark is ours, and the SDK would look for its column in a catalog that may be trimmed."""
        return False

    @override
    def get_records(self, context: object) -> Iterable[Record]:
        """Yield the records; the events that they show leave before them."""
        if self._fieldpulse.context.is_unavailable(self._resource, self.logger):
            return
        is_incremental = self.replication_method == "INCREMENTAL"
        state = self.stream_state
        self._source = self._fieldpulse.stream_sync(self, state, self.logger, is_incremental=is_incremental)
        with metrics.http_request_counter(self.name, self._resource.path) as requests:
            for batch in self._source.batches():
                self._fieldpulse.change_events.write(filter(None, map(self._shown, batch.events)))
                yield from map(self._filled, batch.records)
            requests.increment(self._source.requests)

    @override
    def finalize_state_progress_markers(self, state: dict[str, Any] | None = None) -> None:
        """Let the state out, and only then the snapshot behind it move."""
        super().finalize_state_progress_markers(state)
        if self._source:
            self._fieldpulse.on_state_emitted(self._source)
            self._source = None

    @override
    def _process_record(self, record: Record, child_context: object = None, partition_context: object = None) -> None:
        """Do nothing: what the SDK does here is for child streams, and there are none."""

    @override
    def _generate_record_messages(self, record: Record) -> Generator[RecordMessage, None, None]:
        """Write a record; where nothing is deselected, without looking at each property: a quarter of the cost."""
        is_gone = is_delete_record(record)
        if not self._is_whole:
            pop_deselected_record_properties(record, self.schema, self.mask)
        for stream_map in self.stream_maps:
            mapped = self._mapped(stream_map, record)
            if mapped is not None and is_gone:
                mapped = {name: value for name, value in mapped.items() if value is not None}
            if mapped is not None:
                yield RecordMessage(stream=stream_map.stream_alias, record=mapped, time_extracted=utc_now())

    def _mapped(self, stream_map: StreamMap, record: Record) -> Record | None:
        try:
            return stream_map.transform(record)
        except Exception as error:  # noqa: BLE001  it is the user's expression
            raise ConfigError(
                f"A stream map cannot be evaluated ({type(error).__name__}).",
                where=f"setting stream_maps · stream {self.name}",
                hint="correct it; of a deleted row, all columns but id and deleted_at are None",
            ) from None

    def _shown(self, event: Record) -> Record | None:
        """Return an event without the columns that are deselected here; None for one of these alone."""
        if self._is_whole or not self.selected:
            return event
        event = {**event, "object": self._selected_of(event["object"])}
        for name in ("old_value", "new_value"):
            if isinstance(event[name], dict):
                event[name] = self._selected_of(event[name])
        is_hidden = event["event"] == "updated" and not event["new_value"]
        is_hidden |= event["event"] == "status_changed" and not set(self._resource.status_columns) & set(
            event["object"]
        )
        return None if is_hidden else event

    def _selected_of(self, values: Record) -> Record:
        kept = copy.deepcopy(values)
        pop_deselected_record_properties(kept, self.schema, self.mask)
        return kept

    def _filled(self, record: Record) -> Record:
        """Return a record as maps can take it: of a deleted row with all its columns, empty."""
        return dict.fromkeys(self.schema["properties"]) | record if is_delete_record(record) else record

    @cached_property
    def _is_whole(self) -> bool:
        return all(self.mask.values())

    @override
    def _increment_stream_state(self, latest_record: Record, *, context: object = None) -> None:
        """Note nothing: `Source` moves the bookmark."""

    @override
    def _write_starting_replication_value(self, context: object) -> None:
        """Write nothing: the state holds what has been read, and only that."""
