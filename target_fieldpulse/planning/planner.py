"""The planner: decides for each record whether its row is created, updated, deleted or left alone. It sends nothing."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from contextlib import suppress
from dataclasses import replace

from fieldpulse_api.errors import RecordInvalid, RowNotFound
from fieldpulse_api.resources.catalogue import WRITABLE
from fieldpulse_api.resources.model import Operation
from fieldpulse_api.values.scalars import ConversionError
from target_fieldpulse.ledger.ledger import WRITTEN, Entry
from target_fieldpulse.records.field_codec import FieldCodec, invalid_field
from target_fieldpulse.records.ledger_key import KeyKind, LedgerKey, source_key
from target_fieldpulse.records.parsed_record import (
    COMPANY_ID,
    EXTERNAL_ID,
    INPUT_STREAM,
    LEAVE_ID_OUT,
    ParsedRecord,
    is_blank,
)
from target_fieldpulse.records.property_hashes import (
    PropertyHashes,
    changed_properties,
    hash_properties,
    hash_property,
    merge_hashes,
)

from .body_builder import BodyBuilder, Content, as_create
from .plan import Plan, PlanAction
from .planned_state import PlannedState
from .row_matcher import RowMatcher
from .write_policy import WritePolicy

_LOGGER = logging.getLogger(__name__)


class Planner:
    """Plans records of any writable stream. May be used by many threads.

    The row of a record is, in this order: the one in the ledger, the one with the record's `id`, the one that matches.
    A record without a row is created. `company_id` is that of the account, None if it is not known. `input_streams` are
    the streams of the input that stream maps rename: one key must not come from two of them.
    """

    def __init__(
        self,
        state: PlannedState,
        bodies: BodyBuilder,
        matcher: RowMatcher,
        policy: WritePolicy,
        codec: FieldCodec,
        *,
        company_id: str | None,
        input_streams: AbstractSet[str],
    ) -> None:
        self._state, self._bodies, self._matcher, self._policy = state, bodies, matcher, policy
        self._codec, self._company_id, self._input_streams = codec, company_id, input_streams

    def plan(self, record: ParsedRecord) -> Plan:
        """Return the plan of a record. Raises: RecordInvalid for an invalid record; what reading a look-up raises."""
        is_row_change = record.resource.write_spec.target_resource is not None
        plan = None if is_row_change else self._plan_superseded(record, record.key)
        if plan is None:
            if record.error:
                raise record.error
            is_of_account = self._is_of_account(record)
            plan = (
                self._plan_row_change(record)
                if is_row_change
                else self._plan_row(record, self._state.find(record.key), is_of_account=is_of_account)
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
                    plans[key] = self._plan_row(record, entry, is_of_account=self._is_of_account(record))
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
        plan = self._plan_update(record, row_id, written={}, parent_ids=content.parent_ids)
        return replace(plan, rejected_at=record.rejected_at)

    def _is_of_account(self, record: ParsedRecord) -> bool:
        """Return whether a record has the company's id. Raises: RecordInvalid if it has that of another company."""
        value = record.values.get(COMPANY_ID)
        if is_blank(value) or self._company_id is None:
            return False
        with suppress(ConversionError):
            if source_key(value) == self._company_id:
                return True
        raise invalid_field(
            f"{COMPANY_ID} is that of another FieldPulse account",
            COMPANY_ID,
            f"check which account the API key belongs to; leave it out if it is the source's own (`{COMPANY_ID}: "
            "__NULL__` in a stream map)",
        )

    def _raise_if_of_other_stream(self, record: ParsedRecord, entry: Entry) -> None:
        """Raise RecordInvalid if two streams are mapped to one, and the key of the record is that of the other one."""
        written = entry.property_hashes.get(INPUT_STREAM)
        others = self._input_streams - {record.input_stream}
        other = next((name for name in others if hash_property(INPUT_STREAM, name)[INPUT_STREAM] == written), None)
        if written and other and record.input_stream:
            streams = f"{other!r} and {record.input_stream!r}"
            raise invalid_field(
                f"the input streams {streams} are mapped to `{record.resource.name}` with the same key",
                EXTERNAL_ID,
                "give each of them keys of its own, such as `'contact-' + str(id)`, or set `shared_rows: allow`",
            )

    def _plan_row(self, record: ParsedRecord, entry: Entry | None, *, is_of_account: bool) -> Plan:
        if entry and entry.status != "deleted" and not self._policy.allow_shared_rows:
            self._raise_if_of_other_stream(record, entry)
        has_ids = record.row_id is not None and record.external_id is not None
        if has_ids and not (is_of_account or self._policy.trust_ids or (entry and entry.row_id == record.row_id)):
            raise invalid_field(
                "the record has an external_id and an id, and the ledger does not have this row for its key",
                "id",
                f"{LEAVE_ID_OUT}; if it is the FieldPulse id, set trust_ids",
            )
        if record.is_deleted:
            return self._plan_delete(record, entry)
        if entry and entry.status == "pending":
            return self._plan_create("resume_create", record, self._bodies.full(record))
        if entry and entry.status != "deleted" and record.row_id in (None, entry.row_id):
            return self._plan_known(record, entry)
        if record.row_id is not None:
            self._matcher.claim(record, record.row_id, "id")
            return self._plan_update(record, record.row_id, written={}, parent_ids={})
        return self._plan_new(record)

    def _plan_known(self, record: ParsedRecord, entry: Entry) -> Plan:
        """Plan a record whose row the ledger knows."""
        if entry.status == "linked":  # nothing was written to the row yet: any field may differ from the record
            return self._plan_create("resume_create", record, self._bodies.full(record))
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
        return self._plan_update(record, entry.row_id, written=entry.property_hashes, parent_ids=entry.parent_ids)

    def _plan_new(self, record: ParsedRecord) -> Plan:
        """Plan a record that was never written; its row may exist all the same."""
        content = self._bodies.full(record)
        row_id = self._matcher.match(record, content.parent_ids, content.body)
        if row_id is not None:
            return self._plan_update(record, row_id, written={}, parent_ids=content.parent_ids)
        if self._policy.mode(record.resource.name) == "update_only":
            reason = "write_mode is update_only, and no row matches"
            return Plan("skip", record.resource, record.key, reason=reason)
        return as_create(self._plan_create("create", record, content))

    def _plan_create(self, action: PlanAction, record: ParsedRecord, content: Content) -> Plan:
        hashes = _hashes_written(record, content)
        return Plan(
            action,
            record.resource,
            record.key,
            parent_ids=content.parent_ids,
            body=content.body,
            actions=content.actions,
            changed=tuple(hashes),
            property_hashes=hashes,
            dropped=content.dropped,
        )

    def _plan_update(
        self, record: ParsedRecord, row_id: int, *, written: PropertyHashes, parent_ids: Mapping[str, int]
    ) -> Plan:
        """Plan an update with the properties that differ from those `written` last."""
        if self._policy.mode(record.resource.name) == "create_only":
            reason = "write_mode is create_only, and the row exists"
            return Plan("skip", record.resource, record.key, row_id, reason=reason)
        changed = changed_properties(record.property_hashes, written)
        content = self._bodies.changes(record, changed, parent_ids)
        hashes = _hashes_written(record, content)
        changed = tuple(name for name in changed if name in hashes)
        if not changed and written:
            return Plan("unchanged", record.resource, record.key, row_id, parent_ids, dropped=content.dropped)
        return Plan(
            "update",
            record.resource,
            record.key,
            row_id,
            content.parent_ids,
            body=content.body,
            resend=content.resend,
            actions=content.actions,
            changed=changed,
            property_hashes=merge_hashes(record.resource.write_spec, written, hashes),
            compares_row=not written,
            dropped=content.dropped,
        )

    def _plan_delete(self, record: ParsedRecord, entry: Entry | None) -> Plan:
        """Plan a record that was deleted at its source.

        Only a row that is certain is deleted: by `id`, from the ledger, or because FieldPulse keeps its external_id.
        """
        resource, row_id = record.resource, record.row_id or (entry.row_id if entry else None)
        if row_id is None:
            row_id = self._matcher.row_with_external_id(resource.name, record.external_id)
        if entry and entry.status == "deleted" and row_id == entry.row_id:
            return Plan("unchanged", resource, record.key, row_id)
        if not self._policy.hard_delete:
            reason = "it was deleted at its source, and hard_delete is not set"
            return Plan("skip", resource, record.key, row_id, reason=reason)
        if Operation.DELETE not in resource.operations:
            raise invalid_field(
                f"FieldPulse cannot delete rows of `{resource.name}`", "deleted_at", "archive the row instead"
            )
        if entry and entry.status == "pending":
            raise invalid_field(
                "the outcome of its create is unknown",
                "deleted_at",
                "send it once without deleted_at, or settle it with `fieldpulse ledger settle`",
            )
        if row_id is None:
            reason = "it was deleted at its source, and was never written"
            return Plan("skip", resource, record.key, reason=reason)
        parent_ids = entry.parent_ids if entry and entry.row_id == row_id else {}
        if set(resource.parent_keys) - set(parent_ids):
            parent_ids = self._bodies.parent_ids(record)
        return Plan("delete", resource, record.key, row_id, parent_ids)

    def _plan_row_change(self, record: ParsedRecord) -> Plan:
        """Plan a record of a stream that changes rows of another one. The row is the record's key."""
        resource, write = record.resource, record.resource.write_spec
        if record.is_deleted:
            raise invalid_field(f"FieldPulse cannot delete rows of `{resource.name}`", "deleted_at")
        row_id, body = self._bodies.row_change(record)
        key = row_change_key(resource.name, row_id)
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


def _hashes_written(record: ParsedRecord, content: Content) -> PropertyHashes:
    """Return the hashes of the properties that are not left out: a later right value of those is a change."""
    fields_by_property = record.resource.write_spec.fields_by_property
    return {
        name: value
        for name, value in record.property_hashes.items()
        if not content.dropped.keys() & {name, *fields_by_property.get(name, ())}
    }


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


def row_change_key(stream: str, row_id: int) -> LedgerKey:
    """Return the ledger key for the writes of a stream that changes rows of another one."""
    return LedgerKey(stream, KeyKind.ROW_ID, str(row_id))
