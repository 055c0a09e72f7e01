"""A dry run: what would be done, field by field, and what it would cost."""

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
from target_fieldpulse.planning.forecast import PlannedState
from target_fieldpulse.planning.lookups import cell, custom_column
from target_fieldpulse.planning.plan import Action, Body, Plan, RowToCreate, differing_fields
from target_fieldpulse.records.custom_field_entries import DEFINITION
from target_fieldpulse.records.custom_field_entries import FIELD as VALUES
from target_fieldpulse.records.custom_fields import CustomFieldWriter
from target_fieldpulse.records.field_codec import describe
from target_fieldpulse.reporting.outcomes import Outcome, WriteResult
from target_fieldpulse.reporting.private_files import open_private

from .services import WriteServices, row_path
from .update import RowUpdater

_LOGGER = logging.getLogger(__name__)
_PRINTABLE_TYPES = (
    FieldType.INTEGER,
    FieldType.DECIMAL,
    FieldType.BOOLEAN,
    FieldType.TIME,
    FieldType.DATE,
    FieldType.OBJECT_TYPE,
)
_OUTCOMES: Mapping[Action, Outcome] = {
    "create": "created",
    "resume_create": "created",
    "update": "updated",
    "delete": "deleted",
    "unchanged": "unchanged",
    "skip": "skipped",
}


class DryRun:
    """Show plans instead of carrying them out. May be used by many threads.

    What is printed has the values of numbers, times and codes only; the file at `path` has all of them.
    """

    def __init__(
        self,
        services: WriteServices,
        forecast: PlannedState,
        updater: RowUpdater,
        custom_fields: CustomFieldWriter,
        *,
        path: str | None,
        requests_per_second: float,
    ) -> None:
        self._services, self._forecast, self._updater, self._custom_fields = services, forecast, updater, custom_fields
        self._rate, self._row_reads = requests_per_second, 0
        self._totals: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._file = open_private(Path(path), "plan_path", adds=False) if path else -1

    def execute(self, plan: Plan) -> WriteResult:
        """Print what a plan would do, and say what would become of the record."""
        about = f"{plan.ledger_key.stream} {plan.ledger_key.redacted}"
        if plan.action == "skip":
            _LOGGER.info("dry run: %s is skipped: %s", about, plan.reason)
        if not plan.writes:
            return WriteResult(_OUTCOMES[plan.action], plan.row_id)
        for one in plan.rows_to_create:
            self._plan_missing(one)
        row = self._current_row(plan)
        due = self._updater.fields_to_send(plan, row) if plan.action == "update" else plan.body
        known = self._forecast.apply(plan)
        if plan.action == "update" and not due and not plan.actions:
            return WriteResult("unchanged", plan.row_id)
        fields, requests = self._changes(plan, due, row), self._request_count(plan, due)
        self._add_to_totals(plan.action, requests)
        told = ", ".join(f"{name} {_change_text(plan, name, one)}" for name, one in fields.items())
        called = f" · {', '.join(plan.actions)}" if plan.actions else ""
        row_is = f" (id {known})" if known > 0 else ""
        _LOGGER.info("dry run: would %s %s%s: %s%s", plan.action, about, row_is, told or "nothing else", called)
        line = {"action": plan.action, "stream": plan.ledger_key.stream, "key": plan.ledger_key.text, "fields": fields}
        self._write(line | {"id": known if known > 0 else None, "calls": plan.actions, "requests": requests})
        return WriteResult(_OUTCOMES[plan.action], plan.row_id, plan.changed)

    def close(self) -> None:
        """Print the totals, and close the file."""
        requests = self._totals.pop("requests", 0)
        look_ups = self._services.client.request_count - self._row_reads
        seconds = (requests + look_ups) / self._rate
        acts = ", ".join(f"{action} {number}" for action, number in self._totals.items()) or "nothing"
        _LOGGER.info("dry run: %s: %d requests and %d look-ups, at least %.1f s", acts, requests, look_ups, seconds)
        sums = {**self._totals, "requests": requests, "look_ups": look_ups, "seconds": round(seconds, 3)}
        self._write({"action": "total", **sums})
        if self._file >= 0:
            os.close(self._file)

    def _plan_missing(self, one: RowToCreate) -> None:
        """Show that a row would be created that records only name."""
        if self._forecast.add_row(one)[1]:
            self._add_to_totals("create", 1)
            _LOGGER.info("dry run: would create %s: it is only named", one.stream)
            fields = {name: {"old": None, "new": value} for name, value in one.body}
            self._write({"action": "create", "stream": one.stream, "fields": fields, "requests": 1})

    def _add_to_totals(self, action: str, requests: int) -> None:
        with self._lock:
            self._totals.update({action: 1, "requests": requests})

    def _current_row(self, plan: Plan) -> Mapping[str, Any]:
        """Return what is there, where something is."""
        known = plan.row_id or 0
        if plan.action != "update" or min([known, *plan.parent_ids.values()]) <= 0:
            return {}
        with self._lock:
            self._row_reads += 1
        return self._services.read_row(plan.resource, row_path(plan.resource, plan.parent_ids, known))

    def _changes(self, plan: Plan, due: Body, row: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
        """Return the old and the new value of each field that would be sent and differs; custom fields one by one."""
        write = plan.resource.write_spec
        found = {}
        for name in differing_fields(plan.resource, due, row, self._services.codec):
            if name == VALUES:
                for entry in due[name]:
                    title = f"custom_fields.{self._custom_fields.name_of(entry[DEFINITION])}"
                    found[title] = {"old": cell(row, custom_column(entry[DEFINITION])), "new": entry["value"]}
            else:
                column = write.column_of(name)
                found[name] = {"old": row.get(column), "new": due[name]}
        return found

    def _request_count(self, plan: Plan, due: Body) -> int:
        """Return what carrying it out would cost, look-ups apart."""
        rules = plan.resource.write_spec
        calls = [one for one in rules.actions if plan.actions.get(one.name)]
        cost = sum(len(plan.actions[one.name]) if one.link else 1 for one in calls)
        if plan.action != "update":
            return 1 + cost
        lacking = (
            rules
            and set(rules.always_resend) <= set(rules.required)
            and set(rules.always_resend) - {*due, *plan.resend}
        )
        reads = self._updater.needs_row(plan) or bool(due and lacking)
        clears = any(value is None for value in due.values())
        return cost + reads + (1 + clears if due else 0)

    def _write(self, line: Mapping[str, Any]) -> None:
        if self._file >= 0:
            os.write(self._file, encode(line) + b"\n")


def _change_text(plan: Plan, name: str, change: Mapping[str, Any]) -> str:
    field = plan.resource.write_spec.by_name.get(name)
    return f"{_redacted(field, change['old'])} → {_redacted(field, change['new'])}"


def _redacted(field: Field | None, value: Any) -> str:
    """Return a value as it may be printed: what people wrote is only described."""
    if value in (None, "", [], {}):
        return "empty"
    if isinstance(value, RowToCreate):
        return f"new row of {value.stream}"
    is_public = field and field.name != PERSONAL_COLUMN and (field.type in _PRINTABLE_TYPES or field.allowed_values)
    return repr(value) if is_public else describe(value)
