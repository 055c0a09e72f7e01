"""A plan carried out: sent, noted in the ledger, and taken into the look-ups."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace

from fieldpulse_api.errors import RowNotFound
from fieldpulse_api.resources.catalogue import BY_NAME, RESOURCES
from target_fieldpulse.planning.forecast import columns_written
from target_fieldpulse.planning.guards import Guards
from target_fieldpulse.planning.plan import Plan, RowToCreate, create_plan
from target_fieldpulse.planning.planner import row_ledger_key
from target_fieldpulse.planning.write_policy import CREATABLE
from target_fieldpulse.reporting.outcomes import Done

from .create import Creates
from .services import Means, path_of
from .update import Updates


class Writer:
    """Carry plans out. May be used by many threads.

    Raises: RecordRefused for a record that is wrong, OutcomeUnknown for one that is in doubt;
    anything else ends the run.
    """

    def __init__(self, means: Means, creates: Creates, updates: Updates, guards: Guards) -> None:
        self._means, self._creates, self._updates, self._guards = means, creates, updates, guards
        self._naming: defaultdict[tuple[str, str], threading.Lock] = defaultdict(threading.Lock)
        self._made: dict[tuple[str, str], int] = {}

    def carry_out(self, plan: Plan) -> Done:
        """Do what a plan says, and say what became of the record."""
        if plan.rows_to_create and plan.action == "update" and self._means.rules.fill_empty_only:
            plan = self._updates.filling(plan)
        plan = plan.with_row_ids({one: self._make(one) for one in plan.rows_to_create})
        if plan.action == "unchanged":
            return Done("unchanged", plan.row_id)
        if plan.action == "skip":
            return Done("skipped", plan.row_id)
        if plan.action == "delete":
            return self._delete(plan)
        if plan.action == "update":
            return self._update(plan)
        if plan.action == "create" and plan.ledger_key.stream in self._means.rules.create_missing_references:
            return self._create_named(plan)
        return self._create(plan)

    def _create_named(self, plan: Plan) -> Done:
        """Create a row that other records may just have had created by its name: then it is changed instead."""
        stream, body = plan.ledger_key.stream, plan.body
        key = (
            stream,
            RowToCreate(stream, tuple((name, body[name]) for name in CREATABLE[stream] if name in body)).ledger_key.key,
        )
        with self._naming[key]:
            made = self._made.get(key)
            if made is not None:
                return self._update(replace(plan, action="update", row_id=made))
            done = self._create(plan)
            self._made[key] = int(done.row_id or 0)
            return done

    def _create(self, plan: Plan) -> Done:
        created = self._creates.create(plan) if plan.action == "create" else self._creates.finish(plan)
        called = self._updates.call(plan, created)
        self._take_in(plan, created, (*plan.body, *called))
        if plan.actions:  # else it was noted when the row was created
            audit = self._means.audit.row(plan, "created", created)
            self._means.ledger.done(plan.ledger_key, row_id=created, above=plan.parent_ids, audit=audit)
        return Done("created", created, plan.changed)

    def _make(self, one: RowToCreate) -> int:
        """Create a row that records only name, once however many do, and return its id."""
        resource, note = BY_NAME[one.stream], one.ledger_key
        key = (one.stream, note.key)
        with self._naming[key]:
            if key in self._made:
                return self._made[key]
            self._guards.count("create", one.stream)
            plan = create_plan(Plan("create", resource, note, body=dict(one.body)))
            entry = self._means.ledger.find(one.stream, note.key)
            if entry and entry.status == "done":  # it is not there any more, or is called otherwise
                self._means.ledger.forget(one.stream, note.key)
                entry = None
            made = self._creates.finish(plan) if entry else self._creates.create(plan)
            self._take_in(plan, made, tuple(plan.body))
            self._made[key] = made
            return made

    def _update(self, plan: Plan) -> Done:
        known = int(plan.row_id or 0)
        self._forget_moves(plan, known, plan.body)  # before it is sent: a part of it may be all that is written
        sent = self._updates.update(plan)
        self._take_in(plan, known, sent)
        audit = self._means.audit.row(plan, "updated", known) if sent else None
        self._means.ledger.done(plan.ledger_key, row_id=known, above=plan.parent_ids, audit=audit)
        return Done("updated" if sent else "unchanged", known, plan.changed if sent else ())

    def _delete(self, plan: Plan) -> Done:
        """Delete a row; one that is gone already is as it should be."""
        known = int(plan.row_id or 0)
        with suppress(RowNotFound):
            self._means.client.delete(path_of(plan.resource, plan.parent_ids, known))
        audit = self._means.audit.row(plan, "deleted", known)
        self._means.ledger.done(plan.ledger_key, row_id=known, above=plan.parent_ids, status="deleted", audit=audit)
        self._means.lookups.remove(plan.resource.name, plan.parent_ids, known)
        return Done("deleted", known)

    def _take_in(self, plan: Plan, known: int, fields: tuple[str, ...]) -> None:
        """Let the look-ups know what was written."""
        resource = plan.resource
        sent = replace(plan, body={name: value for name, value in plan.body.items() if name in fields})
        self._means.lookups.upsert(resource.name, plan.parent_ids, known, columns_written(sent))

    def _forget_moves(self, plan: Plan, known: int, fields: Iterable[str]) -> None:
        """Forget what another stream had written to the same fields of a row: it holds no more."""
        for other in RESOURCES:
            write = other.write_spec
            is_same = write and write.target_resource == plan.resource.name and other.name != plan.ledger_key.stream
            if write and is_same and set(write.by_name) & set(fields):
                self._means.ledger.forget(other.name, row_ledger_key(known))
