"""The settings that are the tap's own."""

from __future__ import annotations

from typing import Any

from fieldpulse_api.resources.catalogue import BY_NAME
from fieldpulse_api.resources.model import Operation
from tap_fieldpulse.changes.change_event import DEFAULT_EVENT_STREAMS

_WITH_DETAILS = [one.name for one in BY_NAME.values() if Operation.GET in one.operations]
_FILTERED = [one.name for one in BY_NAME.values() if one.filters]
_VALUE = {"type": ["string", "integer"]}


def _filters_of(name: str) -> dict[str, Any]:
    return {one.name: {"anyOf": [_VALUE, {"type": "array", "items": _VALUE}]} for one in BY_NAME[name].filters}


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
    "custom_fields": {
        "type": "string",
        "enum": ["typed", "raw"],
        "default": "typed",
        "title": "Custom fields",
        "description": "`typed`: records with custom field values get an object `custom_fields`, with a typed property "
        "for each field that the account defines, beside the values as they came. `raw`: only those.",
    },
    "add_labels": {
        "type": "boolean",
        "default": False,
        "title": "Add labels",
        "description": "Put the label of each code beside it: `status_label` and so on.",
    },
    "detail_streams": {
        "type": "array",
        "items": {"type": "string", "enum": _WITH_DETAILS},
        "default": [],
        "title": "Detail streams",
        "description": "The streams whose emitted rows are also read by id, one request each, since that shows more "
        "than the list: `jobs`, `estimates`, `customers` …",
    },
    "filters": {
        "type": "object",
        "properties": {name: {"type": "object", "properties": _filters_of(name)} for name in _FILTERED},
        "additionalProperties": {"type": "object"},
        "default": {},
        "title": "Filters",
        "description": "By stream, which rows are wanted, by names or ids, one or several for each filter. They are "
        "sent to the server and applied here too. A changed filter reads its stream in full again.",
    },
    "detect_deletes": {
        "type": "boolean",
        "default": False,
        "title": "Detect deletes",
        "description": "Every run reads the lists whole, and for a row that earlier runs knew, that is "
        "missing and that FieldPulse answers with 404, emits a record with its key and `deleted_at`: when that was "
        "seen.",
    },
    "max_delete_percent": {
        "type": "number",
        "minimum": 0,
        "maximum": 100,
        "default": 20,
        "title": "Most deletes",
        "description": "If more than this share of a stream's known rows is gone, none of them is reported as "
        "deleted, and the run ends with status 4.",
    },
    "change_event_streams": {
        "type": "array",
        "items": {"type": "string", "enum": sorted(set(BY_NAME) - set(DEFAULT_EVENT_STREAMS))},
        "default": [],
        "title": "Change events for",
        "description": "The streams whose changes the stream `change_events` reports besides those of "
        f"{', '.join(DEFAULT_EVENT_STREAMS)}.",
    },
    "snapshot_url": {
        "type": "string",
        "default": "sqlite:///.fieldpulse/snapshot.db",
        "title": "Snapshot",
        "description": "Where it is kept which rows are known (for `detect_deletes`) and what was in them (for "
        "`change_events`), and deliveries of webhooks, as an SQLAlchemy URL: SQLite, or PostgreSQL with the extra "
        "`postgres`. Used only by these three; one for each pipeline and environment.",
    },
    "webhook_token": {
        "type": "string",
        "secret": True,
        "pattern": "^[A-Za-z0-9_-]{32,}$",
        "title": "Webhook token",
        "description": "The secret path at which `fieldpulse webhooks` takes deliveries: 32 or more letters, digits, "
        "`-` and `_`. Where it is set, the tap reads what was received.",
    },
    "webhook_secret": {
        "type": "string",
        "secret": True,
        "minLength": 1,
        "title": "Webhook secret",
        "description": "The secret with which FieldPulse signs webhooks (`X-Encrypted-Data`), if support gave you one. "
        "Where it is set, `fieldpulse webhooks` refuses deliveries that are not signed.",
    },
    "contacts_full_refresh_days": {
        "type": "number",
        "minimum": 0,
        "maximum": 36500,
        "default": 7,
        "title": "All children every",
        "description": "How often `customer_contacts` asks every customer, in days. In between, only customers that "
        "changed since the run before are asked.",
    },
    "sample_on_discovery": {
        "type": "boolean",
        "default": False,
        "title": "Sample while discovering",
        "description": "Read a page of each stream while discovering, and add to the catalog what our own does not "
        "know, typed by what was seen.",
    },
}
