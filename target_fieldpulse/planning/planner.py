"""The planner: decides for each record whether its row is created, updated, deleted or left alone. It sends nothing."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace

from fieldpulse_api.errors import RecordInvalid, RowNotFound
from fieldpulse_api.resources.catalogue import WRITABLE
from target_fieldpulse.ledger.entry import WRITTEN, Entry
from target_fieldpulse.records.field_codec import FieldCodec, invalid_field
from target_fieldpulse.records.ledger_key import LedgerKey
from target_fieldpulse.records.parsed_record import ParsedRecord
from target_fieldpulse.records.property_hashes import changed_properties, hash_properties

from .body_builder import BodyBuilder, as_create
from .origin_check import OriginCheck
from .plan import Plan
from .plan_builder import PlanBuilder
from .planned_state import PlannedState
from .row_matcher import RowMatcher
from .write_policy import WritePolicy

_LOGGER = logging.getLogger(__name__)


class Planner:
    """Plans records of any writable stream. May be used by many threads.

    The row of a record is, in this order: the one in the ledger, the one with the record's `id`, the one that matches.
    A record without a row is created.
    """

    def __init__(
        self,
        state: PlannedState,
        bodies: BodyBuilder,
        matcher: RowMatcher,
        policy: WritePolicy,
        *,
        codec: FieldCodec,
        origin_check: OriginCheck,
    ) -> None:
        self._state, self._bodies, self._matcher, self._policy = state, bodies, matcher, policy
        self._codec, self._origin_check = codec, origin_check
        self._builder = PlanBuilder(bodies, matcher, policy)

    def plan(self, record: ParsedRecord) -> Plan:
        """Return the plan of a record. Raises: RecordInvalid for an invalid record; what reading a look-up raises."""
        is_row_change = record.resource.write_spec.target_resource is not None
        plan = None if is_row_change else self._plan_superseded(record, record.key)
        if plan is None:
            if record.error:
                raise record.error
            plan = (
                self._plan_row_change(record) if is_row_change else self._plan_row(record, self._state.find(record.key))
            )
            plan = replace(plan, rejected_at=record.rejected_at)
        _log(plan)
        return plan

    def plan_unchanged(self, records: Iterable[ParsedRecord]) -> dict[LedgerKey, Plan]:
        """Return the plans of the records that change nothing, by their keys. Every other record is to be planned.

        The keys differ, and nothing that writes one of them is in flight. This reads the ledger alone.
        """
        by_key = {record.key: record for record in records if _is_upsert(record)}
        plans: dict[LedgerKey, Plan] = {}
        for key, entry in self._state.find_all(by_key).items():
            record = by_key[key]
            if _is_written(record, entry):
                with suppress(RecordInvalid):
                    plans[key] = self._plan_row(record, entry)
                    _log(plans[key])
        return plans

    def _plan_superseded(self, record: ParsedRecord, key: LedgerKey) -> Plan | None:
        """Return the plan of a replayed record whose key was written after it was rejected: it would bring it back."""
        entry = self._state.find(key) if record.rejected_at else None
        if not (entry and record.rejected_at) or entry.status not in WRITTEN:
            return None
        if entry.updated_at <= record.rejected_at:
            return None
        return Plan("superseded", record.resource, key, entry.row_id, reason="its key was written since")

    def plan_survivor(self, record: ParsedRecord, gone: Plan) -> Plan:
        """Return the plan of a record whose row in the ledger is gone: it was deleted, or merged into another row.

        Raises: RowNotFound if no other row matches. The record is never created again by itself.
        """
        resource, content, row_id, reason = record.resource, self._bodies.full(record), None, ""
        try:
            row_id = self._matcher.match(record, content.parent_ids, content.body)
        except RecordInvalid as error:
            reason = f" Then {error.what}."
        if row_id is None or row_id == gone.row_id:
            moved = f", or became a row of `{resource.moves_to}`" if resource.moves_to else ""
            raise RowNotFound(
                f"Row {gone.row_id} of this key is gone: it was deleted, or merged into another row{moved}.{reason}",
                where=f"ledger · stream {resource.name}",
                hint=f"`fieldpulse ledger relink --stream {resource.name} --key {record.key.redacted} --id ID` gives "
                "the key the row that replaces it; with --forget, the next run matches or creates one",
            )
        plan = self._builder.update(record, row_id, written={}, parent_ids=content.parent_ids)
        return replace(plan, rejected_at=record.rejected_at)

    def _plan_row(self, record: ParsedRecord, entry: Entry | None) -> Plan:
        self._origin_check.check_row(record, entry)
        if record.is_deleted:
            return self._builder.delete(record, entry)
        if entry and entry.status == "pending":
            return self._builder.create("resume_create", record, self._bodies.full(record))
        if entry and entry.status != "deleted" and record.row_id in (None, entry.row_id):
            return self._plan_known(record, entry)
        if record.row_id is not None:
            self._matcher.claim(record, record.row_id, "id")
            return self._builder.update(record, record.row_id, written={}, parent_ids={})
        return self._plan_new(record)

    def _plan_known(self, record: ParsedRecord, entry: Entry) -> Plan:
        """Plan a record whose row the ledger knows."""
        if entry.status == "linked":  # nothing was written to the row yet: any field may differ from the record
            return self._builder.create("resume_create", record, self._bodies.full(record))
        if entry.row_id is None or not changed_properties(record.property_hashes, entry.property_hashes):
            return Plan(
                "unchanged",
                record.resource,
                record.key,
                entry.row_id,
                entry.parent_ids,
                property_hashes=entry.property_hashes,
                is_news=entry.status == "outdated",
            )
        return self._builder.update(record, entry.row_id, written=entry.property_hashes, parent_ids=entry.parent_ids)

    def _plan_new(self, record: ParsedRecord) -> Plan:
        """Plan a record that was never written; its row may exist all the same."""
        content = self._bodies.full(record)
        row_id = self._matcher.match(record, content.parent_ids, content.body)
        if row_id is not None:
            return self._builder.update(record, row_id, written={}, parent_ids=content.parent_ids)
        if self._policy.mode(record.resource.name) == "update_only":
            reason = "write_mode is update_only, and no row matches"
            return Plan("skip", record.resource, record.key, reason=reason)
        return as_create(self._builder.create("create", record, content))

    def _plan_row_change(self, record: ParsedRecord) -> Plan:
        """Plan a record of a stream that changes rows of another one. The row is the record's key."""
        self._origin_check.check_account(record)
        resource, write = record.resource, record.resource.write_spec
        if record.is_deleted:
            raise invalid_field(f"FieldPulse cannot delete rows of `{resource.name}`", "deleted_at")
        row_id, body = self._bodies.row_change(record)
        key = LedgerKey.of_row_change(resource.name, row_id)
        superseded = self._plan_superseded(record, key)
        if superseded:
            return superseded
        hashes = hash_properties(write, body, self._codec)
        entry = self._state.find(key)
        changed = changed_properties(hashes, entry.property_hashes if entry else {})
        if changed and self._policy.mode(resource.name) == "create_only":
            reason = "write_mode is create_only, and the stream only changes rows"
            return Plan("skip", resource, key, row_id, reason=reason)
        return Plan(
            "update" if changed else "unchanged",
            WRITABLE[str(write.target_resource)],
            key,
            row_id,
            body=body,
            changed=changed,
            property_hashes=hashes,
            compares_row=entry is None,
            is_news=entry is not None and entry.status == "outdated",
        )


def _is_upsert(record: ParsedRecord) -> bool:
    """Return whether a record is valid, says what its own row holds, and is not a replay: its entry alone decides."""
    is_valid = record.error is None and bool(record.key.value)
    is_of_row = record.resource.write_spec.target_resource is None and not record.is_deleted
    return is_valid and is_of_row and record.rejected_at is None


def _is_written(record: ParsedRecord, entry: Entry) -> bool:
    """Return whether the row of a record holds what the record says."""
    is_same_row = record.row_id in (None, entry.row_id)
    is_known = entry.status in ("written", "outdated") and entry.row_id is not None and is_same_row
    return is_known and not changed_properties(record.property_hashes, entry.property_hashes)


def _log(plan: Plan) -> None:
    if _LOGGER.isEnabledFor(logging.DEBUG):
        key, reason = plan.ledger_key, plan.reason and f" ({plan.reason})"
        _LOGGER.debug("plan %s %s: %s%s", key.stream, key.redacted, plan.action, reason)
