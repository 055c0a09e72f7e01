"""The Singer target: it routes messages to the run, and rejects streams and messages that it cannot write."""

from __future__ import annotations

import difflib
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, cast

from singer_sdk import Target
from singer_sdk.exceptions import RecordsWithoutSchemaException
from singer_sdk.helpers.capabilities import PluginCapabilities
from singer_sdk.mapper import RemoveRecordTransform, SameRecordTransform, StreamMap
from singer_sdk.plugin_base import _ConfigInput
from singer_sdk.sinks import Sink
from typing_extensions import override

from fieldpulse_api.errors import ConfigError, InvalidInput, RecordInvalid, UnsupportedStreamError, allowed_and_similar
from fieldpulse_api.resources.catalogue import BY_NAME, WRITABLE
from fieldpulse_api.values.strict_json import encode
from fieldpulse_plugin.exit_codes import reason_of, report_error, signals_ignored
from fieldpulse_plugin.history.recorder import RunRecorder
from fieldpulse_plugin.history.run_page import RunPage
from fieldpulse_plugin.sdk import FieldPulsePlugin
from fieldpulse_plugin.settings import SHARED_SETTINGS
from fieldpulse_plugin.stream_maps import UnmappableRecord, maps_without_stream
from target_fieldpulse.run.run import TargetRun

from .input_schema import mappable_schema
from .message_reader import MessageReader
from .settings import TARGET_SETTINGS, TargetSettings
from .sink import DiscardSink, FieldPulseSink

_CHECK_INPUT = "check the tap that produces the input; records after this message were not written"
_MAPPED_FROM = "mapped_from"  # a key of SCHEMA messages in rejects files: the stream from which maps made the records


class _RecordBeforeSchema(InvalidInput, RecordsWithoutSchemaException):
    """The SDK's error, in the form of ours."""


@dataclass(frozen=True)
class _InputStream:
    """A stream of the input: its SCHEMA message as it came, and the sink behind each of its maps."""

    schema_message: Mapping[str, Any]
    sinks: list[tuple[StreamMap, Sink]]


