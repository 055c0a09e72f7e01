"""Dry runs: an executor that shows what each plan would change, field by field, and what it would cost."""

from __future__ import annotations

import logging
import os
import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fieldpulse_api.reading.pages import Pages
from fieldpulse_api.resources.model import Resource
from fieldpulse_api.values.strict_json import encode
from fieldpulse_plugin.stores.private_files import open_private, write_whole
from target_fieldpulse.planning.plan import Body, Plan, PlanAction, RowToCreate, differing_fields
from target_fieldpulse.planning.planned_state import PlannedState
from target_fieldpulse.records.columns import Column
from target_fieldpulse.records.custom_fields import DEFINITION, CustomFieldWriter
from target_fieldpulse.records.custom_fields import FIELD as VALUES
from target_fieldpulse.records.ledger_key import KeyKind
from target_fieldpulse.reporting.outcomes import Outcome, WriteResult
from target_fieldpulse.reporting.planned_writes import PlannedWrites
from target_fieldpulse.reporting.value_texts import ValueText, ValueTexts

from .services import WriteServices, row_path
from .update import RowUpdater

_LOGGER = logging.getLogger(__name__)
_MAX_BUFFERED_BYTES = 1_000_000
_OUTCOMES: Mapping[PlanAction, Outcome] = {
    "create": "created",
    "resume_create": "created",
    "update": "updated",
    "delete": "deleted",
    "unchanged": "unchanged",
    "skip": "skipped",
    "superseded": "superseded",
}
_VERBS: Mapping[PlanAction, str] = {"resume_create": "create"}


@dataclass(frozen=True)
class _Change:
    """The old and the new value of a field, and both as text."""

    old: Any
    new: Any
    old_text: ValueText
    new_text: ValueText

    @property
    def values(self) -> dict[str, Any]:
        return {"old": self.old, "new": self.new}

    def log_text(self, *, with_old: bool) -> str:
        return f"{self.old_text.logged} → {self.new_text.logged}" if with_old else self.new_text.logged

    @property
    def words(self) -> dict[str, str]:
        texts = {"old": (self.old, self.old_text.words), "new": (self.new, self.new_text.words)}
        return {side: words for side, (value, words) in texts.items() if words and words != str(value)}


