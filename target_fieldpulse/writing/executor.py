"""Execution of plans: each is sent, committed to the ledger, and entered into the look-ups."""

from __future__ import annotations

import logging
import threading
from collections import defaultdict
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any, Protocol

from fieldpulse_api.errors import RowNotFound
from fieldpulse_api.resources.catalogue import WRITABLE
from target_fieldpulse.planning.body_builder import as_create
from target_fieldpulse.planning.plan import Body, Plan, RowToCreate
from target_fieldpulse.planning.safety_limits import SafetyLimits
from target_fieldpulse.planning.write_policy import CREATABLE
from target_fieldpulse.records.custom_fields import FIELD as VALUES
from target_fieldpulse.records.ledger_key import LedgerKey
from target_fieldpulse.reporting.outcomes import WriteResult

from .create import RowCreator
from .services import WriteServices, row_path
from .update import RowUpdater

_LOGGER = logging.getLogger(__name__)


class Executor(Protocol):
    """What becomes of plans: they are carried out, or in a dry run only shown."""

    def execute(self, plan: Plan) -> WriteResult:
        """Execute a plan. Raises: RecordError, UncertainWrite; any other error ends the run."""

    def close(self) -> None:
        """End the work, once all plans have been executed."""


class PlanExecutor:
    """Carry plans out. May be used by many threads."""

    def __init__(
        self, services: WriteServices, creator: RowCreator, updater: RowUpdater, safety_limits: SafetyLimits
    ) -> None:
        self._services, self._creator, self._updater, self._safety_limits = services, creator, updater, safety_limits
        self._name_locks: defaultdict[LedgerKey, threading.Lock] = defaultdict(threading.Lock)
        self._created_by_name: dict[LedgerKey, int] = {}

    def execute(self, plan: Plan) -> WriteResult:
        """Carry a plan out, after the rows that it refers to and that are missing were created."""
        self._safety_limits.count(plan.action, plan.ledger_key.stream)
        if plan.rows_to_create and plan.action == "update" and self._services.policy.fill_empty_only:
            plan = self._updater.only_empty_fields(plan)
        plan = plan.with_row_ids({row: self._create_missing(row) for row in plan.rows_to_create})
        try:
            result = self._by_action(plan)(plan)
        except RowNotFound:  # the row that matches instead may be written
            self._safety_limits.take_back(plan.action, plan.ledger_key.stream)
            raise
        if _LOGGER.isEnabledFor(logging.DEBUG):
            key = plan.ledger_key
            _LOGGER.debug("%s %s: %s %s", key.stream, key.redacted, result.outcome, result.row_id)
        return result

    def close(self) -> None:
        """Do nothing: every plan was executed when it came."""

    def _by_action(self, plan: Plan) -> Callable[[Plan], WriteResult]:
        if plan.action == "create" and plan.ledger_key.stream in self._services.policy.create_missing_references:
            return self._create_or_update_named
        return {
            "create": self._create,
            "resume_create": self._create,
            "update": self._update,
            "delete": self._delete,
            "unchanged": self._leave_unchanged,
            "skip": lambda plan: WriteResult("skipped", plan.row_id),
            "superseded": lambda plan: WriteResult("superseded", plan.row_id),
        }[plan.action]

    def _create_or_update_named(self, plan: Plan) -> WriteResult:
        """Create a row, or update it if it was just created because another record refers to it by name."""
        stream = plan.ledger_key.stream
        named = tuple((name, plan.body[name]) for name in CREATABLE[stream] if name in plan.body)
        key = RowToCreate(stream, named).ledger_key
        with self._name_locks[key]:
            if key in self._created_by_name:
                return self._update(replace(plan, action="update", row_id=self._created_by_name[key]))
            result = self._create(plan)
            self._created_by_name[key] = int(result.row_id or 0)
            return result

    def _create_missing(self, row: RowToCreate) -> int:
        """Create a row that records refer to by name, once in a run, and return its id."""
        key, ledger = row.ledger_key, self._services.ledger
        with self._name_locks[key]:
            if key not in self._created_by_name:
                self._safety_limits.count("create", row.stream)
                plan = as_create(Plan("create", WRITABLE[row.stream], key, body=dict(row.body)))
                entry = ledger.find(key)
                if entry and entry.status == "written":  # the look-up did not find it: it was deleted or renamed
                    ledger.discard(entry)
                    entry = None
                self._created_by_name[key] = self._create_row(plan, is_new=entry is None)
            return self._created_by_name[key]

    def _create(self, plan: Plan) -> WriteResult:
        row_id = self._create_row(plan, is_new=plan.action == "create")
        self._updater.run_actions(plan, row_id)
        if plan.actions:  # else the creator has committed everything
            self._commit(plan, row_id, audit=self._services.audit.written_row(plan, "created", row_id))
        return WriteResult("created", row_id, plan.changed)

    def _create_row(self, plan: Plan, *, is_new: bool) -> int:
        created = self._creator.create(plan) if is_new else self._creator.resume(plan)
        self._update_lookups(plan, created.row_id, plan.body, created.columns)
        return created.row_id

    def _update(self, plan: Plan) -> WriteResult:
        row_id = int(plan.row_id or 0)
        self._delete_entries_of_other_streams(plan, row_id)  # first: even a PUT that fails may have written a part
        sent = self._updater.update(plan)
        self._update_lookups(plan, row_id, {name: value for name, value in plan.body.items() if name in sent})
        self._commit(plan, row_id, audit=self._services.audit.written_row(plan, "updated", row_id) if sent else None)
        return WriteResult("updated" if sent else "unchanged", row_id, plan.changed if sent else ())

    def _leave_unchanged(self, plan: Plan) -> WriteResult:
        if plan.is_news:
            self._commit(plan, int(plan.row_id or 0), audit=None)
        return WriteResult("unchanged", plan.row_id)

    def _delete(self, plan: Plan) -> WriteResult:
        """Delete a row. One that is gone already counts as deleted."""
        row_id = int(plan.row_id or 0)
        with suppress(RowNotFound):
            self._services.client.delete(row_path(plan.resource, plan.parent_ids, row_id))
        audit = self._services.audit.written_row(plan, "deleted", row_id)
        self._services.ledger.upsert(
            plan.ledger_key,
            row_id=row_id,
            parent_ids=plan.parent_ids,
            status="deleted",
            audit=audit,
            updated_at=plan.rejected_at,
        )
        self._services.written_rows.mark_deleted(plan.resource, row_id)
        self._services.lookups.remove(plan.resource.name, plan.parent_ids, row_id)
        return WriteResult("deleted", row_id)

    def _commit(self, plan: Plan, row_id: int, *, audit: Mapping[str, Any] | None) -> None:
        self._services.ledger.upsert(
            plan.ledger_key,
            row_id=row_id,
            parent_ids=plan.parent_ids,
            property_hashes=plan.property_hashes,
            audit=audit,
            updated_at=plan.rejected_at,
        )

    def _update_lookups(self, plan: Plan, row_id: int, body: Body, columns: Mapping[str, Any] | None = None) -> None:
        """Enter a written body into the look-ups, and the other columns of the row where they are known."""
        written = {**(columns or {}), **replace(plan, body=body).columns}
        if columns and VALUES in body:  # custom fields that the record leaves out stay known
            written[VALUES] = [*body[VALUES], *(columns.get(VALUES) or ())]
        self._services.lookups.upsert(plan.resource.name, plan.parent_ids, row_id, written)

    def _delete_entries_of_other_streams(self, plan: Plan, row_id: int) -> None:
        """Delete what the ledger knows of other streams that write the same fields of the row: it no longer holds."""
        for other in WRITABLE.values():
            spec = other.write_spec
            is_same_row = spec.target_resource == plan.resource.name and other.name != plan.ledger_key.stream
            if is_same_row and set(spec.by_name) & set(plan.body):
                self._services.ledger.delete(LedgerKey.of_row_change(other.name, row_id))
