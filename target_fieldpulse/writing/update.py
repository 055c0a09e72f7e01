"""Updates: the fields that changed, or only those that are empty, and the calls of a record."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from fieldpulse_api.errors import FieldPulseError, UncertainWrite
from fieldpulse_api.resources.model import Resource
from fieldpulse_api.resources.write_model import Action
from target_fieldpulse.planning.plan import Body, LedgerKey, Plan
from target_fieldpulse.records.custom_field_entries import FIELD as VALUES
from target_fieldpulse.records.custom_field_entries import empty_fields, merge_into_row, missing_values
from target_fieldpulse.records.field_codec import canonical_json

from .put import Place, Puts
from .services import Means, path_of

_EMPTY: tuple[Any, ...] = (None, "", [], {})
_ENDS = 2  # the fields that say what is linked: an entity and its id


class Updates:
    """Change rows that are there. May be used by many threads. Raises: RecordRefused, OutcomeUnknown."""

    def __init__(self, means: Means, puts: Puts) -> None:
        self._means, self._puts = means, puts

    def update(self, plan: Plan) -> tuple[str, ...]:
        """Send what a plan says, and return the fields that were sent. A row that is gone is refused."""
        resource, known = plan.resource, int(plan.row_id or 0)
        path = path_of(resource, plan.parent_ids, known)
        body, row = plan.body, None
        if body and self.needs_row(plan):
            row = self._means.row(resource, path)
            body = merge_into_row(self.due(plan, row), row)
        is_sent = bool(body) and self._puts.put(Place(resource, path, plan.resend, row), body)
        called = self.call(plan, known)
        return (*(body if is_sent else ()), *called)

    def filling(self, plan: Plan) -> Plan:
        """Return a plan with only what its row lacks: what need not be written need not be created."""
        row = self._means.row(plan.resource, path_of(plan.resource, plan.parent_ids, int(plan.row_id or 0)))
        return replace(plan, body=self.due(plan, row))

    def needs_row(self, plan: Plan) -> bool:
        """Say whether the row must be read first."""
        return self._means.rules.fill_empty_only or VALUES in plan.body

    def due(self, plan: Plan, row: Mapping[str, Any]) -> Body:
        """Return the body without custom values that the row has; with `fill_empty_only` only what is empty there."""
        if not self._means.rules.fill_empty_only:
            values = missing_values(plan.body.get(VALUES, []), row)
            return {name: one for name, one in plan.body.items() if name != VALUES} | (
                {VALUES: values} if values else {}
            )
        fields = plan.resource.write_spec.by_name if plan.resource.write_spec else {}
        columns = {name: fields[name].column if name in fields else name for name in plan.body}
        body = {name: value for name, value in plan.body.items() if row.get(columns[name]) in _EMPTY}
        values = empty_fields(plan.body.get(VALUES, []), row)
        return {name: value for name, value in body.items() if name != VALUES} | ({VALUES: values} if values else {})

    def call(self, plan: Plan, row_id: int) -> tuple[str, ...]:
        """Send the calls of a record, and return the names of those that were needed."""
        calls = plan.resource.write_spec.actions if plan.resource.write_spec else ()
        return tuple(call.name for call in calls if plan.actions.get(call.name) and self._send(plan, call, row_id))

    def _send(self, plan: Plan, call: Action, row_id: int) -> bool:
        path, elements = call.path.format(id=row_id), plan.actions[call.name]
        if call.body_key:
            self._puts.put_whole(path, {call.body_key: elements})
            return True
        sent = [self._link(plan.resource, call, path, row_id, one) for one in elements]
        return any(sent)

    def _link(self, resource: Resource, call: Action, path: str, row_id: int, element: Body) -> bool:
        """Make or undo a link, once: whether FieldPulse takes the same one twice is not known."""
        ledger = self._means.ledger
        about = ":".join(str(element[name]) for name in call.item.required[:_ENDS])
        said = hashlib.blake2b(canonical_json([call.name, element]), digest_size=6, person=b"fieldpulse").hexdigest()
        about += f":{said}" if len(call.item.required) > _ENDS else ""  # what more it says makes it another link
        note = LedgerKey(resource.name, f"{call.link}:{row_id}:{about}", {call.name: said})
        entry = ledger.find(note.stream, note.key)
        if entry and entry.status == "intended":
            raise _in_doubt(note, path)
        if entry and entry.said == note.property_hashes:
            return False
        ledger.forget(note.stream, note.key)
        ledger.intend(note, above={}, marks={}, after_id=0)
        try:
            self._means.client.post(path, element)
        except UncertainWrite:
            raise _in_doubt(note, path) from None
        except FieldPulseError:
            ledger.forget(note.stream, note.key)
            raise
        ledger.done(note, row_id=None, above={})
        return True


def _in_doubt(note: LedgerKey, path: str) -> UncertainWrite:
    return UncertainWrite(
        "Whether the link was made is unknown, and it is not tried again by itself.",
        where=f"POST {path} · ledger: stream {note.stream}, key {note.key}",
        hint="look at the row in FieldPulse; then `fieldpulse ledger settle` with this stream and key",
    )
