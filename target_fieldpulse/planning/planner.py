"""A record and what is known → what is to be done. Asks the ledger and the look-ups; sends nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from fieldpulse_api.errors import RecordInvalid
from fieldpulse_api.resources.catalogue import WRITABLE
from fieldpulse_api.resources.model import Operation, WritableResource
from fieldpulse_api.resources.write_model import Action, WriteSpec
from fieldpulse_api.values.custom_fields import PROPERTY, VALUE_COLUMNS, entries_of
from target_fieldpulse.ledger.ledger import Entry
from target_fieldpulse.records import parsed_record as records
from target_fieldpulse.records.custom_field_entries import DEFINITION
from target_fieldpulse.records.custom_field_entries import FIELD as VALUES
from target_fieldpulse.records.custom_fields import CustomFieldWriter
from target_fieldpulse.records.field_codec import refuse
from target_fieldpulse.records.ledger_key import KeyKind, LedgerKey
from target_fieldpulse.records.parsed_record import Record
from target_fieldpulse.writing.services import WriteServices

from . import plan as plans
from .forecast import PlannedState
from .lookups import Lookup, plain_column
from .plan import Body, Plan
from .references import References

_KEY = "external_id"


class Planner:
    """Plan records of any writable stream. May be used by many threads.

    Raises: Invalid for a record that is wrong; what reading the look-ups raises.
    """

    def __init__(
        self, means: WriteServices, forecast: PlannedState, references: References, customs: CustomFieldWriter
    ) -> None:
        self._forecast, self._lookups, self._rules = forecast, means.lookups, means.policy
        self._wire, self._external_columns = means.codec, means.key_columns
        self._references, self._customs = references, customs

    def plan(self, resource: WritableResource, record: Record) -> Plan:
        """Return what is to be done for a record."""
        write = resource.write_spec
        if write.target_resource:
            return self._plan_row_change(resource, write, record)
        key = records.source_key(resource.name, record)
        entry = self._forecast.find(key)
        if records.is_deleted(record):
            return self._plan_delete(resource, record, key, entry)
        now = self._property_hashes(resource, write, record)
        if entry and entry.status == "pending":
            return self._full_body_plan("resume_create", resource, record, key, now)
        known = records.row_id(record)
        if entry and entry.status != "deleted" and known in (None, entry.row_id):
            return self._plan_known(resource, record, key, entry, now)
        if known is not None:
            return self._plan_update(resource, record, key, known=known, hashes=now, changed=tuple(now), above={})
        return self._plan_new(resource, record, key, now)

    def _plan_new(
        self, resource: WritableResource, record: Record, key: LedgerKey, now: records.PropertyHashes
    ) -> Plan:
        """Plan a record that was never written: its row may be there all the same."""
        whole = self._full_body_plan("create", resource, record, key, now)
        found = self._match(resource, whole, record)
        if found is not None:
            return self._plan_update(
                resource, record, key, known=found, hashes=now, changed=tuple(now), above=whole.parent_ids
            )
        if self._rules.mode(resource.name) == "update_only":
            return Plan("skip", resource, key, reason="write_mode is update_only, and FieldPulse has no such row")
        return plans.create_plan(whole)

    def _plan_known(
        self,
        resource: WritableResource,
        record: Record,
        key: LedgerKey,
        entry: Entry,
        now: records.PropertyHashes,
    ) -> Plan:
        """Plan a record whose row is known."""
        if entry.status == "linked":
            return self._full_body_plan("resume_create", resource, record, key, now)
        changed = records.changed_properties(now, entry.property_hashes)
        if not changed or entry.row_id is None:
            return Plan("unchanged", resource, key, entry.row_id, entry.parent_ids)
        return self._plan_update(
            resource,
            record,
            key,
            known=entry.row_id,
            hashes=records.merge_hashes(resource.write_spec, entry.property_hashes, now),
            changed=changed,
            above=entry.parent_ids,
        )

    def _plan_update(
        self,
        resource: WritableResource,
        record: Record,
        key: LedgerKey,
        *,
        known: int,
        hashes: records.PropertyHashes,
        changed: tuple[str, ...],
        above: Mapping[str, int],
    ) -> Plan:
        if self._rules.mode(resource.name) == "create_only":
            return Plan("skip", resource, key, known, reason="write_mode is create_only, and FieldPulse has the row")
        write = resource.write_spec
        fields = records.fields_of(write, changed)
        wanted = {*fields, *write.always_resend, *resource.parent_keys}
        filled = self._references.resolve(write, record, wanted)
        given = plans.build_body(write, record, filled, self._wire, wanted)
        if VALUES in fields:
            given |= self._custom_field_entries(resource, record, given, changed=changed, is_new=False)
        if _KEY in changed:
            given |= self._external_id_fields(resource, record, given)
        above = self._extract_parent_ids(resource, given, above)
        nulls = plans.clear_nulls(write, record, given, fields) if self._rules.clear_nulls else {}
        return Plan(
            "update",
            resource,
            key,
            known,
            above,
            body={name: value for name, value in given.items() if name in fields or name not in wanted} | nulls,
            resend={name: value for name, value in given.items() if name in write.always_resend},
            actions=self._actions(write, record, changed),
            changed=changed,
            property_hashes=hashes,
        )

    def _full_body_plan(
        self,
        action: plans.Action,
        resource: WritableResource,
        record: Record,
        key: LedgerKey,
        now: records.PropertyHashes,
    ) -> Plan:
        """Plan everything that a record says, as for a row that is not there."""
        write = resource.write_spec
        body = plans.build_body(write, record, self._references.resolve(write, record), self._wire)
        if VALUES in write.by_name:
            body |= self._custom_field_entries(resource, record, body, changed=tuple(now), is_new=True)
        body |= self._external_id_fields(resource, record, body)
        above = self._extract_parent_ids(resource, body, {})
        calls = self._actions(write, record, tuple(now))
        return Plan(
            action,
            resource,
            key,
            parent_ids=above,
            body=body,
            actions=calls,
            changed=tuple(now),
            property_hashes=now,
        )

    def _extract_parent_ids(
        self, resource: WritableResource, body: Body, known: Mapping[str, int]
    ) -> Mapping[str, int]:
        """Take the fields of the path out of a body. A row below another one cannot be moved to a third."""
        above = {**known}
        for name in resource.parent_keys:
            given = body.pop(name, None)
            if given is not None and known.get(name) not in (None, given):
                raise refuse(f"{name} has changed, and FieldPulse moves no row of {resource.name}", name)
            if given is None and name not in above:
                raise refuse(f"{name} is required: rows of {resource.name} are below it", name)
            above.setdefault(name, int(given or 0))
        return above

    def _property_hashes(self, resource: WritableResource, write: WriteSpec, record: Record) -> records.PropertyHashes:
        """Return what a record says; its own key counts where FieldPulse keeps that."""
        now = records.property_hashes(write, record, clears=self._rules.clear_nulls, fills=self._rules.fill_empty_only)
        key = records.external_id(record) if resource.name in self._external_columns else None
        return now | records.hash_property(_KEY, key) if key is not None else now

    def _custom_field_entries(
        self, resource: WritableResource, record: Record, body: Body, *, changed: tuple[str, ...], is_new: bool
    ) -> Body:
        """Return the values of custom fields that changed; named ones go instead of those in the API's own form."""
        given = record.get(PROPERTY)
        if given is None or not resource.custom_field_object:
            return {}
        if not isinstance(given, Mapping):
            raise refuse(f"{PROPERTY} is no object of names and values", PROPERTY)
        named = {name: value for name, value in given.items() if f"{PROPERTY}.{name}" in changed}
        held = {one: value for name in VALUE_COLUMNS for one, value in entries_of(record.get(name))}
        entries = self._customs.entries(resource.custom_field_object, named, held, clears=self._rules.clear_nulls)
        body.pop(VALUES, None)
        own = self._key_custom_field(resource)
        for entry in (one for one in entries if one[DEFINITION] == own):
            if entry["value"] not in ("", records.external_id(record)):
                raise refuse(f"{PROPERTY} has another value for the field that keeps external_id", PROPERTY)
        kept = [one for one in entries if one[DEFINITION] != own and not (is_new and one["value"] == "")]
        return {VALUES: kept} if kept else {}

    def _key_custom_field(self, resource: WritableResource) -> int | None:
        """Return the custom field that keeps the source's key."""
        name = plain_column(self._external_columns.get(resource.name, ""))
        return int(name.rpartition(":")[2]) if ":" in name else None

    def _external_id_fields(self, resource: WritableResource, record: Record, body: Body) -> Body:
        """Return where FieldPulse keeps the source's key."""
        column, key = self._external_columns.get(resource.name), records.external_id(record)
        if column is None or key is None:
            return {}
        own = self._key_custom_field(resource)
        return (
            {VALUES: [*body.get(VALUES, ()), {DEFINITION: own, "value": key}]} if own else {plain_column(column): key}
        )

    def _match(self, resource: WritableResource, whole: Plan, record: Record) -> int | None:
        """Return the one row that the record means, by the first set of fields that finds any."""
        lookup = None
        for fields, wanted in self._match_sets(resource, whole, record):
            lookup = lookup or self._lookups.get(resource.name, whole.parent_ids)
            found, name = lookup.find(wanted), " and ".join(fields)
            if len(found) > 1:
                ids = ", ".join(map(str, found))
                raise refuse(f"{name}: several rows have it: ids {ids}", name, "merge them, or give id")
            if found:
                self._refuse_row_of_other_key(resource, lookup, found[0], record, name)
                return found[0]
        return None

    def _match_sets(
        self, resource: WritableResource, whole: Plan, record: Record
    ) -> Iterator[tuple[tuple[str, ...], Body]]:
        """Yield the sets of fields that the record gives, as columns; the source's own key first."""
        column, key = self._external_columns.get(resource.name), records.external_id(record)
        if column and key is not None:
            yield (_KEY,), {column: key}
        by_name, body = resource.write_spec.by_name, {**whole.parent_ids, **whole.body}
        for fields in self._rules.match_sets_of(resource):
            own = [by_name[name] for name in fields if name not in resource.parent_keys]
            if own and all(self._wire.match_key(by_name[name], body.get(name)) for name in fields):
                yield fields, {one.column: body[one.name] for one in own}

    def _refuse_row_of_other_key(
        self, resource: WritableResource, lookup: Lookup, found: int, record: Record, name: str
    ) -> None:
        """Refuse a row in which FieldPulse keeps the key of another record."""
        column, key = self._external_columns.get(resource.name), records.external_id(record)
        kept = lookup.cell(found, column) if column and key is not None else None
        if kept not in (None, "") and str(kept) != key:
            raise refuse(
                f"{name}: row {found} has it, and belongs to another external_id", name, "give id, or merge them"
            )

    def _actions(self, write: WriteSpec, record: Record, changed: tuple[str, ...]) -> dict[str, list[Body]]:
        links = {call.link_kind for call in write.actions if call.name in changed and call.link_kind}
        due = [call for call in write.actions if call.name in changed or call.link_kind in links]
        wanted = [call for call in due if record.get(call.name) is not None]
        return {
            call.name: [self._action_item(call, one) for one in _elements(call, record[call.name])] for call in wanted
        }

    def _action_item(self, call: Action, given: Mapping[str, Any]) -> Body:
        filled = self._references.resolve(call.item, given)
        try:
            return plans.create_body(
                call.item, plans.build_body(call.item, given, filled, self._wire), to="in each element"
            )
        except RecordInvalid as error:
            raise refuse(f"{call.name}: {error.what}", call.name) from None

    def _plan_delete(self, resource: WritableResource, record: Record, key: LedgerKey, entry: Entry | None) -> Plan:
        known = records.row_id(record) or (entry.row_id if entry else None)
        if known is None:
            known = self._row_with_external_id(resource, record)
        if entry and entry.status == "deleted" and known == entry.row_id:
            return Plan("unchanged", resource, key, known)
        if not self._rules.hard_delete:
            return Plan("skip", resource, key, known, reason="it is deleted at its source, and hard_delete is not set")
        if Operation.DELETE not in resource.operations:
            raise refuse(f"FieldPulse deletes no {resource.name}", "deleted_at", "retire the row in another way")
        if entry and entry.status == "pending":
            raise refuse(
                "its create is in doubt", "deleted_at", "send it without deleted_at once, or settle it by hand"
            )
        if known is None:
            return Plan("skip", resource, key, reason="it is deleted at its source, and was never written")
        above = entry.parent_ids if entry and entry.row_id == known else {}
        if set(resource.parent_keys) - set(above):
            write = resource.write_spec
            above = self._extract_parent_ids(
                resource, {**self._references.resolve(write, record, set(resource.parent_keys))}, {}
            )
        return Plan("delete", resource, key, known, above)

    def _row_with_external_id(self, resource: WritableResource, record: Record) -> int | None:
        """Return the one row in which FieldPulse keeps the record's key: that is certain enough to delete it."""
        column, external = self._external_columns.get(resource.name), records.external_id(record)
        found = self._lookups.get(resource.name).find({column: external}) if column and external is not None else []
        return found[0] if len(found) == 1 else None

    def _plan_row_change(self, resource: WritableResource, write: WriteSpec, record: Record) -> Plan:
        """Plan a change of another resource's row: a move needs no key of its own, the row is its key."""
        if records.is_deleted(record):
            raise refuse(f"FieldPulse deletes no {resource.name}", "deleted_at")
        found = self._references.resolve(write, record)
        target = found.pop(str(write.row_reference), None)
        if target is None:
            row = write.reference(str(write.row_reference))
            raise refuse(f"none of {', '.join(row.properties)} is given", row.field)
        body = plans.build_body(write, record, found, self._wire)
        for name in write.required:
            if body.get(name) is None:
                raise refuse(f"none of {', '.join(write.reference(name).properties)} is given", name)
        key, now = row_ledger_key(resource.name, target), records.property_hashes(write, body)
        entry = self._forecast.find(key)
        changed = records.changed_properties(now, entry.property_hashes if entry else {})
        action: plans.Action = "update" if changed else "unchanged"
        if changed and self._rules.mode(resource.name) == "create_only":
            return Plan("skip", resource, key, target, reason="write_mode is create_only, and a move changes a row")
        return Plan(
            action, WRITABLE[str(write.target_resource)], key, target, body=body, changed=changed, property_hashes=now
        )


def row_ledger_key(stream: str, row_id: int) -> LedgerKey:
    """Return the ledger's key of a stream that changes rows of another: the row itself."""
    return LedgerKey(stream, KeyKind.ROW_ID, str(row_id))


def _elements(call: Action, given: Any) -> list[Mapping[str, Any]]:
    if call.body_key and isinstance(given, Mapping):
        given = given.get(call.body_key)
    if not isinstance(given, list) or not all(isinstance(one, Mapping) for one in given):
        raise refuse(f"{call.name} is no list of objects", call.name)
    return given
