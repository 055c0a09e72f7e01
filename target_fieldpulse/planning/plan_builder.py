"""Plans in full: the body and the hashes of a create or an update, and whether a row may be deleted."""

from __future__ import annotations

from collections.abc import Mapping

from fieldpulse_api.resources.model import Operation
from target_fieldpulse.ledger.entry import Entry
from target_fieldpulse.records.field_codec import invalid_field
from target_fieldpulse.records.parsed_record import ParsedRecord
from target_fieldpulse.records.property_hashes import PropertyHashes, changed_properties, merge_hashes

from .body_builder import BodyBuilder, Content
from .plan import Plan, PlanAction
from .row_matcher import RowMatcher
from .write_policy import WritePolicy


class PlanBuilder:
    """Builds the plans of records whose row is certain, or that get a new one. Raises: RecordInvalid."""

    def __init__(self, bodies: BodyBuilder, matcher: RowMatcher, policy: WritePolicy) -> None:
        self._bodies, self._matcher, self._policy = bodies, matcher, policy

    def create(self, action: PlanAction, record: ParsedRecord, content: Content) -> Plan:
        """Plan a create, or the rest of one whose outcome was unknown, with all that the record says."""
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

    def update(
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

    def delete(self, record: ParsedRecord, entry: Entry | None) -> Plan:
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


def _hashes_written(record: ParsedRecord, content: Content) -> PropertyHashes:
    """Return the hashes of the properties that are not left out: a later right value of those is a change."""
    fields_by_property = record.resource.write_spec.fields_by_property
    return {
        name: value
        for name, value in record.property_hashes.items()
        if not content.dropped.keys() & {name, *fields_by_property.get(name, ())}
    }
