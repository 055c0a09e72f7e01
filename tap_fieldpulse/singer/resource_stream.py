"""The Singer stream of one resource. Rows come from `StreamSync`; the SDK's own HTTP transport is not used."""

from __future__ import annotations

import copy
import sys
from collections.abc import Generator, Iterable
from functools import cached_property
from typing import Any, cast

from singer_sdk import Tap, metrics
from singer_sdk.helpers._catalog import pop_deselected_record_properties
from singer_sdk.helpers._util import utc_now
from singer_sdk.helpers.conform import TypeConformanceLevel
from singer_sdk.mapper import SameRecordTransform
from singer_sdk.singerlib import SchemaMessage
from singer_sdk.singerlib.encoding.simple import RecordMessage
from singer_sdk.streams import Stream
from typing_extensions import override

from fieldpulse_api.errors import Forbidden, IncompleteRead, ServiceError
from fieldpulse_api.resources.model import Resource
from tap_fieldpulse.changes.deleted_rows import DELETED_ROWS, is_delete_record
from tap_fieldpulse.reading.event_names import SOURCES
from tap_fieldpulse.records.decimals import with_precision
from tap_fieldpulse.records.record_builder import Record
from tap_fieldpulse.records.shaper import UNEXPECTED
from tap_fieldpulse.sync.context import SyncContext
from tap_fieldpulse.sync.read_ahead import PlannedList
from tap_fieldpulse.sync.stream_sync import StreamSync
from tap_fieldpulse.sync.sync_plan import StreamSelection

from .change_event_stream import CHANGE_EVENTS
from .message_writer import MessageWriter
from .side_stream import SideStream


def _breadcrumb(path: str) -> tuple[str, ...]:
    """Return the breadcrumb of a path such as `line_items.0.tax_rate`; elements have none of their own."""
    names = [name for name in path.split(".") if not name.isdigit()]
    return tuple(part for name in names for part in ("properties", name))


