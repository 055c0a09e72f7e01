"""The Singer target: it routes messages to the run, and rejects streams and messages that it cannot write."""

from __future__ import annotations

import sys
from functools import cached_property
from typing import Any, ClassVar, cast

from singer_sdk import Target
from singer_sdk.exceptions import (
    InvalidJSONSchema,
    InvalidRecord,
    MissingKeyPropertiesError,
    RecordsWithoutSchemaException,
)
from singer_sdk.helpers.capabilities import PluginCapabilities
from singer_sdk.plugin_base import PluginBase, _ConfigInput
from singer_sdk.sinks import Sink
from typing_extensions import override

from fieldpulse_api.errors import InvalidInput, UnsupportedStreamError, allowed_and_similar
from fieldpulse_api.resources.catalogue import BY_NAME, WRITABLE
from fieldpulse_api.values.strict_json import encode
from fieldpulse_plugin.exit_codes import report_error
from fieldpulse_plugin.sdk import FieldPulsePlugin
from fieldpulse_plugin.settings import SHARED_SETTINGS
from target_fieldpulse.run.run import TargetRun

from .message_reader import MessageReader
from .settings import TARGET_SETTINGS, TargetSettings
from .sink import DiscardSink, FieldPulseSink

_CHECK_INPUT = "check the tap that produces the input; records after this message were not written"
_BROKEN_INPUT = (InvalidJSONSchema, InvalidRecord, MissingKeyPropertiesError, RecordsWithoutSchemaException)


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

    @cached_property
    def run(self) -> TargetRun:
        """Return the run of this process."""
        return TargetRun(self.settings, self._write_state_message)

    @classmethod
    @override
    def append_builtin_config(cls, config_jsonschema: dict[str, Any]) -> None:
        """Add the settings of stream maps and flattening. Batches and load methods do not apply to an API."""
        PluginBase.append_builtin_config.__func__(cls, config_jsonschema)  # type: ignore[attr-defined]

    @override
    def get_sink_class(self, stream_name: str) -> type[Sink]:
        """Return the class of a stream's sink, at its SCHEMA message.

        Raises: UnsupportedStreamError if the stream cannot be written.
        """
        if stream_name in WRITABLE:
            return FieldPulseSink
        if stream_name not in BY_NAME and self.settings.discard_unknown_streams:
            return DiscardSink
        raise _unsupported_stream_error(stream_name)

    @override
    def _process_schema_message(self, message_dict: dict[str, Any]) -> None:
        self._assert_line_requires(message_dict, requires={"stream", "schema"})
        schema = message_dict["schema"]
        if not (isinstance(schema, dict) and isinstance(schema.get("properties", {}), dict)):
            raise self._malformed_error("schema")
        super()._process_schema_message(message_dict)

    @override
    def _process_record_message(self, message_dict: dict[str, Any]) -> None:
        self.run.raise_if_failed()
        if not isinstance(message_dict.get("record", {}), dict):
            raise self._malformed_error("record")
        super()._process_record_message(message_dict)

    @override
    def _process_state_message(self, message_dict: dict[str, Any]) -> None:
        """Queue the state. The SDK would emit it after five minutes, even before its records are written."""
        self._assert_line_requires(message_dict, requires={"value"})
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

    @override
    def process_endofpipe(self) -> None:
        """Wait until all records are written. Raises: the error that ended the run."""
        self.run.finish()
        self.run.raise_if_failed()
        super().process_endofpipe()

    @property
    def reader(self) -> MessageReader:
        """Return the reader of the input."""
        return cast("MessageReader", self.message_reader)

    def _malformed_error(self, part: str) -> InvalidInput:
        return InvalidInput(f"The {part} of a message is not an object.", where=self.reader.where, hint=_CHECK_INPUT)

    def _as_input_error(self, error: BaseException) -> BaseException:
        """Return an error of the SDK about the input as InvalidInput: the SDK's messages quote the input."""
        if isinstance(error, RecordsWithoutSchemaException):
            return InvalidInput(
                "A RECORD message came before the SCHEMA message of its stream.",
                where=self.reader.where,
                hint=_CHECK_INPUT,
            )
        if isinstance(error, _BROKEN_INPUT):
            what = f"The input violates the Singer specification ({type(error).__name__})."
            return InvalidInput(what, where=self.reader.where, hint=_CHECK_INPUT)
        return error

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
        run = target.run
        try:
            target.listen(file_input)
        except BaseException as error:  # noqa: BLE001  also a signal's SystemExit
            run.finish(is_stopped=True)
            sys.exit(run.close(report_error(target._as_input_error(error))))
        sys.exit(run.close())


def _unsupported_stream_error(stream_name: str) -> UnsupportedStreamError:
    resource = BY_NAME.get(stream_name)
    if resource is None:
        what, hint = (
            f"FieldPulse has no stream {stream_name!r}.",
            "rename it (stream_maps), or set unknown_streams: discard",
        )
    elif resource.is_read_only:
        what, hint = f"`{stream_name}` is read-only in the FieldPulse API.", "deselect it"
    else:
        what, hint = f"This target does not support writing `{stream_name}`.", "deselect it"
    return UnsupportedStreamError(
        f"{what} Writable streams: {allowed_and_similar(stream_name, WRITABLE)}",
        where=f"SCHEMA of {stream_name}; none of its records was sent",
        hint=hint,
    )
