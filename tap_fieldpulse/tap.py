"""The Singer tap: one stream per resource of the catalogue, change events and webhook deliveries."""

from __future__ import annotations

from contextlib import ExitStack
from functools import cached_property
from typing import IO, Any, ClassVar

from singer_sdk import Stream, Tap
from singer_sdk.helpers.capabilities import PluginCapabilities, TapCapabilities
from singer_sdk.plugin_base import _ConfigInput
from singer_sdk.singerlib import Catalog
from typing_extensions import override

from fieldpulse_api.errors import ConfigError
from fieldpulse_api.resources.catalogue import RESOURCES
from fieldpulse_api.values.strict_json import read_object
from fieldpulse_plugin.history.recorder import RunRecorder
from fieldpulse_plugin.history.run_page import RunPage
from fieldpulse_plugin.sdk import FieldPulsePlugin
from fieldpulse_plugin.settings import SHARED_SETTINGS
from tap_fieldpulse.changes.deleted_rows import DELETED_ROWS
from tap_fieldpulse.reading.filters import check_filters
from tap_fieldpulse.records.record_builder import SDC_DELETED_AT
from tap_fieldpulse.singer.change_event_stream import CHANGE_EVENTS, ChangeEventStream
from tap_fieldpulse.singer.deleted_row_stream import DeletedRowStream
from tap_fieldpulse.singer.input_catalog import complete_entry, read_catalog, select_parents
from tap_fieldpulse.singer.input_state import read_state
from tap_fieldpulse.singer.message_writer import MessageWriter
from tap_fieldpulse.singer.resource_stream import ResourceStream
from tap_fieldpulse.singer.stream_maps import check_removed, check_sources
from tap_fieldpulse.singer.webhook_event_stream import WEBHOOK_EVENTS, WebhookEventStream, confirmed_sequence
from tap_fieldpulse.sync.context import SyncContext
from tap_fieldpulse.sync.read_ahead import ReadAhead

from .settings import TAP_SETTINGS, TapSettings

_OTHER_STREAMS = (CHANGE_EVENTS, DELETED_ROWS, WEBHOOK_EVENTS)
"""The streams that are not lists of the API."""


