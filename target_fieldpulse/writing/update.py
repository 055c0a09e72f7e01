"""Updates: the fields of a row that changed, or only its empty ones, and the actions of a record."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from fieldpulse_api.errors import FieldPulseError, UncertainWrite
from fieldpulse_api.resources.model import WritableResource
from fieldpulse_api.resources.write_model import TEXT_TIME_FLAG, Action, FieldType
from target_fieldpulse.planning.plan import Body, Plan, differing_fields
from target_fieldpulse.records.custom_fields import FIELD as VALUES
from target_fieldpulse.records.custom_fields import empty_fields, merge_into_row, missing_values
from target_fieldpulse.records.json_values import canonical_json, comparable_json
from target_fieldpulse.records.ledger_key import KeyKind, LedgerKey

from .put import PutSender
from .put_target import PutTarget
from .services import WriteServices, row_path

_EMPTY: tuple[Any, ...] = (None, "", [], {})
_LINK_KEY_FIELDS = 2  # the fields that name the linked row: its type and its id


class RowUpdater:
    """Update rows. May be used by many threads.

    Raises: RecordError if FieldPulse rejects the record or its row is gone; UncertainWrite if its outcome is unknown.
    """

    def __init__(self, services: WriteServices, puts: PutSender) -> None:
        self._services, self._puts = services, puts

    def update(self, plan: Plan) -> tuple[str, ...]:
        """Send what a plan changes, and return the names of the fields and actions that were sent."""
        resource, row_id = plan.resource, int(plan.row_id or 0)
        path = row_path(resource, plan.parent_ids, row_id)
        body, row = plan.body, None
        if body and self.needs_row(plan):
            row = self._services.read_row(resource, path)
            body = merge_into_row(self.fields_to_send(plan, row), row)
        is_sent = bool(body) and self._puts.send(PutTarget(resource, path, row_id, plan.resend, row), body)
        actions = self.run_actions(plan, row_id)
        return (*(body if is_sent else ()), *actions)

    def only_empty_fields(self, plan: Plan) -> Plan:
        """Return a plan with only the fields that are empty in its row: it may need fewer rows to be created first."""
        row = self._services.read_row(plan.resource, row_path(plan.resource, plan.parent_ids, int(plan.row_id or 0)))
        return replace(plan, body=self.fields_to_send(plan, row))

    def needs_row(self, plan: Plan) -> bool:
        """Return whether an update must read the row first."""
        return self._services.policy.fill_empty_only or plan.compares_row or VALUES in plan.body

    def fields_to_send(self, plan: Plan, row: Mapping[str, Any]) -> Body:
        """Return the body without custom fields that the row holds, and without all that it holds if it is compared.

        With `fill_empty_only`, only its empty fields are left.
        """
        body = {name: value for name, value in plan.body.items() if name != VALUES}
        values = plan.body.get(VALUES, [])
        if self._services.policy.fill_empty_only:
            column_of = plan.resource.write_spec.column_of
            body = {name: value for name, value in body.items() if row.get(column_of(name)) in _EMPTY}
            values = empty_fields(values, row)
        else:
            values = missing_values(values, row, self._services.codec)
        if plan.compares_row:
            differing = set(differing_fields(plan.resource, body, row, self._services.codec))
            body = {name: value for name, value in body.items() if name in differing}
        by_name = plan.resource.write_spec.by_name
        if not any(by_name[name].type is FieldType.TEXT_TIME for name in body.keys() & by_name):
            body.pop(TEXT_TIME_FLAG, None)
        return body | ({VALUES: values} if values else {})

    def run_actions(self, plan: Plan, row_id: int) -> tuple[str, ...]:
        """Send the actions of a record, and return the names of those that had something to send."""
        actions = [action for action in plan.resource.write_spec.actions if plan.actions.get(action.name)]
        return tuple(action.name for action in actions if self._run_action(plan, action, row_id))

    def _run_action(self, plan: Plan, action: Action, row_id: int) -> bool:
        path, elements = action.path.format(id=row_id), plan.actions[action.name]
        if action.body_key:
            self._puts.send_action(path, {action.body_key: elements})
            return True
        are_sent = [self._link(plan.resource, action, path, row_id, element) for element in elements]
        return any(are_sent)

    def _link(self, resource: WritableResource, action: Action, path: str, row_id: int, element: Body) -> bool:
        """Create or remove a link, unless the last element sent for it was the same.

        It is unknown whether FieldPulse creates a second link from the same request, so an uncertain one is never
        sent again. An element with more than the linked row (such as an item's quantity) is a link of its own.
        """
        ledger, required = self._services.ledger, action.item.required
        element_hash = hashlib.blake2b(
            canonical_json([action.name, comparable_json(element)]), digest_size=6, person=b"fieldpulse"
        ).hexdigest()
        parts = [str(row_id), *(str(element[name]) for name in required[:_LINK_KEY_FIELDS])]
        if len(required) > _LINK_KEY_FIELDS:
            parts.append(element_hash)
        key = LedgerKey(resource.name, KeyKind(action.link_kind), ":".join(parts))
        hashes = {action.name: element_hash}
        entry = ledger.find(key)
        if entry and entry.status == "pending":
            raise _uncertain_link_error(key, path)
        if entry and entry.property_hashes == hashes:
            return False
        pending = ledger.add_pending(
            key, parent_ids={}, fingerprint={}, max_id_before=0, property_hashes=hashes, replaces=entry
        )
        try:
            self._services.client.post(path, element)
        except UncertainWrite:
            raise _uncertain_link_error(key, path) from None
        except FieldPulseError:
            ledger.discard(pending)
            raise
        ledger.upsert(key, row_id=None, parent_ids={}, property_hashes=hashes)
        return True


def _uncertain_link_error(key: LedgerKey, path: str) -> UncertainWrite:
    return UncertainWrite(
        "Cannot confirm this link, and links are never sent again by themselves.",
        where=f"POST {path} · ledger: stream {key.stream}, key {key.text}",
        hint="look at the row in FieldPulse, then use `fieldpulse ledger settle` with this stream and key",
    )