class DryRun:
    """Show plans instead of carrying them out. May be used by many threads.

    The plans are shown at the end, sorted by stream and key. The log shows names, numbers, times and codes only. The
    file at `path` holds all values, and beside them the same in words.
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
        self._texts = ValueTexts(services.lookups, planned_state, services.codec)
        self._lines = PlannedWrites()
        self._row_reads = 0
        self._totals: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._path = path
        self._file = open_private(path, "plan_path", appends=False) if path else -1

    def execute(self, plan: Plan) -> WriteResult:
        """Note what a plan would do, and return the outcome that it would have."""
        key = plan.ledger_key
        if plan.action == "skip":
            self._lines.append(key.stream, key.text, f"{key.stream} {key.redacted} is skipped: {plan.reason}")
        if not plan.writes:
            return WriteResult(_OUTCOMES[plan.action], plan.row_id)
        for row_to_create in plan.rows_to_create:
            self._add_missing(row_to_create)
        if plan.action == "create":
            self._check_new_ledger(plan.resource)
        row = self._current_row(plan)
        body = self._updater.fields_to_send(plan, row) if plan.action == "update" else plan.body
        row_id = self._planned_state.apply(plan)
        if plan.action == "update" and not body and not plan.actions:
            return WriteResult("unchanged", plan.row_id)
        self._add(plan, row_id, self._changes(plan, body, row), self._request_count(plan, body))
        return WriteResult(_OUTCOMES[plan.action], plan.row_id, plan.changed)

    def _check_new_ledger(self, resource: Resource) -> None:
        """Look whether FieldPulse has rows of the stream of the first create; a real run finds out by itself."""
        new_ledger = self._services.new_ledger
        if not resource.parent and new_ledger.wants_rows(resource.name):
            page = Pages(self._services.client, resource, self._services.read_options).read_at_once({}, 1, 1)
            new_ledger.warn_of_rows(resource.name, has_rows=bool(page.ids))

    def close(self) -> None:
        """Log the plans and the totals, and write the file. Raises: ConfigError if there is no room for it."""
        try:
            self._show_lines()
            self._show_totals()
        finally:
            self._lines.close()
            if self._file >= 0:
                os.close(self._file)

    def _show_lines(self) -> None:
        buffer = bytearray()
        for log_line, plan_line in self._lines:
            _LOGGER.info("dry run: %s", log_line)
            buffer += plan_line
            if len(buffer) > _MAX_BUFFERED_BYTES:
                self._write(bytes(buffer))
                buffer.clear()
        self._write(bytes(buffer))

    def _show_totals(self) -> None:
        requests = self._totals.pop("requests", 0)
        look_ups = self._services.client.request_count - self._row_reads
        seconds = (requests + look_ups) / self._services.client.settings.requests_per_second
        actions = ", ".join(f"{action} {count}" for action, count in sorted(self._totals.items())) or "write nothing"
        _LOGGER.info(
            "dry run: would %s: %d requests and %d look-ups, at least %.1f s", actions, requests, look_ups, seconds
        )
        totals = {**self._totals, "requests": requests, "look_ups": look_ups, "seconds": round(seconds, 3)}
        self._write(_line({"action": "total", **totals, "timezone": str(self._services.codec.zone)}))

    def _add(self, plan: Plan, row_id: int, changes: Mapping[str, _Change], requests: int) -> None:
        key, is_update = plan.ledger_key, plan.action == "update"
        self._add_to_totals(plan.action, requests)
        fields = ", ".join(f"{name} {change.log_text(with_old=is_update)}" for name, change in changes.items())
        details = " · ".join(filter(None, [fields, ", ".join(plan.actions)]))
        write = f"would {_VERBS.get(plan.action, plan.action)} {self._row_label(plan, row_id)}"
        log_line = f"{write}: {details}" if details else write
        plan_line = {
            "action": plan.action,
            "stream": key.stream,
            "key": key.text,
            "fields": {name: change.values for name, change in changes.items()},
            "words": {name: change.words for name, change in changes.items() if change.words},
            "id": row_id if row_id > 0 else None,
            "actions": plan.actions,
            "requests": requests,
        }
        self._lines.append(key.stream, key.text, log_line, _line(plan_line))

    def _row_label(self, plan: Plan, row_id: int) -> str:
        """Return the stream and the key of a row for the log; an id below zero is that of a row that is planned."""
        key = plan.ledger_key
        if key.kind is not KeyKind.ROW_ID:
            return f"{key.stream} {key.redacted}" + (f" (id {row_id})" if row_id > 0 else "")
        planned = self._planned_state.key_of(plan.resource.name, row_id) if row_id < 0 else None
        return f"{key.stream} {planned.redacted} (new)" if planned else f"{key.stream} {key.redacted}"

    def _add_missing(self, row: RowToCreate) -> None:
        """Note the create of a row that records refer to by name, once."""
        _, is_new = self._planned_state.add_row(row)
        if is_new:
            self._add_to_totals("create", 1)
            fields = {name: {"old": None, "new": value} for name, value in row.body}
            plan_line = {"action": "create", "stream": row.stream, "fields": fields, "requests": 1}
            log_line = f"would create a row of {row.stream}, because records refer to it"
            self._lines.append(row.stream, str(row.body[0][1]), log_line, _line(plan_line))

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

    def _changes(self, plan: Plan, body: Body, row: Mapping[str, Any]) -> dict[str, _Change]:
        """Return the change of each field that differs, custom fields one by one."""
        changes, spec = {}, plan.resource.write_spec
        for name in differing_fields(plan.resource, body, row, self._services.codec):
            if name == VALUES:
                for entry in body[name]:
                    definition = self._custom_fields.definition_of(entry[DEFINITION])
                    old, new = Column.of_custom_field(definition.id).value_in(row), entry["value"]
                    texts = (self._texts.custom_text(definition, value) for value in (old, new))
                    changes[f"custom_fields.{definition.name}"] = _Change(old, new, *texts)
            else:
                old, new = row.get(spec.column_of(name)), body[name]
                old_text = self._texts.text(spec, name, old, is_sent=False)
                changes[name] = _Change(old, new, old_text, self._texts.text(spec, name, new, is_sent=True))
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

    def _write(self, lines: bytes) -> None:
        if self._path and lines:
            write_whole(self._file, lines, self._path, "plan_path")


def _line(content: Mapping[str, Any]) -> bytes:
    return encode(content) + b"\n"
