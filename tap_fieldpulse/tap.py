"""The tap: the catalogue's resources as streams."""

from __future__ import annotations

from functools import cached_property
from logging import Logger
from typing import IO, Any, ClassVar, cast

from singer_sdk import Stream, Tap
from singer_sdk.contrib.msgspec import MsgSpecWriter
from singer_sdk.helpers.capabilities import PluginCapabilities, TapCapabilities
from singer_sdk.plugin_base import _ConfigInput
from typing_extensions import override

from fieldpulse_api.errors import SafetyLimitReached
from fieldpulse_api.resources.catalogue import RESOURCES
from fieldpulse_api.values.strict_json import read_object
from fieldpulse_plugin.sdk import FieldPulsePlugin
from fieldpulse_plugin.settings import SHARED_SETTINGS
from tap_fieldpulse.singer.change_event_stream import NAME, ChangeEventStream
from tap_fieldpulse.singer.input_catalog import complete_entry, read_catalog
from tap_fieldpulse.singer.input_state import read_state
from tap_fieldpulse.singer.resource_stream import ResourceStream
from tap_fieldpulse.singer.webhook_event_stream import NAME as WEBHOOK_EVENTS
from tap_fieldpulse.singer.webhook_event_stream import WebhookEventStream, confirmed_sequence
from tap_fieldpulse.sync.context import SyncContext
from tap_fieldpulse.sync.stream_sync import State, StreamSync

from .settings import TAP_SETTINGS

_EVENTS = (NAME, WEBHOOK_EVENTS)


class TapFieldPulse(FieldPulsePlugin, Tap):
    """Singer tap for FieldPulse, a field-service platform."""

    name = "tap-fieldpulse"
    package_name = "singer-fieldpulse"
    config_jsonschema: ClassVar[dict[str, Any]] = {
        "type": "object",
        "properties": {**SHARED_SETTINGS, **TAP_SETTINGS},
    }
    # BATCH passes by deselection and stream maps; ACTIVATE_VERSION lets a loader drop what a run did not read.
    capabilities: ClassVar[list[Any]] = [
        TapCapabilities.CATALOG,
        TapCapabilities.STATE,
        TapCapabilities.DISCOVER,
        PluginCapabilities.ABOUT,
        PluginCapabilities.STREAM_MAPS,
        PluginCapabilities.FLATTENING,
        PluginCapabilities.STRUCTURED_LOGGING,
    ]
    message_writer_class = MsgSpecWriter

    def __init__(
        self, *, catalog: dict[str, Any] | None = None, state: dict[str, Any] | None = None, **more: Any
    ) -> None:
        checked = None if catalog is None else read_catalog(catalog, _EVENTS)
        super().__init__(catalog=checked, state=state, **more)

    @override
    def load_state(self, state: dict[str, Any]) -> None:
        """Take the state of the run before. Raises: BadSetting for what is no state of a tap."""
        kept = read_state(state, _EVENTS, self.logger)
        self.context.has_any_state = bool(kept["bookmarks"])
        super().load_state(kept)

    @override
    def discover_streams(self) -> list[Stream]:
        """Return a stream for every resource, and those of events; no request is needed yet."""
        return [
            *(ResourceStream(self, resource) for resource in RESOURCES),
            ChangeEventStream(self),
            WebhookEventStream(self),
        ]

    @override
    def setup_mapper(self) -> None:
        """Let the catalog announce what this account has beyond it: what is emitted is what was announced."""
        for entry in self.input_catalog.streams if self.input_catalog else ():
            stream = self.streams.get(entry.tap_stream_id)
            if stream is not None and stream.selected:
                keys = {*stream.primary_keys, *([stream.replication_key] if stream.replication_key else [])}
                complete_entry(entry, stream.schema, keys, stream.logger)
                stream._mask = None  # noqa: SLF001  the SDK has just made it of what was selected before
        super().setup_mapper()
        self.mapper.register_raw_streams_from_catalog(self.catalog)

    @override  # type: ignore[misc]  # the SDK declares it final, and has no hook at its end
    def sync_all(self) -> None:
        """Sync all streams. Raises: GuardStopped at the end, if a guard stopped a part of it."""
        self.context.check_filters()
        has_events = self.streams[WEBHOOK_EVENTS].selected
        self.context.confirmed_sequence = confirmed_sequence(self.state.get("bookmarks", {}), has_events=has_events)
        super().sync_all()
        if self._stopped:
            raise self._stopped[0]

    @classmethod
    @override
    def invoke(  # type: ignore[override]  # as the SDK's own taps do
        cls,
        *,
        about: bool = False,
        about_format: str | None = None,
        config: _ConfigInput | None = None,
        state: IO[str] | None = None,
        catalog: IO[str] | None = None,
    ) -> None:
        """Run the tap on the files of its command line."""
        super().invoke(about=about, about_format=about_format)
        given = config or _ConfigInput()
        tap = cls(
            config=given.config,
            parse_env_config=given.parse_env,
            state=read_object(state, f"--state {state.name}") if state else None,
            catalog=read_object(catalog, f"--catalog {catalog.name}") if catalog else None,
        )
        tap.sync_all()

    @cached_property
    def _stopped(self) -> list[SafetyLimitReached]:
        return []

    @cached_property
    def context(self) -> SyncContext:
        """Return what the streams of this run share."""
        given = self.input_catalog
        schemas = {entry.tap_stream_id: entry.schema.to_dict() for entry in given.streams} if given else None
        return SyncContext(self.config, schemas, self.logger)

    @property
    def change_events(self) -> ChangeEventStream:
        """Return the stream of change events."""
        return cast("ChangeEventStream", self.streams[NAME])

    def stream_sync(self, stream: ResourceStream, state: State, logger: Logger, *, is_incremental: bool) -> StreamSync:
        """Return the reading of one stream. `logger` is that of the stream that emits what it finds."""
        is_trial = stream.ABORT_AT_RECORD_COUNT is not None  # by `--test`: it must leave no store behind
        return self.context.stream_sync(
            stream.name,
            state,
            logger,
            is_incremental=is_incremental,
            has_events=self.change_events.selected and stream.name in self.context.event_streams and not is_trial,
            has_deletes=self.config["detect_deletes"] and not is_trial,
            has_hints=not is_trial,
        )

    def on_state_emitted(self, source: StreamSync) -> None:
        """Note that the state behind a source has been emitted, and what stopped a part of it."""
        source.on_state_emitted()
        if source.delete_limit_error:
            self._stopped.append(source.delete_limit_error)
