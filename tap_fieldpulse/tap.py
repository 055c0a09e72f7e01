"""The tap: the catalogue's resources as streams, and the settings that are the tap's own."""

from __future__ import annotations

from datetime import tzinfo
from functools import cached_property
from typing import Any, ClassVar

from singer_sdk import Tap
from singer_sdk.contrib.msgspec import MsgSpecWriter
from singer_sdk.helpers.capabilities import PluginCapabilities, TapCapabilities

from fieldpulse_api.catalogue import RESOURCES
from fieldpulse_api.client import Client
from fieldpulse_api.errors import BadSetting
from fieldpulse_api.pages import Reading
from fieldpulse_api.plugin import Plugin
from fieldpulse_api.settings import SHARED_SETTINGS, ApiSettings, zone_of

from .stream import FieldPulseStream

TAP_SETTINGS: dict[str, dict[str, Any]] = {
    "start_date": {
        "type": ["string", "null"],
        "format": "date-time",
        "title": "Start date",
        "description": "Rows last changed before this time are not read by incremental streams. All are, where it "
        "is not set.",
    },
    "page_size": {
        "type": "integer",
        "minimum": 1,
        "maximum": 100,
        "default": 100,
        "title": "Page size",
        "description": "Rows per request; 100 is the most that FieldPulse documents.",
    },
    "pages_in_flight": {
        "type": "integer",
        "minimum": 1,
        "maximum": 200,
        "default": 16,
        "title": "Pages in flight",
        "description": "How many pages are asked for ahead, and so held in memory. Rate times latency is enough: "
        "45 requests/s at 0.3 s are 14.",
    },
    "lookback_seconds": {
        "type": "number",
        "minimum": 0,
        "maximum": 31_536_000,
        "default": 60,
        "title": "Lookback",
        "description": "How far behind the bookmark an incremental run reads again, in seconds, for rows that "
        "FieldPulse stamped earlier than it showed them.",
    },
    "completeness": {
        "type": "string",
        "enum": ["warn", "fail", "off"],
        "default": "warn",
        "title": "Completeness",
        "description": "What happens when fewer rows were read than the server counts, after reading again: "
        "`warn` says so, `fail` ends the run with status 1, also where nothing could be proved, `off` reads once and "
        "proves nothing. The bookmark of a stream that is not proved complete is not moved, unless `off`.",
    },
}


class TapFieldPulse(Plugin, Tap):
    """Singer tap for FieldPulse, a field-service platform."""

    name = "tap-fieldpulse"
    package_name = "singer-fieldpulse"
    config_jsonschema: ClassVar[dict[str, Any]] = {
        "type": "object",
        "properties": {**SHARED_SETTINGS, **TAP_SETTINGS},
        "required": ["api_key"],
    }
    # BATCH passes by deselection and stream maps; ACTIVATE_VERSION promises deletes that nobody makes.
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

    def load_state(self, state: dict[str, Any]) -> None:
        """Take the state of the run before. Raises: BadSetting for what is no state of a tap."""
        bookmarks = state.get("bookmarks", None if state else {}) if isinstance(state, dict) else None
        if not isinstance(bookmarks, dict) or not all(isinstance(one, dict) for one in bookmarks.values()):
            raise BadSetting(
                "The state is not the state of a Singer tap.",
                where="--state",
                do="give what the last run emitted, or none to start anew",
            )
        super().load_state(state)

    def discover_streams(self) -> list[FieldPulseStream]:
        """Return a stream for every resource; no request is needed."""
        return [FieldPulseStream(self, resource) for resource in RESOURCES]

    @cached_property
    def client(self) -> Client:
        """Return the one client of this run."""
        return Client(ApiSettings.read(self.config))

    @cached_property
    def reading(self) -> Reading:
        """Return how lists are read."""
        return Reading(
            page_size=self.config["page_size"],
            pages_in_flight=self.config["pages_in_flight"],
            prove=self.config["completeness"] != "off",
            zone=self.zone,
        )

    @cached_property
    def zone(self) -> tzinfo:
        """Return the zone of times that come without one."""
        return zone_of(self.config)
