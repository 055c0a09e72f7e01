"""Updates: the fields that changed, or only those that are empty, and the calls of a record."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from fieldpulse_api.errors import FieldPulseError, UncertainWrite
from fieldpulse_api.resources.model import WritableResource
from fieldpulse_api.resources.write_model import Action
from target_fieldpulse.planning.plan import Body, Plan
from target_fieldpulse.records.custom_field_entries import FIELD as VALUES
from target_fieldpulse.records.custom_field_entries import empty_fields, merge_into_row, missing_values
from target_fieldpulse.records.field_codec import canonical_json
from target_fieldpulse.records.ledger_key import KeyKind, LedgerKey

from .put import PutSender, PutTarget
from .services import WriteServices, row_path

_EMPTY: tuple[Any, ...] = (None, "", [], {})
_LINK_KEY_FIELDS = 2  # the fields that say what is linked: an entity and its id


class RowUpdater:
    """Change rows that are there. May be used by many threads. Raises: RecordRefused, OutcomeUnknown."""

    def __init__(self, services: WriteServices, puts: PutSender) -> None:
        self._services, self._puts = services, puts

    def update(self, plan: Plan) -> tuple[str, ...]:
        """Send what a plan says, and return the fields that were sent. A row that is gone is refused."""
        resource, known = plan.resource, int(plan.row_id or 0)
        path = row_path(resource, plan.parent_ids, known)
        body, row = plan.body, None
        if body and self.needs_row(plan):
            row = self._services.read_row(resource, path)
            body = merge_into_row(self.fields_to_send(plan, row), row)
        is_sent = bool(body) and self._puts.send(PutTarget(resource, path, plan.resend, row), body)
        called = self.run_actions(plan, known)
        return (*(body if is_sent else ()), *called)

    def only_empty_fields(self, plan: Plan) -> Plan:
        """Return a plan with only what its row lacks: what need not be written need not be created."""
        row = self._services.read_row(plan.resource, row_path(plan.resource, plan.parent_ids, int(plan.row_id or 0)))
        return replace(plan, body=self.fields_to_send(plan, row))

    def needs_row(self, plan: Plan) -> bool:
        """Say whether the row must be read first."""
        return self._services.rules.fill_empty_only or VALUES in plan.body

    def fields_to_send(self, plan: Plan, row: Mapping[str, Any]) -> Body:
        """Return the body without custom values that the row has; with `fill_empty_only` only what is empty there."""
        if not self._services.rules.fill_empty_only:
            values = missing_values(plan.body.get(VALUES, []), row)
            return {name: one for name, one in plan.body.items() if name != VALUES} | (
                {VALUES: values} if values else {}
            )
        write = plan.resource.write_spec
        columns = {name: write.column_of(name) for name in plan.body}
        body = {name: value for name, value in plan.body.items() if row.get(columns[name]) in _EMPTY}
        values = empty_fields(plan.body.get(VALUES, []), row)
        return {name: value for name, value in body.items() if name != VALUES} | ({VALUES: values} if values else {})

    def run_actions(self, plan: Plan, row_id: int) -> tuple[str, ...]:
        """Send the calls of a record, and return the names of those that were needed."""
        calls = plan.resource.write_spec.actions
        return tuple(
            call.name for call in calls if plan.actions.get(call.name) and self._run_action(plan, call, row_id)
        )

    def _run_action(self, plan: Plan, action: Action, row_id: int) -> bool:
        path, elements = action.path.format(id=row_id), plan.actions[action.name]
        if action.body_key:
            self._puts.send_action(path, {action.body_key: elements})
            return True
        sent = [self._link(plan.resource, action, path, row_id, one) for one in elements]
        return any(sent)

    def _link(self, resource: WritableResource, action: Action, path: str, row_id: int, element: Body) -> bool:
        """Make or undo a link, once: whether FieldPulse takes the same one twice is not known."""
        ledger = self._services.ledger
        about = ":".join(str(element[name]) for name in action.item.required[:_LINK_KEY_FIELDS])
        said = hashlib.blake2b(canonical_json([action.name, element]), digest_size=6, person=b"fieldpulse").hexdigest()
        about += (
            f":{said}" if len(action.item.required) > _LINK_KEY_FIELDS else ""
        )  # what more it says makes it another link
        key = LedgerKey(resource.name, KeyKind(action.link), f"{row_id}:{about}")
        hashes = {action.name: said}
        entry = ledger.find(key)
        if entry and entry.status == "pending":
            raise _uncertain_link(key, path)
        if entry and entry.property_hashes == hashes:
            return False
        ledger.forget(key)
        ledger.add_pending(key, parent_ids={}, fingerprint={}, max_id_before=0, property_hashes=hashes)
        try:
            self._services.client.post(path, element)
        except UncertainWrite:
            raise _uncertain_link(key, path) from None
        except FieldPulseError:
            ledger.forget(key)
            raise
        ledger.upsert(key, row_id=None, parent_ids={}, property_hashes=hashes)
        return True


def _uncertain_link(key: LedgerKey, path: str) -> UncertainWrite:
    return UncertainWrite(
        "Whether the link was made is unknown, and it is not tried again by itself.",
        where=f"POST {path} · ledger: stream {key.stream}, key {key.text}",
        hint="look at the row in FieldPulse; then `fieldpulse ledger settle` with this stream and key",
    )
