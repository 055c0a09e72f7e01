"""The sinks: one that hands records to the run, one that only counts them."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from singer_sdk.sinks import RecordSink
from typing_extensions import override

from fieldpulse_api.errors import UnsupportedStreamError
from fieldpulse_api.resources.catalogue import WRITABLE
from fieldpulse_api.values.custom_fields import PROPERTY
from target_fieldpulse.records.parsed_record import DELETED, parse_json_strings

if TYPE_CHECKING:
    from .target import TargetFieldPulse

Record = dict[str, Any]


class FieldPulseSink(RecordSink):
    """The sink of one writable stream. What is wrong with a record is found when it is planned, and rejects only it."""

    def __init__(self, target: TargetFieldPulse, stream_name: str, schema: Record, key_properties: Any) -> None:
        super().__init__(target, stream_name, schema, key_properties)
        self._run, self._reader = target.run, target.reader
        self._resource = WRITABLE[stream_name]

    @override
    def setup(self) -> None:
        """Refuse a schema whose records could never be written, and name the properties that have no effect."""
        write = self._resource.write_spec
        properties = set(self.schema["properties"])
        needed = write.reference(write.row_reference).properties if write.row_reference else ("external_id", "id")
        if not properties & set(needed):
            raise UnsupportedStreamError(
                f"Stream {self.stream_name} says of no record which one it is.",
                where=f"SCHEMA of {self.stream_name}",
                hint=f"give its records one of: {', '.join(needed)} (external_id: the source's key; id: FieldPulse's)",
            )
        known = (
            write.properties
            | {"id", "external_id", *DELETED}
            | ({PROPERTY} if self._resource.custom_field_object else set())
        )
        idle = sorted(name for name in properties - known if not name.startswith("_sdc_"))
        if idle:
            self.logger.warning("%s: these properties are not written: %s", self.stream_name, ", ".join(idle))
        self._run.prepare(self._resource)

    @override
    def _remove_sdc_metadata_from_record(self, record: Record) -> None:
        """Keep `_sdc_deleted_at`, which the SDK would take out: it deletes. The others have no effect."""

    @override
    def _validate_and_parse(self, record: Record) -> Record:
        return record

    @override
    def _singer_validate_message(self, record: Record) -> None:
        """Leave it to the plan: a record without its key is rejected, and the run goes on."""

    @override
    def process_record(self, record: Record, context: object) -> None:
        """Hand the record on; this waits while too many are under way."""
        write = self._resource.write_spec
        record = dict(parse_json_strings(write, record)) if write else record
        self._run.submit(self._resource, self.schema, record, self._reader.fault)


class DiscardSink(RecordSink):
    """The sink of an unknown stream that the settings allow to be discarded. Its records count as skipped."""

    def __init__(self, target: TargetFieldPulse, stream_name: str, schema: Record, key_properties: Any) -> None:
        super().__init__(target, stream_name, schema, key_properties)
        self._run = target.run

    @override
    def setup(self) -> None:
        """Say that nothing of this stream is written."""
        logging.getLogger(__name__).warning("Stream %s is unknown to FieldPulse and is discarded", self.stream_name)

    @override
    def process_record(self, record: Record, context: object) -> None:
        """Count the record as skipped."""
        self._run.skip(self.stream_name)
