"""The sinks: one parses records and submits them to the run, one only counts them."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from singer_sdk.sinks import RecordSink
from typing_extensions import override

from fieldpulse_api.errors import UnsupportedStreamError
from fieldpulse_api.resources.catalogue import WRITABLE
from fieldpulse_api.values.custom_fields import CUSTOM_FIELDS_PROPERTY
from target_fieldpulse.records.parsed_record import DELETED_AT, EXTERNAL_ID

if TYPE_CHECKING:
    from .target import TargetFieldPulse

_LOGGER = logging.getLogger(__name__)

Record = dict[str, Any]


class FieldPulseSink(RecordSink):
    """The sink of one writable stream. An invalid record is rejected when its turn comes, and the run goes on."""

    def __init__(self, target: TargetFieldPulse, stream_name: str, schema: Record, key_properties: Any) -> None:
        super().__init__(target, stream_name, schema, key_properties)
        self._run, self._reader = target.run, target.reader
        self._resource = WRITABLE[stream_name]
        self._parser = self._run.record_parser(self._resource)

    @override
    def setup(self) -> None:
        """Prepare the run for this stream, and warn of properties that have no effect.

        Raises: UnsupportedStreamError for a schema without any property that identifies a record.
        """
        write = self._resource.write_spec
        properties = set(self.schema["properties"])
        row_properties = write.reference(write.row_reference).properties if write.row_reference else ()
        identifiers = row_properties or (EXTERNAL_ID, "id")
        if not properties & set(identifiers):
            explanation = "" if row_properties else " (external_id is your key, id the FieldPulse id)"
            raise UnsupportedStreamError(
                f"Records of `{self.stream_name}` have no identifier.",
                where=f"SCHEMA of {self.stream_name}",
                hint=f"add one of these properties to the schema: {', '.join(identifiers)}{explanation}",
            )
        known = {*write.properties, "id", EXTERNAL_ID, *DELETED_AT}
        known |= {CUSTOM_FIELDS_PROPERTY} if self._resource.custom_field_object else set()
        unknown = sorted(name for name in properties - known if not name.startswith("_sdc_"))
        if unknown:
            _LOGGER.warning("%s: ignoring properties that cannot be written: %s", self.stream_name, ", ".join(unknown))
        self._run.prepare(self._resource)

    @override
    def _remove_sdc_metadata_from_record(self, record: Record) -> None:
        """Keep `_sdc_deleted_at`, which the SDK would remove: it deletes rows. The others have no effect."""

    @override
    def _validate_and_parse(self, record: Record) -> Record:
        return record

    @override
    def _singer_validate_message(self, record: Record) -> None:
        """Leave validation to the parser: a record without its key is rejected, and the run goes on."""

    @override
    def process_record(self, record: Record, context: object) -> None:
        """Parse the record and submit it. This blocks while too many records are in progress."""
        self._run.submit(self._parser.parse(record, self._reader.fault), self.schema)


class DiscardSink(RecordSink):
    """The sink of an unknown stream that the settings allow to be discarded. Its records count as skipped."""

    def __init__(self, target: TargetFieldPulse, stream_name: str, schema: Record, key_properties: Any) -> None:
        super().__init__(target, stream_name, schema, key_properties)
        self._run = target.run

    @override
    def setup(self) -> None:
        """Warn that nothing of this stream is written."""
        _LOGGER.warning("Discarding stream %s: FieldPulse has no such stream", self.stream_name)

    @override
    def process_record(self, record: Record, context: object) -> None:
        """Count the record as skipped."""
        self._run.skip(self.stream_name)
