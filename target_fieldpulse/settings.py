"""The settings that are the target's own."""

from __future__ import annotations

from typing import Any

from target_fieldpulse.planning.write_policy import CREATABLE, MODES

TARGET_SETTINGS: dict[str, dict[str, Any]] = {
    "ledger_url": {
        "type": "string",
        "default": "sqlite:///.fieldpulse/ledger.db",
        "title": "Ledger",
        "description": "Where it is kept what was written, as an SQLAlchemy URL: SQLite, or PostgreSQL with the "
        "extra `postgres`. Losing it means that records without a match are created again.",
    },
    "rejects_path": {
        "type": "string",
        "default": ".fieldpulse/rejects.singer",
        "title": "Rejects",
        "description": "The file to which rejected and uncertain records are appended, with their reasons. Move it "
        "away before you replay it.",
    },
    "on_reject": {
        "type": "string",
        "enum": ["fail", "ignore"],
        "default": "fail",
        "title": "On reject",
        "description": "Whether rejected records make the exit status 1 at the end of the run, or 0.",
    },
    "unknown_streams": {
        "type": "string",
        "enum": ["fail", "discard"],
        "default": "fail",
        "title": "Unknown streams",
        "description": "What to do with a stream that FieldPulse does not have. One that it has and does not let be "
        "written is always refused.",
    },
    "dry_run": {
        "type": "boolean",
        "default": False,
        "title": "Dry run",
        "description": "Read and look up, but write nothing, and say what would be done. Emits no state.",
    },
    "uncertain_create_timeout_seconds": {
        "type": "number",
        "minimum": 0,
        "maximum": 3600,
        "default": 30,
        "title": "Settle time",
        "description": "How long after it was sent a create whose answer was lost may still be carried out. "
        "FieldPulse's gateway gives up at about 29 seconds (assumed).",
    },
    "match": {
        "type": "object",
        "additionalProperties": {
            "type": "array",
            "items": {"type": "array", "items": {"type": "string"}, "minItems": 1},
        },
        "default": {},
        "title": "Match",
        "description": "By stream: sets of fields by which a row that exists already is found, tried in order, for "
        "records that the ledger does not know. One row is updated, several reject the record, none creates one. "
        "`[]` matches nothing.",
    },
    "external_id_fields": {
        "type": "object",
        "additionalProperties": {"type": "string", "minLength": 1},
        "default": {},
        "title": "External id fields",
        "description": "By stream: the custom field for text (of items: `external_id`) in which FieldPulse keeps "
        "`external_id`. It is written on create and on the first match, goes before `match`, and makes creates in "
        "doubt certain.",
    },
    "write_mode": {
        "type": ["object", "string"],
        "default": {},
        "title": "Write mode",
        "description": f"{', '.join(f'`{mode}`' for mode in MODES)}, the first by default: for all streams, or by "
        "stream, `*` being the others. What a mode leaves out counts as skipped.",
    },
    "create_missing_references": {
        "type": "array",
        "items": {"type": "string", "enum": list(CREATABLE)},
        "default": [],
        "title": "Create missing",
        "description": "Streams whose rows are created where a record names one that is not there.",
    },
    "null_policy": {
        "type": "string",
        "enum": ["ignore", "clear"],
        "default": "ignore",
        "title": "Null policy",
        "description": "Whether a null leaves a field as it is, or clears it. What clears a field is found out: null, "
        "or the empty text; where FieldPulse does neither, the record is rejected.",
    },
    "fill_empty_only": {
        "type": "boolean",
        "default": False,
        "title": "Fill only",
        "description": "Write only fields that are empty in FieldPulse; each row is read first.",
    },
    "hard_delete": {
        "type": "boolean",
        "default": False,
        "title": "Hard delete",
        "description": "Whether a record with `_sdc_deleted_at` or `deleted_at` deletes its row. Without it such a "
        "record is skipped. Only a row that has an `id`, that this target wrote, or that keeps the key is ever "
        "deleted.",
    },
    "phone_region": {
        "type": "string",
        "default": "US",
        "title": "Phone region",
        "description": "The country of phone numbers that come without a code, as an ISO 3166 code.",
    },
    "max_creates": {
        "type": ["string", "integer", "null"],
        "title": "Most creates",
        "description": "Guard: how many rows of a stream a run may create, as a number or a percentage of those that "
        "the ledger knows, like `5%`. Guards hold the input back, up to 20,000 records, and stop the run before its "
        "first write.",
    },
    "max_updates": {
        "type": ["string", "integer", "null"],
        "title": "Most updates",
        "description": "Guard: how many rows of a stream a run may update.",
    },
    "max_deletes": {
        "type": ["string", "integer", "null"],
        "title": "Most deletes",
        "description": "Guard: how many rows of a stream a run may delete.",
    },
    "plan_path": {
        "type": "string",
        "title": "Plan",
        "description": "With `dry_run`: the file to which the plan is written as JSON lines, old and new value of each "
        "field. It holds what the records hold.",
    },
    "report_path": {
        "type": "string",
        "title": "Report",
        "description": "The file to which a summary of the run is written as JSON.",
    },
    "audit_days": {
        "type": "integer",
        "minimum": 1,
        "default": 90,
        "title": "Audit days",
        "description": "How long the audit table beside the ledger keeps what was done for each record.",
    },
}
