"""A plan carried out: sent, noted in the ledger, and taken into the look-ups."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from fieldpulse_api.catalogue import BY_NAME, RESOURCES
from fieldpulse_api.errors import NotFound
from fieldpulse_api.names import normal

from .creates import Creates
from .means import Means, path_of
from .outcomes import Done
from .plan import Body, Note, Plan, creating
from .planner import moved_key
from .record import said
from .updates import Updates


class Writer:
    """Carry plans out. May be used by many threads.

    Raises: RecordRefused for a record that is wrong, OutcomeUnknown for one that is in doubt;
    anything else ends the run.
    """

    def __init__(self, means: Means, creates: Creates, updates: Updates) -> None:
        self._means, self._creates, self._updates = means, creates, updates

    def carry_out(self, plan: Plan) -> Done:
        """Do what a plan says, and say what became of the record."""
        if plan.action == "unchanged":
            return Done("unchanged", plan.row_id)
        if plan.action == "skip":
            return Done("skipped", plan.row_id)
        if plan.action == "delete":
            return self._delete(plan)
        if plan.action == "update":
            return self._update(plan)
        created = self._creates.create(plan) if plan.action == "create" else self._creates.finish(plan)
        called = self._updates.call(plan, created)
        self._note(plan, created, (*plan.body, *called))
        return Done("created", created, plan.changed)

    def make(self, stream: str, body: Body) -> int:
        """Create a row that records only name, and return its id."""
        resource = BY_NAME[stream]
        write = resource.write
        name = normal(" ".join(str(body[one]) for one in sorted(body)))
        note = Note(stream, f"name:{name}", said(write, body) if write else {})
        plan = creating(Plan("create", resource, note, body=body))
        entry = self._means.ledger.find(stream, note.key)
        if entry and entry.status == "done":  # it is not there any more, or is called otherwise
            self._means.ledger.forget(stream, note.key)
            entry = None
        made = self._creates.finish(plan) if entry else self._creates.create(plan)
        self._note(plan, made, tuple(body))
        return made

    def _update(self, plan: Plan) -> Done:
        sent = self._updates.update(plan)
        self._note(plan, int(plan.row_id or 0), sent)
        return Done("updated" if sent else "unchanged", plan.row_id, plan.changed if sent else ())

    def _delete(self, plan: Plan) -> Done:
        """Delete a row; one that is gone already is as it should be."""
        known = int(plan.row_id or 0)
        with suppress(NotFound):
            self._means.client.delete(path_of(plan.resource, plan.above, known))
        self._means.ledger.done(plan.note, row_id=known, above=plan.above, status="deleted")
        self._means.lookups.remove(plan.resource.name, plan.above, known)
        return Done("deleted", known)

    def _note(self, plan: Plan, known: int, fields: tuple[str, ...]) -> None:
        """Note what was written; what another stream had written to the same fields of the row holds no more."""
        resource, note = plan.resource, plan.note
        for other in RESOURCES:
            write = other.write
            if write and write.into == resource.name and other.name != note.stream and set(write.by_name) & set(fields):
                self._means.ledger.forget(other.name, moved_key(known))
        if plan.action == "update" or plan.calls:  # else it was noted when the row was created
            self._means.ledger.done(note, row_id=known, above=plan.above)
        self._means.lookups.put(resource.name, plan.above, known, shown(plan))


def shown(plan: Plan) -> Mapping[str, Any]:
    """Return what a row shows of what a plan writes: some columns have other names than their fields."""
    fields = plan.resource.write.by_name if plan.resource.write else {}
    return {fields[name].column if name in fields else name: value for name, value in plan.body.items()}
