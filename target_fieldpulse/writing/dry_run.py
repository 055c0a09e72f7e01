"""Dry runs: an executor that shows what each plan would change, field by field, and what it would cost."""

from __future__ import annotations

import logging
import os
import threading
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fieldpulse_api.resources.write_model import Field, FieldType
from fieldpulse_api.values.strict_json import encode
from fieldpulse_api.values.text import PERSONAL_COLUMN
from fieldpulse_plugin.private_files import open_private, write_whole
from target_fieldpulse.planning.plan import Body, Plan, PlanAction, RowToCreate, differing_fields
from target_fieldpulse.planning.planned_state import PlannedState
from target_fieldpulse.records.columns import Column
from target_fieldpulse.records.custom_fields import DEFINITION, CustomFieldWriter
from target_fieldpulse.records.custom_fields import FIELD as VALUES
from target_fieldpulse.records.field_codec import describe
from target_fieldpulse.reporting.outcomes import Outcome, WriteResult

from .services import WriteServices, row_path
from .update import RowUpdater

_LOGGER = logging.getLogger(__name__)
_PRINTABLE_TYPES = (
    FieldType.INTEGER,
    FieldType.DECIMAL,
    FieldType.BOOLEAN,
    FieldType.TIME,
    FieldType.TEXT_TIME,
    FieldType.DATE,
    FieldType.OBJECT_TYPE,
)
_OUTCOMES: Mapping[PlanAction, Outcome] = {
    "create": "created",
    "resume_create": "created",
    "update": "updated",
    "delete": "deleted",
    "unchanged": "unchanged",
    "skip": "skipped",
    "superseded": "superseded",
}