class TargetFieldPulse(FieldPulsePlugin, Target):
    """Singer target for FieldPulse: writes every stream that the API accepts."""

    name = "target-fieldpulse"
    package_name = "singer-fieldpulse"
    config_jsonschema: ClassVar[dict[str, Any]] = {
        "type": "object",
        "properties": {**SHARED_SETTINGS, **TARGET_SETTINGS},
    }
    capabilities: ClassVar[list[Any]] = [
        PluginCapabilities.ABOUT,
        PluginCapabilities.STREAM_MAPS,
        PluginCapabilities.FLATTENING,
        PluginCapabilities.STRUCTURED_LOGGING,
    ]
    message_reader_class = MessageReader
    settings_class = TargetSettings
    settings: TargetSettings
    _ignores_versions = False
    _is_replay = False

    @cached_property
    def run(self) -> TargetRun:
        """Return the run of this process."""
        return TargetRun(self.settings, self._write_state_message, self.input_streams, on_error=self.reader.interrupt)

    @cached_property
    def _input_streams(self) -> dict[str, _InputStream]:
        """Return the streams whose SCHEMA came, by their names before stream maps."""
        return {}

    @cached_property
    def unwritable_properties(self) -> defaultdict[str, set[str]]:
        """Return the properties that the log has named as ignored, by stream."""
        return defaultdict(set)

    @cached_property
    def input_streams(self) -> set[str]:
        """Return the streams that stream maps rename, and those that came beside them; none without stream maps."""
        return set(self.config.get("stream_maps") or {})

    @override
    def get_sink_class(self, stream_name: str) -> type[Sink]:
        """Return the class of a stream's sink, at its SCHEMA message.

        Raises: UnsupportedStreamError if the stream cannot be written.
        """
        if stream_name in WRITABLE:
            return FieldPulseSink
        if stream_name not in BY_NAME and self.settings.discard_unknown_streams:
            return DiscardSink
        raise self._unsupported_stream_error(stream_name)

    @override
    def _process_schema_message(self, message_dict: dict[str, Any]) -> None:
        """Open the sinks of a stream. A stream that its map removes has none, so it may have any name.

        A schema is not validated, because no record is validated by it.
        """
        self._assert_line_requires(message_dict, requires={"stream", "schema"})
        stream, schema = message_dict["stream"], message_dict["schema"]
        if not (isinstance(schema, dict) and isinstance(schema.get("properties", {}), dict)):
            raise self._malformed_error("schema")
        if self.input_streams:
            self.input_streams.add(stream)
        before = self._input_streams.get(stream)
        if before and before.schema_message == message_dict:
            return
        maps = [each for each in self._maps_of(message_dict) if not isinstance(each, RemoveRecordTransform)]
        if not (maps or before):
            self.logger.info("%s: stream_maps removes this stream; its records count as skipped", stream)
        sinks = [(each, self._sink_of(each, message_dict)) for each in maps]
        self._input_streams[stream] = _InputStream(message_dict, sinks)

    def _maps_of(self, message: Mapping[str, Any]) -> list[StreamMap]:
        """Return the maps of a stream. Records of a rejects file that were mapped before are not mapped again."""
        options = self.mapper.flattening_options
        depth = options.max_level if options and options.enabled else 0
        stream, schema = message["stream"], mappable_schema(message["schema"], depth)
        if _MAPPED_FROM in message:
            return [SameRecordTransform(stream, schema, None, None)]
        declared = message.get("key_properties")
        keys = [name for name in schema["properties"] if isinstance(declared, list) and name in declared]
        keys = [name for name in keys if name not in self.mapper.removed_properties]
        with self._errors_with_line():
            self.mapper.register_raw_stream_schema(stream, schema, keys)
        return self.mapper.stream_maps[stream]

    def _sink_of(self, stream_map: StreamMap, message: Mapping[str, Any]) -> Sink:
        """Return a new sink; two streams may be mapped to one. Raises: UnsupportedStreamError."""
        sink = self.add_sink(stream_map.stream_alias, stream_map.transformed_schema)
        if isinstance(sink, FieldPulseSink):
            sink.schema_message, sink.source = message, message.get(_MAPPED_FROM, message["stream"])
            if stream_map.flattening_enabled or not isinstance(stream_map, SameRecordTransform):
                mapped = {"stream": sink.stream_name, _MAPPED_FROM: sink.source, "schema": sink.schema}
                sink.schema_message = {"type": "SCHEMA", **mapped, "key_properties": []}
        return sink

    @override
    def _process_record_message(self, message_dict: dict[str, Any]) -> None:
        """Submit what the maps of the stream make of a record; a record that all of them drop is skipped.

        A record that a map cannot evaluate, or whose line is ambiguous, is rejected once. What other maps make of it is
        written, and a replay finds these rows unchanged.
        """
        self.run.raise_if_failed()
        self._assert_line_requires(message_dict, requires={"stream", "record"})
        name, record = message_dict["stream"], message_dict["record"]
        if not isinstance(record, dict):
            raise self._malformed_error("record")
        self._is_replay |= "rejected" in message_dict  # the input is a rejects file
        stream = self._input_streams.get(name)
        if stream is None:
            raise _RecordBeforeSchema(
                "A RECORD message came before the SCHEMA message of its stream.",
                where=self.reader.where,
                hint=_CHECK_INPUT,
            )
        rejections: list[tuple[str, RecordInvalid]] = []
        is_skipped = True
        for stream_map, sink in stream.sinks:
            try:
                mapped = record if isinstance(sink, DiscardSink) else self._mapped(stream_map, record)
            except RecordInvalid as error:
                rejections.append((sink.stream_name, error))
                continue
            if mapped is not None:
                is_skipped = False
                sink.process_record(mapped, {})
        if rejections:
            rejected_stream, fault = rejections[0]
            self.logger.warning("rejected: %s (%s): %s", rejected_stream, self.reader.where, fault.one_line)
            self.run.reject(
                rejected_stream,
                fault,
                schema_message=stream.schema_message,
                record=self.reader.fault.line if self.reader.fault else record,
                rejected_at=self.reader.rejected_at,
            )
        elif is_skipped:
            self.run.skip(stream.sinks[0][1].stream_name if stream.sinks else name)

    def _mapped(self, stream_map: StreamMap, record: dict[str, Any]) -> dict[str, Any] | None:
        """Return what a map makes of a record, or None if its filter drops it.

        Raises: RecordInvalid if it cannot be evaluated, or if the line is ambiguous; ConfigError for a wrong map.
        """
        try:
            with self._errors_with_line():
                mapped = stream_map.transform(record)
        except UnmappableRecord as error:
            raise RecordInvalid(error.what, where=error.where, hint=error.hint) from None
        if mapped is not None and self.reader.fault:
            raise self.reader.fault.error
        return mapped

    @contextmanager
    def _errors_with_line(self) -> Iterator[None]:
        """Add the line of the input to an error in a setting."""
        try:
            yield
        except UnmappableRecord:  # stored in the rejects file, where the same record must have the same reason
            raise
        except ConfigError as error:
            error.where += f" · {self.reader.where}"
            raise

    @override
    def _process_state_message(self, message_dict: dict[str, Any]) -> None:
        """Queue the state. The SDK would emit it after five minutes, even before its records are written.

        Raises: InvalidInput if it is not an object: the tap could not read it again.
        """
        self._assert_line_requires(message_dict, requires={"value"})
        if not isinstance(message_dict["value"], dict):
            raise self._malformed_error("value")
        self.run.queue_state(message_dict["value"])

    @override
    def _write_state_message(self, state: Any) -> None:
        """Write a state to stdout. The SDK's encoder cannot encode Decimal, the type of numbers with a point."""
        sys.stdout.write(f"{encode(state).decode()}\n")
        sys.stdout.flush()

    @override
    def _process_batch_message(self, message_dict: dict[str, Any]) -> None:
        """Reject a BATCH: the SDK's sink would silently drop its records."""
        raise UnsupportedStreamError(
            "BATCH messages cannot be written.",
            where=f"{self.reader.where} · stream {message_dict.get('stream', '?')}",
            hint="remove batch_config from the tap's settings",
        )

    @override
    def _process_activate_version_message(self, message_dict: dict[str, Any]) -> None:
        """Ignore the message: an API has no versions of a table, and nothing is deleted because of one."""
        if not self._ignores_versions:
            self._ignores_versions = True
            self.logger.info("Ignoring ACTIVATE_VERSION messages: nothing is deleted because of them")

    @override
    def process_endofpipe(self) -> None:
        """Wait until all records are written. Raises: the error that ended the run."""
        self.run.finish()
        self.run.raise_if_failed()
        super().process_endofpipe()
        if self._input_streams and not self._is_replay:
            for name, fault in maps_without_stream(self.config.get("stream_maps") or {}, self._input_streams):
                self.logger.warning("The input had no stream for the stream map %r: %s", name, fault)

    @property
    def reader(self) -> MessageReader:
        """Return the reader of the input."""
        return cast("MessageReader", self.message_reader)

    def _malformed_error(self, part: str) -> InvalidInput:
        return InvalidInput(f"The {part} of a message is not an object.", where=self.reader.where, hint=_CHECK_INPUT)

    def _unsupported_stream_error(self, stream_name: str) -> UnsupportedStreamError:
        resource = BY_NAME.get(stream_name)
        drop = f'drop it with stream_maps: {{"{stream_name}": "__NULL__"}}'
        if resource is None:
            what = f"FieldPulse has no stream {stream_name!r}."
            hint = f"rename it with a stream map, {drop}, or set unknown_streams: discard"
            if similar := difflib.get_close_matches(stream_name, self.config.get("stream_maps") or {}, n=1):
                hint += f"; stream_maps has a map of {similar[0]!r}"
        elif resource.is_read_only:
            what, hint = f"`{stream_name}` is read-only in the FieldPulse API.", f"deselect it, or {drop}"
        else:
            what, hint = f"This target does not support writing `{stream_name}`.", f"deselect it, or {drop}"
        return UnsupportedStreamError(
            f"{what} Writable streams: {allowed_and_similar(stream_name, WRITABLE)}",
            where=f"{self.reader.where} · SCHEMA of {stream_name}; none of its records was sent",
            hint=hint,
        )

    @classmethod
    @override
    def invoke(  # type: ignore[override]  # as the SDK's own targets do
        cls,
        *,
        about: bool = False,
        about_format: str | None = None,
        config: _ConfigInput | None = None,
        file_input: Any = None,
    ) -> None:
        """Run the target. However it ends, the run is closed, and its last log line adds up."""
        super().invoke(about=about, about_format=about_format)
        config = config or _ConfigInput()
        target = cls(config=config.config, parse_env_config=config.parse_env)
        run, settings = target.run, target.settings
        page = RunPage.of(
            settings.report_path if settings.writes_page else None,
            ledger_url=settings.ledger_url,
            plan_path=settings.plan_path if settings.dry_run else None,
        )
        target.reader.before_wait = run.start_submitted
        with RunRecorder(
            cls.name, run.facts, store="ledger", store_url=settings.ledger_url, keep_days=settings.history_days
        ) as recorder:
            try:
                target.listen(file_input)
            except BaseException as error:  # noqa: BLE001  also a signal's SystemExit
                with signals_ignored():
                    status = report_error(error)
                    run.finish(is_stopped=True)
                    status = run.close(status)
                    recorder.end(status, reason_of(error))
                    page.write()
            else:
                with signals_ignored():
                    status = run.close()
                    recorder.end(status)
                    page.write()
        sys.exit(status)
