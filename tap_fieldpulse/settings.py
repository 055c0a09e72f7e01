"""The tap's own settings: their JSON Schema, which is also their documentation, and their typed form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone, tzinfo
from pathlib import Path
from typing import Any, Literal

from typing_extensions import Self, override

from fieldpulse_api.errors import ConfigError
from fieldpulse_api.reading.pages import ReadOptions
from fieldpulse_api.resources.catalogue import BY_NAME
from fieldpulse_api.resources.model import Operation
from fieldpulse_api.values.scalars import ConversionError, to_utc
from fieldpulse_plugin.settings import PluginSettings, zone_of
from fieldpulse_plugin.stores.defaults import folder_of_run, url_in
from fieldpulse_plugin.stores.private_files import check_distinct
from fieldpulse_plugin.stores.urls import files_of_store

_MAX_LISTS_AHEAD = 8
MAX_CLOCK_SKEW = timedelta(days=1)
"""Two clocks are assumed to differ by less."""
DEFAULT_EVENT_STREAMS = ("customers", "estimates", "invoices", "jobs")
"""Streams whose changes `change_events` always reports."""

_DETAIL_STREAMS = [resource.name for resource in BY_NAME.values() if Operation.GET in resource.operations]
_FILTERED_STREAMS = [resource.name for resource in BY_NAME.values() if resource.filters]
_FILTER_VALUE = {"type": ["string", "integer"]}


def _filter_properties(stream: str) -> dict[str, Any]:
    value = {"anyOf": [_FILTER_VALUE, {"type": "array", "items": _FILTER_VALUE}]}
    return {row_filter.name: value for row_filter in BY_NAME[stream].filters}


TAP_SETTINGS: dict[str, dict[str, Any]] = {
    "start_date": {
        "type": ["string", "null"],
        "format": "date-time",
        "title": "Start date",
        "description": "Incremental streams skip rows that last changed before this time. Without it, the first run "
        "reads all rows.",
    },
    "page_size": {
        "type": "integer",
        "minimum": 1,
        "maximum": 100,
        "default": 100,
        "title": "Page size",
        "description": "Rows per page. FieldPulse documents a maximum of 100. Heavy rows come in smaller parts.",
    },
    "pages_in_flight": {
        "type": "integer",
        "minimum": 1,
        "maximum": 200,
        "default": 16,
        "title": "Pages in flight",
        "description": "Maximum number of pages of a list that are requested ahead and held in memory. Request rate "
        "times latency is enough: 45 requests/s at 0.3 s need 14. Half as many of the next lists, at most 8, are begun "
        "before their turn; 1 reads them in order.",
    },
    "lookback_seconds": {
        "type": "number",
        "minimum": 0,
        "maximum": 31_536_000,
        "default": 60,
        "title": "Lookback seconds",
        "description": "How far before the bookmark an incremental run starts to read, in seconds. This finds rows "
        "that appeared in the list later than their `updated_at` says.",
    },
    "completeness": {
        "type": "string",
        "enum": ["warn", "fail", "off"],
        "default": "warn",
        "title": "Completeness",
        "description": "What to do if a list is still incomplete after re-reading. `warn`: log it and keep the old "
        "bookmark. `fail`: exit with status 1, also if completeness cannot be determined. `off`: read once, without a "
        "check, and move the bookmark.",
    },
    "custom_fields": {
        "type": "string",
        "enum": ["typed", "raw"],
        "default": "typed",
        "title": "Custom fields",
        "description": "`typed`: add an object `custom_fields` with one typed property per custom field of the "
        "account, beside the raw values. `raw`: emit the raw values only.",
    },
    "add_labels": {
        "type": "boolean",
        "default": False,
        "title": "Add labels",
        "description": "Add the label of each code as a property of its own, such as `status_label`.",
    },
    "decimals_as_numbers": {
        "type": "boolean",
        "default": False,
        "title": "Decimals as numbers",
        "description": "Emit money, quantities and rates as JSON numbers, not as exact text of the format "
        "`x-singer.decimal`. For loaders that do not know this format and store text.",
    },
    "detail_streams": {
        "type": "array",
        "items": {"type": "string", "enum": _DETAIL_STREAMS},
        "default": [],
        "title": "Detail streams",
        "description": "Streams whose emitted rows are also read by id, because that response has more columns than "
        "the list. Each row costs one request.",
    },
    "filters": {
        "type": "object",
        "properties": {
            stream: {"type": "object", "properties": _filter_properties(stream)} for stream in _FILTERED_STREAMS
        },
        "additionalProperties": {"type": "object"},
        "default": {},
        "title": "Filters",
        "description": "Which rows to emit, by stream and filter. A filter takes one or several names or ids. The tap "
        "sends filters to the server and checks the rows itself. If the filters of a stream change, it is read from "
        "the start.",
    },
    "detect_deletes": {
        "type": "boolean",
        "default": False,
        "title": "Detect deletes",
        "description": "Read every list in full in every run. If a row of an earlier run is missing and `GET` by id "
        "returns 404, emit its stream and id in the stream `deleted_rows`.",
    },
    "delete_records": {
        "type": "boolean",
        "default": False,
        "title": "Delete records",
        "description": "Also emit a record in the deleted row's own stream, with only its key, `deleted_at` and "
        "`_sdc_deleted_at`, for loaders that remove rows by `_sdc_deleted_at`. Others write nulls into the row.",
    },
    "max_delete_percent": {
        "type": "number",
        "minimum": 0,
        "maximum": 100,
        "default": 20,
        "title": "Max delete percent",
        "description": "Safety limit of `detect_deletes`. If more than this share of a stream's known rows was "
        "deleted, report none of them and exit with status 4 at the end of the run.",
    },
    "change_event_streams": {
        "type": "array",
        "items": {"type": "string", "enum": sorted(set(BY_NAME) - set(DEFAULT_EVENT_STREAMS))},
        "default": [],
        "title": "Change event streams",
        "description": "Streams whose changes the stream `change_events` reports, in addition to "
        f"{', '.join(DEFAULT_EVENT_STREAMS)}.",
    },
    "event_timezone": {
        "type": ["string", "null"],
        "title": "Event timezone",
        "description": "Zone of `local_times` in change events, such as America/Chicago. Without it, they are null.",
    },
    "snapshot_url": {
        "type": "string",
        "writeOnly": True,  # a URL may hold a password
        "title": "Snapshot URL",
        "description": "Database for what earlier runs saw: the ids of rows (`detect_deletes`), their contents "
        "(`change_events`) and webhook deliveries. An SQLAlchemy URL of SQLite, or of PostgreSQL with the extra "
        "`postgres`. Default: `sqlite:///.fieldpulse/snapshot.db`; under Meltano, each pipeline and environment has a "
        "folder of its own in `.fieldpulse/`.",
    },
    "report_path": {
        "type": "string",
        "pattern": r"\.html$",
        "title": "Page of the runs",
        "description": "The file, ending in `.html`, to which each run writes the page of `fieldpulse report` (extra "
        "`report`).",
    },
    "on_lost_snapshot": {
        "type": "string",
        "enum": ["fail", "warn"],
        "default": "fail",
        "title": "On lost snapshot",
        "description": "What to do if the state names a snapshot that is not in the database. `fail`: exit with status "
        "2. `warn`: log it and begin a new snapshot.",
    },
    "skip_written_by": {
        "type": ["string", "null"],
        "writeOnly": True,  # a URL may hold a password
        "title": "Skip written by",
        "description": "The `ledger_url` of a target that writes to the same account. Rows that are as that target "
        "left them are not emitted, nor are their change events and deletes. Makes a two-way sync settle.",
    },
    "webhook_token": {
        "type": "string",
        "secret": True,
        "pattern": "^[A-Za-z0-9_-]{32,}$",
        "title": "Webhook token",
        "description": "Secret path at which `fieldpulse webhooks` accepts deliveries: at least 32 letters, digits, "
        "`-` or `_`. With a token, the tap reads the stored deliveries.",
    },
    "webhook_secret": {
        "type": "string",
        "secret": True,
        "minLength": 1,
        "title": "Webhook secret",
        "description": "Secret with which FieldPulse signs webhooks (`X-Encrypted-Data`), if FieldPulse's support "
        "issued one. With it, `fieldpulse webhooks` rejects unsigned deliveries.",
    },
    "push_secret": {
        "type": "string",
        "secret": True,
        "pattern": "^whsec_[A-Za-z0-9+/]{32,86}={0,2}$",
        "title": "Push secret",
        "description": "Secret with which `fieldpulse events --post` and `fieldpulse webhooks --forward` sign what "
        "they send: `whsec_` and 24 to 64 bytes in base64.",
    },
    "contacts_full_refresh_days": {
        "type": "number",
        "minimum": 0,
        "maximum": 36500,
        "default": 7,
        "title": "Contacts full refresh days",
        "description": "How often `customer_contacts` reads the contacts of all customers, in days. In between, it "
        "reads those of customers that changed since the last run.",
    },
    "sample_on_discovery": {
        "type": "boolean",
        "default": False,
        "title": "Sample on discovery",
        "description": "Read one page of each stream during discovery, and add columns that the catalog lacks, with "
        "types inferred from that page.",
    },
}


@dataclass(frozen=True, kw_only=True)
class TapSettings(PluginSettings):
    """The tap's settings, parsed once. Fields are named like the settings; `start_date` is an aware UTC time."""

    start_date: datetime | None
    page_size: int
    pages_in_flight: int
    lookback_seconds: float
    completeness: Literal["warn", "fail", "off"]
    custom_fields: Literal["typed", "raw"]
    add_labels: bool
    decimals_as_numbers: bool
    detail_streams: Sequence[str]
    filters: Mapping[str, Mapping[str, Any]]
    detect_deletes: bool
    delete_records: bool
    max_delete_percent: float
    change_event_streams: Sequence[str]
    event_timezone: str | None
    snapshot_url: str
    report_path: Path | None
    on_lost_snapshot: Literal["fail", "warn"]
    skip_written_by: str | None
    webhook_token: str | None
    contacts_full_refresh_days: float
    sample_on_discovery: bool
    flattening_enabled: bool | None  # a setting of the SDK, as the next
    flattening_max_depth: int | None

    @classmethod
    @override
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        """Return the settings of a validated configuration with its defaults filled in. Raises: ConfigError."""
        settings = super().from_config(config)
        start_date = parse_time(settings.start_date, "setting start_date")
        if start_date and start_date - datetime.now(timezone.utc) > MAX_CLOCK_SKEW:
            raise ConfigError(
                "The start date is in the future; changes until then would be skipped.",
                where="setting start_date",
                hint="correct the setting",
            )
        path = Path(settings.report_path) if settings.report_path else None
        key_path = settings.client.api_key.path if settings.client else None
        snapshot_url = settings.snapshot_url or url_in(folder_of_run("snapshot"), "snapshot")
        files = files_of_store("snapshot", snapshot_url)
        check_distinct({"api_key_file": key_path, **files, "report_path": path})
        result = replace(settings, start_date=start_date, report_path=path, snapshot_url=snapshot_url)
        _ = result.event_zone  # raises for an unknown zone
        return result

    @property
    def event_streams(self) -> list[str]:
        """Return the streams whose changes `change_events` reports."""
        return sorted({*DEFAULT_EVENT_STREAMS, *self.change_event_streams})

    @property
    def event_zone(self) -> tzinfo | None:
        """Return the zone of local times in change events."""
        return zone_of(self.event_timezone, "event_timezone") if self.event_timezone else None

    @property
    def flattening_depth(self) -> int:
        """Return how many levels of objects become columns; 0 without flattening."""
        return (self.flattening_max_depth or 0) if self.flattening_enabled else 0

    @property
    def lists_ahead(self) -> int:
        """Return how many lists are begun before the turn of their stream; each holds few pages."""
        return min(_MAX_LISTS_AHEAD, self.pages_in_flight // 2)

    @property
    def read_options(self) -> ReadOptions:
        """Return how lists are read."""
        return ReadOptions(
            page_size=self.page_size,
            pages_in_flight=self.pages_in_flight,
            check_completeness=self.completeness != "off",
            zone=self.zone,
        )


def parse_time(value: object, where: str) -> datetime | None:
    """Return the aware UTC time that a setting or a state gives; None for null and ''.

    Raises: ConfigError.
    """
    if value is None or value == "":
        return None
    error = ConfigError("The time is not in ISO 8601 form.", where=where, hint="write it like 2026-01-31T00:00:00Z")
    if not isinstance(value, str):
        raise error
    try:
        return to_utc(value, timezone.utc)
    except ConversionError:
        raise error from None