class DryRun:
    """Show plans instead of carrying them out. May be used by many threads.

    The log shows values of numbers, times and codes only. The file at `path` holds all values.
    """

    def __init__(
        self,
        services: WriteServices,
        planned_state: PlannedState,
        updater: RowUpdater,
        custom_fields: CustomFieldWriter,
        *,
        path: Path | None,
    ) -> None:
        self._services, self._planned_state = services, planned_state
        self._updater, self._custom_fields = updater, custom_fields
        self._row_reads = 0
        self._totals: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._path = path
        self._file = open_private(path, "plan_path", appends=False) if path else -1

    def execute(self, plan: Plan) -> WriteResult:
        """Show what a plan would do, and return the outcome that it would have."""
        key = plan.ledger_key
        if plan.action == "skip":
            _LOGGER.info("dry run: %s %s is skipped: %s", key.stream, key.redacted, plan.reason)
        if not plan.writes:
            return WriteResult(_OUTCOMES[plan.action], plan.row_id)
        for row_to_create in plan.rows_to_create:
            self._show_missing(row_to_create)
        row = self._current_row(plan)
        body = self._updater.fields_to_send(plan, row) if plan.action == "update" else plan.body
        row_id = self._planned_state.apply(plan)
        if plan.action == "update" and not body and not plan.actions:
            return WriteResult("unchanged", plan.row_id)
        self._show(plan, row_id, self._changes(plan, body, row), self._request_count(plan, body))
        return WriteResult(_OUTCOMES[plan.action], plan.row_id, plan.changed)

    def close(self) -> None:
        """Log the totals, and close the file."""
        requests = self._totals.pop("requests", 0)
        look_ups = self._services.client.request_count - self._row_reads
        seconds = (requests + look_ups) / self._services.client.settings.requests_per_second
        actions = ", ".join(f"{action} {count}" for action, count in self._totals.items()) or "nothing"
        _LOGGER.info("dry run: %s: %d requests and %d look-ups, at least %.1f s", actions, requests, look_ups, seconds)
        totals = {**self._totals, "requests": requests, "look_ups": look_ups, "seconds": round(seconds, 3)}
        self._write({"action": "total", **totals, "timezone": str(self._services.codec.zone)})
        if self._file >= 0:
            os.close(self._file)

    def _show(self, plan: Plan, row_id: int, fields: Mapping[str, Mapping[str, Any]], requests: int) -> None:
        key = plan.ledger_key
        self._add_to_totals(plan.action, requests)
        changes = ", ".join(f"{name} {_change_text(plan, name, change)}" for name, change in fields.items())
        actions = f" · {', '.join(plan.actions)}" if plan.actions else ""
        row = f"{key.stream} {key.redacted}" + (f" (id {row_id})" if row_id > 0 else "")
        _LOGGER.info("dry run: would %s %s: %s%s", plan.action, row, changes or "no field", actions)
        self._write(
            {
                "action": plan.action,
                "stream": key.stream,
                "key": key.text,
                "fields": fields,
                "id": row_id if row_id > 0 else None,
                "actions": plan.actions,
                "requests": requests,
            }
        )

    def _show_missing(self, row: RowToCreate) -> None:
        """Show the create of a row that records refer to by name, once."""
        _, is_new = self._planned_state.add_row(row)
        if is_new:
            self._add_to_totals("create", 1)
            _LOGGER.info("dry run: would create a row of %s, because records refer to it", row.stream)
            fields = {name: {"old": None, "new": value} for name, value in row.body}
            self._write({"action": "create", "stream": row.stream, "fields": fields, "requests": 1})

    def _add_to_totals(self, action: str, requests: int) -> None:
        with self._lock:
            self._totals.update({action: 1, "requests": requests})

    def _current_row(self, plan: Plan) -> Mapping[str, Any]:
        """Return the row that an update would change; nothing if the row is only planned."""
        row_id = plan.row_id or 0
        if plan.action != "update" or min([row_id, *plan.parent_ids.values()]) <= 0:
            return {}
        with self._lock:
            self._row_reads += 1
        return self._services.read_row(plan.resource, row_path(plan.resource, plan.parent_ids, row_id))

    def _changes(self, plan: Plan, body: Body, row: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
        """Return the old and the new value of each field that differs, custom fields one by one."""
        changes = {}
        for name in differing_fields(plan.resource, body, row, self._services.codec):
            if name == VALUES:
                for entry in body[name]:
                    title = f"custom_fields.{self._custom_fields.name_of(entry[DEFINITION])}"
                    changes[title] = {
                        "old": Column.of_custom_field(entry[DEFINITION]).value_in(row),
                        "new": entry["value"],
                    }
            else:
                column = plan.resource.write_spec.column_of(name)
                changes[name] = {"old": row.get(column), "new": body[name]}
        return changes

    def _request_count(self, plan: Plan, body: Body) -> int:
        """Return how many requests the plan would take, without look-ups."""
        spec = plan.resource.write_spec
        actions = [action for action in spec.actions if plan.actions.get(action.name)]
        count = sum(len(plan.actions[action.name]) if action.link_kind else 1 for action in actions)
        if plan.action != "update":
            return 1 + count
        resent = set(spec.always_resend)
        lacks_resent = resent <= set(spec.required) and bool(resent - {*body, *plan.resend})
        reads_row = self._updater.needs_row(plan) or (bool(body) and lacks_resent)
        clears = any(value is None for value in body.values())
        return count + reads_row + (1 + clears if body else 0)

    def _write(self, line: Mapping[str, Any]) -> None:
        if self._path:
            with self._lock:  # a line at a time, also if it takes several writes
                write_whole(self._file, encode(line) + b"\n", self._path, "plan_path")


def _change_text(plan: Plan, name: str, change: Mapping[str, Any]) -> str:
    field = plan.resource.write_spec.by_name.get(name)
    return f"{_redacted(field, change['old'])} → {_redacted(field, change['new'])}"


def _redacted(field: Field | None, value: Any) -> str:
    """Return a value for the log: free text is only described."""
    if value in (None, "", [], {}):
        return "empty"
    if isinstance(value, RowToCreate):
        return f"new row of {value.stream}"
    is_printable = field and field.name != PERSONAL_COLUMN and (field.type in _PRINTABLE_TYPES or field.allowed_values)
    return repr(value) if is_printable else describe(value)