class ResourceStream(Stream):
    """The stream of one resource."""

    TYPE_CONFORMANCE_LEVEL = TypeConformanceLevel.NONE  # `RecordBuilder` conforms types, at a sixth of the cost
    STATE_MSG_FREQUENCY = sys.maxsize  # the bookmark moves only at the end of the scan

    def __init__(self, tap: Tap, resource: Resource, context: SyncContext) -> None:
        super().__init__(tap, name=resource.name)
        self.primary_keys = ["id"]
        self.replication_key = resource.updated_column
        self._resource, self._context = resource, context
        self._stream_sync: StreamSync | None = None
        self._extracted_at = utc_now()
        self._is_flattened = context.settings.flattening_depth > 0

    @cached_property
    @override
    def schema(self) -> dict[str, Any]:
        """Return the schema for this account; custom field definitions are requested from FieldPulse."""
        return self._context.record_builders.of(self.name).schema

    @property
    @override
    def is_timestamp_replication_key(self) -> bool:
        """Return False: otherwise the SDK looks for the bookmark's column in a catalog that may lack it."""
        return False

    @property
    def selection(self) -> StreamSelection:
        """Return what the catalog asks of this stream."""
        return StreamSelection(
            is_incremental=self.replication_method == "INCREMENTAL",
            has_change_events=self._tap.streams[CHANGE_EVENTS].selected,
            is_connection_test=self.ABORT_AT_RECORD_COUNT is not None,
        )

    def begin_list(self) -> PlannedList | None:
        """Return this stream's list before its turn, if it need not wait for it. The state is not touched."""
        state = self.tap_state.get("bookmarks", {}).get(self.name, {})
        return self._context.lists.plan_ahead(self._resource, state, self.selection)

    @override
    def get_records(self, context: object) -> Iterable[Record]:
        """Yield the records. Change events are written before the records that show them.

        A list that cannot be read does not keep the streams behind it from being read: the run fails at its end.
        """
        if self._context.is_unavailable(self._resource, self.logger):
            return
        change_events, deleted_rows = (
            cast("SideStream", self._tap.streams[name]) for name in (CHANGE_EVENTS, DELETED_ROWS)
        )
        selection = self.selection
        self._stream_sync = self._context.stream_sync(self.name, self.stream_state, self.logger, selection=selection)
        with metrics.http_request_counter(self.name, self._resource.path) as requests:
            try:
                for batch in self._stream_sync.batches():
                    self._extracted_at = utc_now()
                    change_events.write(filter(None, map(self._selected_event, batch.events)))
                    deleted_rows.write(batch.deleted_rows)
                    if self._emits_unchanged and not (batch.deleted_rows or selection.is_connection_test):
                        self._write_records(batch.records)
                    else:
                        yield from batch.records
                    MessageWriter.flush()
            except (ServiceError, IncompleteRead, Forbidden) as error:
                if selection.is_connection_test:
                    raise
                self.logger.warning("%s was not read to its end: %s", self.name, error.one_line)
                self._context.summary.add_failure(error)
                self._stream_sync = None  # its state has not moved
            else:
                requests.increment(self._stream_sync.request_count)

    @override
    def finalize_state_progress_markers(self, state: dict[str, Any] | None = None) -> None:
        """Emit the state, and only then confirm the snapshot behind it."""
        super().finalize_state_progress_markers(state)
        if self._stream_sync:
            self._stream_sync.on_state_emitted()
            self._stream_sync = None

    @override
    def _process_record(self, record: Record, child_context: object = None, partition_context: object = None) -> None:
        """Do nothing: the SDK syncs child streams here, and this tap has none."""

    @override
    def _generate_record_messages(self, record: Record) -> Generator[RecordMessage, None, None]:
        """Yield the messages of a record.

        Properties are only looked at if some are deselected, which saves three quarters of the time. A delete record
        keeps only the properties that have a value, so a target does not overwrite the others with null. The SDK does
        not flatten an object that is null, and leaves its name, which is not announced.
        """
        is_delete = is_delete_record(record)
        if is_delete:  # stream maps may use the other properties
            record = dict.fromkeys(self.schema["properties"]) | record
        if not self._selects_all_properties:
            self._pop_unexpected_of_deselected(record)
            pop_deselected_record_properties(record, self.schema, self.mask)
        for stream_map in self.stream_maps:
            mapped = stream_map.transform(record)
            if mapped is not None and self._is_flattened:
                announced = stream_map.transformed_schema["properties"]
                mapped = {name: value for name, value in mapped.items() if value is not None or name in announced}
            if mapped is not None and is_delete:
                mapped = {name: value for name, value in mapped.items() if value is not None}
            if mapped is not None:
                yield RecordMessage(stream=stream_map.stream_alias, record=mapped, time_extracted=self._extracted_at)

    @override
    def _generate_schema_messages(self) -> Generator[SchemaMessage, None, None]:
        """Yield the messages of the schema, also those of stream maps, with the precision of decimals."""
        for message in super()._generate_schema_messages():
            message.schema = with_precision(message.schema)
            yield message

    @override
    def _increment_stream_state(self, latest_record: Record, *, context: object = None) -> None:
        """Do nothing: `StreamSync` moves the bookmark."""

    @override
    def _write_starting_replication_value(self, context: object) -> None:
        """Do nothing: the state holds what was read, and no start value."""

    @override
    def get_record_counter(
        self, *, endpoint: str | None = None, log_interval: float = metrics.DEFAULT_LOG_INTERVAL
    ) -> metrics.Counter:
        self._record_counter = super().get_record_counter(endpoint=endpoint, log_interval=log_interval)
        return self._record_counter

    def _write_records(self, records: list[Record]) -> None:
        """Write records at once: the SDK's loop takes 5 µs for each, as much as encoding it."""
        MessageWriter.write_records(self.name, records, self._extracted_at)
        self._record_counter.increment(len(records))
        self.state_manager.is_flushed = not records and self.state_manager.is_flushed

    @cached_property
    def _emits_unchanged(self) -> bool:
        """Return whether the stream is selected, and nothing is deselected, mapped or flattened."""
        is_mapped = any(type(stream_map) is not SameRecordTransform for stream_map in self.stream_maps)
        return self.selected and self._selects_all_properties and not is_mapped and not self._is_flattened

    @cached_property
    def _selects_all_properties(self) -> bool:
        return all(self.mask.values())

    def _pop_unexpected_of_deselected(self, record: Record) -> None:
        """Remove the unexpected values of deselected properties, and unknown fields of objects that are not whole."""
        values = record.get(UNEXPECTED)
        if values:
            selected = {path: value for path, value in values.items() if self.mask[_breadcrumb(path)]}
            record[UNEXPECTED] = selected or None
        for name, properties in self._partial_objects.items():
            if isinstance(record.get(name), dict):
                record[name] = {key: value for key, value in record[name].items() if key in properties}

    @cached_property
    def _partial_objects(self) -> dict[str, set[str]]:
        """Return the properties of the objects of which some are deselected."""
        nested = {name: set(each.get("properties") or ()) for name, each in self.schema["properties"].items()}
        return {
            name: properties
            for name, properties in nested.items()
            if not all(self.mask["properties", name, "properties", key] for key in properties)
        }

    def _selected_event(self, event: Record) -> Record | None:
        """Return a change event without the columns that are deselected; None if only those changed."""
        if self._selects_all_properties or not self.selected:
            return event
        field = event["message"].rpartition(" FOR ")[2]
        event = {**event, "object": self._selected_properties(event["object"])}
        for name, columns in SOURCES.items():
            if not all(self.mask["properties", column] for column in columns):  # the name would tell what they hold
                event[name] = None
        if event["local_times"]:
            event["local_times"] = {
                name: time for name, time in event["local_times"].items() if name in ("detected_at", *event["object"])
            }
        for name in ("old_value", "new_value"):
            if isinstance(event[name], dict):
                event[name] = self._selected_properties(event[name])
        if event["event"] == "updated" and not event["new_value"]:
            return None
        if event["event"] == "status_changed" and field not in event["object"]:
            return None
        if event["event"] == "updated":
            event["message"] = event["message"].removesuffix(field) + ", ".join(event["new_value"])
        return event

    def _selected_properties(self, values: Record) -> Record:
        selected = copy.deepcopy(values)
        self._pop_unexpected_of_deselected(selected)
        pop_deselected_record_properties(selected, self.schema, self.mask)
        return selected