class TapFieldPulse(FieldPulsePlugin, Tap):
    """Singer tap for FieldPulse, a field-service platform."""

    name = "tap-fieldpulse"
    package_name = "singer-fieldpulse"
    settings_class = TapSettings
    settings: TapSettings
    config_jsonschema: ClassVar[dict[str, Any]] = {
        "type": "object",
        "properties": {**SHARED_SETTINGS, **TAP_SETTINGS},
    }
    # Not BATCH: it ignores deselection and stream maps. Not ACTIVATE_VERSION: a loader would drop unread rows.
    capabilities: ClassVar[list[Any]] = [
        TapCapabilities.CATALOG,
        TapCapabilities.STATE,
        TapCapabilities.DISCOVER,
        PluginCapabilities.ABOUT,
        PluginCapabilities.STREAM_MAPS,
        PluginCapabilities.FLATTENING,
        PluginCapabilities.STRUCTURED_LOGGING,
    ]
    message_writer_class = MessageWriter

    def __init__(
        self,
        *,
        catalog: dict[str, Any] | None = None,
        state: dict[str, Any] | None = None,
        recording: ExitStack | None = None,
        **kwargs: Any,
    ) -> None:
        """Check the settings, and read what the schemas need. The history of the run begins in `recording`."""
        self._recording = recording
        checked = None if catalog is None else read_catalog(catalog, _OTHER_STREAMS)
        super().__init__(catalog=checked, state=state, **kwargs)

    @cached_property
    def context(self) -> SyncContext:
        """Return what the streams of this run share."""
        catalog = self.input_catalog
        schemas = {entry.tap_stream_id: entry.schema.to_dict() for entry in catalog.streams} if catalog else None
        return SyncContext(self.settings, schemas, self.logger)

    @override
    def discover_streams(self) -> list[Stream]:
        """Return all streams. Requests are sent only when a schema is used."""
        return [
            *(ResourceStream(self, resource, self.context) for resource in RESOURCES),
            ChangeEventStream(self, self.context),
            DeletedRowStream(self, self.context),
            WebhookEventStream(self, self.context),
        ]

    @override
    def run_discovery(self) -> str:
        """Print the catalog, after the checks of a sync.

        Raises: ConfigError for filters that do not exist; AuthenticationError if there is a key and it is rejected.
        """
        check_filters(self.settings.filters)
        if self.settings.client is not None:
            self.context.check_key()
        return super().run_discovery()

    @override
    def load_state(self, state: dict[str, Any]) -> None:
        """Load the state of the last run. Raises: ConfigError if it is not a state of a tap."""
        checked = read_state(state, _OTHER_STREAMS, self.logger)
        self.context.has_any_state = bool(checked["bookmarks"])
        super().load_state(checked)

    @override
    def setup_mapper(self) -> None:
        """Complete the input catalog, so that everything that is emitted is announced first.

        The history begins here, where the settings are known: the schemas below may need requests, which may fail.
        """
        if self._recording:
            url = self.settings.snapshot_url
            self._recording.enter_context(RunPage.of(self.settings.report_path, snapshot_url=url))
            recorder = RunRecorder(
                self.name, self.context.facts, store="snapshot", store_url=url, keep_days=self.settings.history_days
            )
            self._recording.enter_context(recorder)
        for entry in self.input_catalog.streams if self.input_catalog else ():
            stream = self.streams.get(entry.tap_stream_id)
            if stream is not None and stream.selected:
                keys = {*stream.primary_keys, *([stream.replication_key] if stream.replication_key else [])}
                keys |= {SDC_DELETED_AT} & stream.schema["properties"].keys()
                select_parents(entry)
                complete_entry(entry, stream.schema, keys, stream.logger)
                stream._mask = None  # noqa: SLF001  the SDK cached the selection before the entry was completed
        check_sources(self.config.get("stream_maps") or {}, self.streams)
        check_removed(self.config.get("stream_maps") or {}, self.streams)
        super().setup_mapper()
        selected = [name for name, stream in self.streams.items() if stream.selected]
        entries = self.catalog.items()
        self.mapper.register_raw_streams_from_catalog(
            Catalog({name: each for name, each in entries if name in selected})
        )
        with self.mapper.without_maps():
            others = {name: each for name, each in entries if name not in selected}
            self.mapper.register_raw_streams_from_catalog(Catalog(others))

    @override  # type: ignore[misc]  # the SDK declares it final, and has no hook at its end
    def sync_all(self) -> None:
        """Sync all streams, and log a closing line.

        Raises: after all streams, SafetyLimitReached if too many rows of one were deleted, or the error of the first
        one that could not be read.
        """
        context = self.context
        check_filters(self.settings.filters)
        self._check_deletes_are_emitted()
        if not any(stream.selected for stream in self.streams.values()):
            self.logger.warning("The catalog selects no stream, so nothing is read")
        context.confirmed_sequence = confirmed_sequence(
            self.state.get("bookmarks", {}), emits_events=self.streams[WEBHOOK_EVENTS].selected
        )
        lists = {
            name: stream
            for name, stream in self.streams.items()
            if stream.selected and isinstance(stream, ResourceStream)
        }
        context.read_ahead = ReadAhead(
            list(lists), lambda name: lists[name].begin_list(), max_lists=self.settings.lists_ahead
        )
        ended = "stopped early"
        try:
            super().sync_all()
            context.raise_if_lock_lost()
            ended = "finished"
        finally:
            line, quota = context.summary.line(context.client.request_count), context.client.quota_text()
            self.logger.info("Run %s: %s%s", ended, line, f"; {quota}" if quota else "")
            context.close()
        errors = [*context.summary.safety_limit_errors, *context.summary.failures]
        if errors:
            raise errors[0]

    def _check_deletes_are_emitted(self) -> None:
        emits_deletes = any(self.streams[name].selected for name in (DELETED_ROWS, CHANGE_EVENTS))
        if self.settings.detect_deletes and not emits_deletes and not self.settings.delete_records:
            raise ConfigError(
                "Deletes are detected, but no selected stream emits them.",
                where="setting detect_deletes · --catalog",
                hint=f"select the stream {DELETED_ROWS} (run discovery again), or set delete_records",
            )

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
        """Run the tap with the files of its command line."""
        super().invoke(about=about, about_format=about_format)
        config_input = config or _ConfigInput()
        with ExitStack() as recording:
            tap = cls(
                config=config_input.config,
                parse_env_config=config_input.parse_env,
                state=read_object(state, f"--state {state.name}") if state else None,
                catalog=read_object(catalog, f"--catalog {catalog.name}") if catalog else None,
                recording=recording,
            )
            tap.sync_all()
