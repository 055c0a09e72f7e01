"""The target's own settings: their JSON Schema, and their typed form, which is parsed once."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import tzinfo
from pathlib import Path
from typing import Any, Literal

from typing_extensions import Self, override

from fieldpulse_api.errors import ConfigError
from fieldpulse_api.http.settings import ClientSettings
from fieldpulse_plugin.settings import SHARED_SETTINGS, PluginSettings, zone_of
from fieldpulse_plugin.stores.defaults import FOLDER, folder_for_command, url_in
from fieldpulse_plugin.stores.private_files import is_special
from fieldpulse_plugin.stores.urls import files_of_store
from target_fieldpulse.planning.plan import PlanAction
from target_fieldpulse.planning.safety_limits import Limit, limits_from_config
from target_fieldpulse.planning.write_policy import CREATABLE, MODES, WritePolicy

OnReject = Literal["fail", "fail_once", "ignore"]
TARGET_SETTINGS: dict[str, dict[str, Any]] = {
    "ledger_url": {
        "type": "string",
        "writeOnly": True,  # a URL may hold a password
        "title": "Ledger URL",
        "description": "Where the target stores what it has written, as an SQLAlchemy URL: SQLite, or PostgreSQL with "
        "the extra `postgres`. If the ledger is lost, records that match no row are created again. Default: "
        "`sqlite:///.fieldpulse/ledger.db`; under Meltano, each loader and environment has a folder of its own in "
        "`.fieldpulse/`.",
    },
    "rejects_path": {
        "type": "string",
        "title": "Rejects file",
        "description": "The file to which rejected and uncertain records are appended, each with its reason. Move the "
        "file away before you replay it. A dry run writes those that it would reject into a file beside it, with "
        "`.dry-run` in its name, and replaces that file. Default: `rejects.singer` in the folder of the ledger.",
    },
    "on_reject": {
        "type": "string",
        "enum": ["fail", "fail_once", "ignore"],
        "default": "fail",
        "title": "On reject",
        "description": "`fail`: the run ends with exit status 1 if records were rejected. `fail_once`: only if they did"
        " not fail with the same content and reason before; later runs list them as open. `ignore`: it ends with 0.",
    },
    "unknown_streams": {
        "type": "string",
        "enum": ["fail", "discard"],
        "default": "fail",
        "title": "Unknown streams",
        "description": "`fail` or `discard` a stream that FieldPulse does not have. A stream that is read-only in "
        "FieldPulse always fails.",
    },
    "dry_run": {
        "type": "boolean",
        "default": False,
        "title": "Dry run",
        "description": "Read and plan, write nothing to FieldPulse, and show what would be written. Emits no state.",
    },
    "uncertain_create_timeout_seconds": {
        "type": "number",
        "minimum": 0,
        "maximum": 3600,
        "default": 30,
        "title": "Uncertain create timeout",
        "description": "How long FieldPulse may still apply a create whose response was lost, counted from the "
        "request. Its gateway gives up after about 29 seconds (inferred).",
    },
    "match": {
        "type": "object",
        "additionalProperties": {
            "type": "array",
            "items": {"type": "array", "items": {"type": "string"}, "minItems": 1},
        },
        "default": {},
        "title": "Match sets",
        "description": "By stream: sets of fields that find an existing row for a record that the ledger does not "
        "know. The sets are tried in order. One row is updated, several reject the record, none creates a row. "
        "`[]` never matches.",
    },
    "shared_rows": {
        "type": "string",
        "enum": ["reject", "allow"],
        "default": "reject",
        "title": "Shared rows",
        "description": "What happens to a record that matches a row of another `external_id`, such as a customer with "
        "the e-mail address of a relative. `reject`: the record is rejected with both keys. `allow`: both write the "
        "row, and the last change wins. The same holds for two input streams that are mapped to one stream with the "
        "same key.",
    },
    "trust_ids": {
        "type": "boolean",
        "default": False,
        "title": "Trust ids",
        "description": "The `id` of a record with an `external_id` is the FieldPulse id. Without this setting, such a "
        "record is written only if the ledger has this row for its key, or if it has the `company_id` of the account: "
        "most sources have an `id` of their own.",
    },
    "external_id_fields": {
        "type": "object",
        "additionalProperties": {"type": "string", "minLength": 1},
        "default": {},
        "title": "External id fields",
        "description": "By stream: the custom text field (for items: `external_id`) in which FieldPulse keeps "
        "`external_id`. It is written on create and on the first match, is tried before `match`, and "
        "identifies the row of an uncertain create.",
    },
    "write_mode": {
        "type": ["object", "string"],
        "default": {},
        "title": "Write mode",
        "description": f"What may be written: {', '.join(f'`{mode}`' for mode in MODES)}. One mode for all streams, or "
        "one by stream, with `*` for the others; `upsert` by default. Records that the mode excludes are skipped.",
    },
    "create_missing_references": {
        "type": "array",
        "items": {"type": "string", "enum": list(CREATABLE)},
        "default": [],
        "title": "Create missing references",
        "description": "Streams whose rows are created if a record refers to a name that does not exist.",
    },
    "timezone": {
        "type": "string",
        "default": "UTC",
        "title": "Time zone of records",
        "description": "The time zone of times without one in records, as an IANA name like `America/Chicago`. A day "
        "that is sent as a time is midnight there.",
    },
    "api_timezone": {
        "type": "string",
        "default": "UTC",
        "title": "Time zone of the API",
        "description": SHARED_SETTINGS["timezone"]["description"],
    },
    "null_policy": {
        "type": "string",
        "enum": ["ignore", "clear"],
        "default": "ignore",
        "title": "Null policy",
        "description": "What a null does, and an empty text, which counts as null. `ignore`: it leaves its field as it "
        "is. `clear`: it clears the field. Whether FieldPulse "
        "clears a field by null or by empty text is tested once per field and run; if neither works, the record"
        " is rejected.",
    },
    "invalid_fields": {
        "type": "string",
        "enum": ["reject", "drop"],
        "default": "reject",
        "title": "Invalid fields",
        "description": "`reject`: a value that its field cannot hold rejects the record. `drop`: the value is left "
        "out, counted and named in the log, and the rest of the record is written. Required fields, references, lists, "
        "amounts, and fields that a new row is matched by still reject.",
    },
    "fill_empty_only": {
        "type": "boolean",
        "default": False,
        "title": "Fill empty fields only",
        "description": "Write only fields that are empty in FieldPulse. Each row is read first.",
    },
    "hard_delete": {
        "type": "boolean",
        "default": False,
        "title": "Hard delete",
        "description": "Delete the row of a record with `_sdc_deleted_at` or `deleted_at`. Without this setting such "
        "records are skipped. Only rows with an `id`, rows that this target wrote, and rows that store "
        "the `external_id` are deleted.",
    },
    "phone_region": {
        "type": "string",
        "default": "US",
        "title": "Phone region",
        "description": "The country of phone numbers without a country code, as an ISO 3166 code.",
    },
    "max_creates": {
        "type": ["string", "integer", "null"],
        "title": "Maximum creates",
        "description": "Safety limit: how many rows of a stream a run may create, as a number, or as a percentage of "
        "the rows in the ledger, like `5%`. Safety limits hold back up to 20,000 records of input, and stop "
        "the run before its first write.",
    },
    "max_updates": {
        "type": ["string", "integer", "null"],
        "title": "Maximum updates",
        "description": "Safety limit: how many rows of a stream a run may update, as a number or a percentage.",
    },
    "max_deletes": {
        "type": ["string", "integer", "null"],
        "title": "Maximum deletes",
        "description": "Safety limit: how many rows of a stream a run may delete, as a number or a percentage.",
    },
    "max_failed": {
        "type": "integer",
        "minimum": 0,
        "maximum": 99,
        "default": 10,
        "title": "Maximum failed",
        "description": "For how many of the last 100 records FieldPulse may fail (HTTP 5xx after all retries). One more"
        " ends the run. Such records are put into the rejects file, once another record was written.",
    },
    "plan_path": {
        "type": "string",
        "title": "Plan file",
        "description": "With `dry_run`: the file to which the plan is written as JSON lines, with the old and the new "
        "value of each field, also in words. It holds values of your records.",
    },
    "report_path": {
        "type": "string",
        "title": "Report file",
        "description": "The file to which a summary of the run is written as JSON. If its name ends in `.html`, the "
        "page of `fieldpulse report` is written there instead (extra `report`).",
    },
    "audit_days": {
        "type": "integer",
        "minimum": 1,
        "default": 90,
        "title": "Audit days",
        "description": "How many days the audit table in the ledger's database keeps what was done for each record.",
    },
}


@dataclass(frozen=True, kw_only=True)
class TargetSettings(PluginSettings):
    """All settings of a target, typed.

    `limits` are those of `max_creates`, `max_updates` and `max_deletes`. `record_zone` is the setting `timezone`, and
    `zone` the setting `api_timezone`.
    """

    policy: WritePolicy
    limits: Mapping[PlanAction, Limit]
    record_zone: tzinfo
    phone_region: str
    ledger_url: str
    rejects_path: Path
    plan_path: Path | None
    report_path: Path | None
    on_reject: OnReject
    discard_unknown_streams: bool
    dry_run: bool
    uncertain_create_timeout_seconds: float
    audit_days: int
    max_failed: int

    @classmethod
    @override
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        """Return the settings of a validated configuration with its defaults filled in. Raises: ConfigError."""
        api_zone = config["api_timezone"]
        zone_of(api_zone, "api_timezone")
        shared = PluginSettings.from_config({**config, "timezone": api_zone})
        return cls(
            client=shared.client,
            zone=shared.zone,
            record_zone=zone_of(config["timezone"], "timezone"),
            profile=shared.profile,
            history_days=shared.history_days,
            policy=WritePolicy.from_config(config),
            limits=limits_from_config(config),
            phone_region=config["phone_region"],
            ledger_url=ledger_url_of(config),
            rejects_path=rejects_path_of(config),
            plan_path=_optional_path(config.get("plan_path")),
            report_path=_optional_path(config.get("report_path")),
            on_reject=config["on_reject"],
            discard_unknown_streams=config["unknown_streams"] == "discard",
            dry_run=config["dry_run"],
            uncertain_create_timeout_seconds=config["uncertain_create_timeout_seconds"],
            audit_days=config["audit_days"],
            max_failed=config["max_failed"],
        )

    @property
    def rejects_path_of_run(self) -> Path:
        """Return the rejects file that this run writes: a dry run has its own, beside that of real runs.

        If that one is a device or a pipe, a dry run stores no rejects.
        """
        path = self.rejects_path
        if not self.dry_run:
            return path
        return Path(os.devnull) if is_special(path) else path.with_name(f"{path.stem}.dry-run{path.suffix}")

    @property
    def writes_page(self) -> bool:
        """Return whether `report_path` names a page for people, and not JSON."""
        return self.report_path is not None and self.report_path.suffix == ".html"

    @property
    def files(self) -> dict[str, Path | None]:
        """Return the files that the settings name, by setting."""
        return {
            "api_key_file": self.client_settings.api_key.path,
            **files_of_store("ledger", self.ledger_url),
            "rejects_path": self.rejects_path,
            **({"rejects_path with dry_run": self.rejects_path_of_run} if self.dry_run else {}),
            "plan_path": self.plan_path,
            "report_path": self.report_path,
        }

    @property
    def client_settings(self) -> ClientSettings:
        """Return the client settings. The plugin refuses to start a target without an API key."""
        if self.client is None:
            raise RuntimeError
        return self.client


def ledger_url_of(config: Mapping[str, Any]) -> str:
    """Return where the ledger is. Raises: ConfigError if no setting says it, and there are several."""
    return str(config.get("ledger_url") or url_in(folder_for_command("ledger"), "ledger"))


def rejects_path_of(config: Mapping[str, Any]) -> Path:
    """Return the rejects file: by default where the ledger is by default. Raises: as `ledger_url_of`."""
    if path := config.get("rejects_path"):
        return Path(path)
    try:
        folder = folder_for_command("ledger")
    except ConfigError:
        if not config.get("ledger_url"):
            raise
        folder = FOLDER
    return folder / "rejects.singer"


def _optional_path(value: str | None) -> Path | None:
    return Path(value) if value else None
