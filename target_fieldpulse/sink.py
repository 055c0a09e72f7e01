"""The sinks: one parses records and submits them to the run, one only counts them."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING, Any

from singer_sdk.sinks import RecordSink
from typing_extensions import override

from fieldpulse_api.errors import UnsupportedStreamError
from fieldpulse_api.resources.catalogue import WRITABLE
from fieldpulse_api.values.custom_fields import CUSTOM_FIELDS_PROPERTY
from target_fieldpulse.records.parsed_record import COMPANY_ID, DELETED_AT, EXTERNAL_ID, INPUT_STREAM

if TYPE_CHECKING:
    from .target import TargetFieldPulse

_LOGGER = logging.getLogger(__name__)
_MAX_NAMED = 200  # properties without effect, for each stream; sources may have a property for each record

Record = dict[str, Any]


class FieldPulseSink(RecordSink):
    """The sink of one writable stream. An invalid record is rejected when its turn comes, and the run goes on.

    `schema_message` is what a rejects file needs before a record of this sink, `source` the stream of the input.
    """

    schema_message: Mapping[str, Any]
    source: str

    def __init__(self, target: TargetFieldPulse, stream_name: str, schema: Record, key_properties: Any) -> None:
        super().__init__(target, stream_name, schema, key_properties)
        self._run, self._reader, self._named = target.run, target.reader, target.unwritable_properties[stream_name]
        self._has_maps = bool(target.input_streams)
        self._resource = WRITABLE[stream_name]
        self._writable = {*self._resource.write_spec.properties, "id", EXTERNAL_ID, COMPANY_ID, *DELETED_AT}
        if self._resource.custom_field_object:
            self._writable.add(CUSTOM_FIELDS_PROPERTY)

    @override
    def get_validator(self) -> None:
        """Return None: the parser validates records by what FieldPulse accepts, not by the schema of their source."""

    @override
    def setup(self) -> None:
        """Prepare the run for this stream, and warn of properties that have no effect.

        Raises: UnsupportedStreamError for a schema without any property that identifies a record, unless records may
        have more properties than it names.
        """
        write = self._resource.write_spec
        properties = self.schema["properties"].keys()
        row_properties = write.reference(write.row_reference).properties if write.row_reference else ()
        identifiers = row_properties or (EXTERNAL_ID, "id")
        if properties.isdisjoint(identifiers) and not self.schema.get("additionalProperties"):
            explanation = "" if row_properties else " (external_id is your key, id the FieldPulse id)"
            raise UnsupportedStreamError(
                f"Records of `{self.stream_name}` have no identifier.",
                where=f"SCHEMA of {self.stream_name}",
                hint=f"add one of these properties to the schema: {', '.join(identifiers)}{explanation}",
            )
        self._warn_of_unwritable(properties)
        self._run.prepare(self._resource)
        self._parser = self._run.record_parser(self._resource)

    @override
    def process_record(self, record: Record, context: object) -> None:
        """Parse the record and submit it. This blocks while too many records are in progress."""
        self._warn_of_unwritable(record.keys())
        values = {**record, INPUT_STREAM: self.source} if self._has_maps else record
        parsed = self._parser.parse(values, rejected_at=self._reader.rejected_at)
        self._run.submit(parsed, self.schema_message)

    def _warn_of_unwritable(self, properties: AbstractSet[str]) -> None:
        """Name each property that cannot be written once, whether a SCHEMA or only a record has it."""
        new = properties - self._writable - self._named if len(self._named) < _MAX_NAMED else ()
        names = sorted(name for name in new if not name.startswith("_sdc_"))
        if names:
            self._named |= set(names)
            more = f" and {len(names) - _MAX_NAMED} more" if len(names) > _MAX_NAMED else ""
            listed = ", ".join(names[:_MAX_NAMED]) + more
            _LOGGER.warning("%s: ignoring properties that cannot be written: %s", self.stream_name, listed)


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
