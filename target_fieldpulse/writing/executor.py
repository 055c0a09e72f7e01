"""A plan carried out: sent, noted in the ledger, and taken into the look-ups."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace

from fieldpulse_api.errors import RowNotFound
from fieldpulse_api.resources.catalogue import WRITABLE
from target_fieldpulse.planning.forecast import columns_written
from target_fieldpulse.planning.guards import Guards
from target_fieldpulse.planning.plan import Plan, RowToCreate, create_plan
from target_fieldpulse.planning.planner import row_ledger_key
from target_fieldpulse.planning.write_policy import CREATABLE
from target_fieldpulse.records.ledger_key import LedgerKey
from target_fieldpulse.reporting.outcomes import WriteResult

from .create import RowCreator
from .services import WriteServices, row_path
from .update import RowUpdater


class PlanExecutor:
    """Carry plans out. May be used by many threads.

    Raises: RecordRefused for a record that is wrong, OutcomeUnknown for one that is in doubt;
    anything else ends the run.
    """

    def __init__(self, services: WriteServices, creator: RowCreator, updater: RowUpdater, guards: Guards) -> None:
        self._services, self._creator, self._updater, self._guards = services, creator, updater, guards
        self._name_locks: defaultdict[LedgerKey, threading.Lock] = defaultdict(threading.Lock)
        self._created_by_name: dict[LedgerKey, int] = {}

    def execute(self, plan: Plan) -> WriteResult:
        """Do what a plan says, and say what became of the record."""
        if plan.rows_to_create and plan.action == "update" and self._services.rules.fill_empty_only:
            plan = self._updater.only_empty_fields(plan)
        plan = plan.with_row_ids({one: self._create_missing(one) for one in plan.rows_to_create})
        if plan.action == "unchanged":
            return WriteResult("unchanged", plan.row_id)
        if plan.action == "skip":
            return WriteResult("skipped", plan.row_id)
        if plan.action == "delete":
            return self._delete(plan)
        if plan.action == "update":
            return self._update(plan)
        if plan.action == "create" and plan.ledger_key.stream in self._services.rules.create_missing_references:
            return self._create_or_update_named(plan)
        return self._create(plan)

    def _create_or_update_named(self, plan: Plan) -> WriteResult:
        """Create a row that other records may just have had created by its name: then it is changed instead."""
        stream, body = plan.ledger_key.stream, plan.body
        key = RowToCreate(stream, tuple((name, body[name]) for name in CREATABLE[stream] if name in body)).ledger_key
        with self._name_locks[key]:
            made = self._created_by_name.get(key)
            if made is not None:
                return self._update(replace(plan, action="update", row_id=made))
            done = self._create(plan)
            self._created_by_name[key] = int(done.row_id or 0)
            return done

    def _create(self, plan: Plan) -> WriteResult:
        created = self._creator.create(plan) if plan.action == "create" else self._creator.resume(plan)
        called = self._updater.run_actions(plan, created)
        self._update_lookups(plan, created, (*plan.body, *called))
        if plan.actions:  # else it was noted when the row was created
            audit = self._services.audit.written_row(plan, "created", created)
            self._services.ledger.upsert(
                plan.ledger_key,
                row_id=created,
                parent_ids=plan.parent_ids,
                property_hashes=plan.property_hashes,
                audit=audit,
            )
        return WriteResult("created", created, plan.changed)

    def _create_missing(self, one: RowToCreate) -> int:
        """Create a row that records only name, once however many do, and return its id."""
        resource, key = WRITABLE[one.stream], one.ledger_key
        with self._name_locks[key]:
            if key in self._created_by_name:
                return self._created_by_name[key]
            self._guards.count("create", one.stream)
            plan = create_plan(Plan("create", resource, key, body=dict(one.body)))
            entry = self._services.ledger.find(key)
            if entry and entry.status == "written":  # it is not there any more, or is called otherwise
                self._services.ledger.forget(key)
                entry = None
            made = self._creator.resume(plan) if entry else self._creator.create(plan)
            self._update_lookups(plan, made, tuple(plan.body))
            self._created_by_name[key] = made
            return made

    def _update(self, plan: Plan) -> WriteResult:
        known = int(plan.row_id or 0)
        self._forget_other_streams_writes(
            plan, known, plan.body
        )  # before it is sent: a part of it may be all that is written
        sent = self._updater.update(plan)
        self._update_lookups(plan, known, sent)
        audit = self._services.audit.written_row(plan, "updated", known) if sent else None
        self._services.ledger.upsert(
            plan.ledger_key,
            row_id=known,
            parent_ids=plan.parent_ids,
            property_hashes=plan.property_hashes,
            audit=audit,
        )
        return WriteResult("updated" if sent else "unchanged", known, plan.changed if sent else ())

    def _delete(self, plan: Plan) -> WriteResult:
        """Delete a row; one that is gone already is as it should be."""
        known = int(plan.row_id or 0)
        with suppress(RowNotFound):
            self._services.client.delete(row_path(plan.resource, plan.parent_ids, known))
        audit = self._services.audit.written_row(plan, "deleted", known)
        self._services.ledger.upsert(
            plan.ledger_key, row_id=known, parent_ids=plan.parent_ids, status="deleted", audit=audit
        )
        self._services.lookups.remove(plan.resource.name, plan.parent_ids, known)
        return WriteResult("deleted", known)

    def _update_lookups(self, plan: Plan, known: int, fields: tuple[str, ...]) -> None:
        """Let the look-ups know what was written."""
        resource = plan.resource
        sent = replace(plan, body={name: value for name, value in plan.body.items() if name in fields})
        self._services.lookups.upsert(resource.name, plan.parent_ids, known, columns_written(sent))

    def _forget_other_streams_writes(self, plan: Plan, known: int, fields: Iterable[str]) -> None:
        """Forget what another stream had written to the same fields of a row: it holds no more."""
        for other in WRITABLE.values():
            write = other.write_spec
            is_same = write.target_resource == plan.resource.name and other.name != plan.ledger_key.stream
            if is_same and set(write.by_name) & set(fields):
                self._services.ledger.forget(row_ledger_key(other.name, known))
