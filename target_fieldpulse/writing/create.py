"""Creates: noted before they are sent, found again when their answer is lost, never sent twice."""

from __future__ import annotations

import logging
import threading
import time
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from fieldpulse_api.errors import FieldPulseError, ServerError, UncertainWrite
from fieldpulse_api.reading.incremental_scan import newest_id
from fieldpulse_api.reading.pages import Pages
from fieldpulse_api.resources.model import WritableResource
from fieldpulse_api.values.scalars import optional_int
from target_fieldpulse.planning.lookups import cell, field_of
from target_fieldpulse.planning.plan import Plan, create_plan, differing_fields
from target_fieldpulse.records.custom_field_entries import merge_into_row
from target_fieldpulse.records.field_codec import refuse

from .fingerprint import fingerprint_of, hash_value
from .put import PutSender, PutTarget
from .services import WriteServices, row_path
from .uncertain_creates import UncertainCreates

_LOGGER = logging.getLogger(__name__)
_MAX_CREATE_ATTEMPTS = 3


class RowCreator:
    """Create rows. May be used by many threads.

    Raises: RecordRefused, OutcomeUnknown for a record in doubt; anything else ends the run.
    """

    def __init__(self, services: WriteServices, uncertain_creates: UncertainCreates, puts: PutSender) -> None:
        self._services, self._uncertain_creates, self._puts = services, uncertain_creates, puts
        self._locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        self._max_ids: dict[str, int] = {}
        self._fingerprint_locks = [threading.Lock() for _ in range(1024)]

    def create(self, plan: Plan) -> int:
        """Create the row of a plan, and return its id."""
        resource, key = plan.resource, plan.ledger_key
        marks = self._fingerprint(plan)
        after_id = self._max_id_before(resource, plan.parent_ids)
        with self._fingerprint_lock(marks):
            for _ in range(_MAX_CREATE_ATTEMPTS):
                self._services.ledger.add_pending(
                    key,
                    parent_ids=plan.parent_ids,
                    fingerprint=marks,
                    max_id_before=after_id,
                    property_hashes=plan.property_hashes,
                )
                created = self._send(plan)
                if created is not None:
                    return created
        raise ServerError(
            f"FieldPulse carried out none of {_MAX_CREATE_ATTEMPTS} creates of the same record, and refused none.",
            where=f"POST {_create_path(resource, plan.parent_ids)}",
            hint="run again later; what was done is kept",
        )

    def resume(self, plan: Plan) -> int:
        """Go on with a create that an earlier run began and did not see the end of; return the row's id."""
        resource, key = plan.resource, plan.ledger_key
        entry = self._services.ledger.find(key)
        if entry is None:
            return self.create(create_plan(plan))
        with self._fingerprint_lock(entry.fingerprint):
            known = entry.row_id or self._uncertain_creates.settle(resource, entry)
            if known is None:
                self._services.ledger.forget(key)
        if known is None:
            return self.create(create_plan(plan))
        if dict(entry.parent_ids) != dict(plan.parent_ids):
            names = ", ".join(resource.parent_keys)
            raise refuse(f"{names} has changed, and FieldPulse moves no row of {resource.name}", names)
        self._complete_linked_row(plan, known, entry.parent_ids)
        return known

    def _fingerprint(self, plan: Plan) -> Mapping[str, str]:
        """Return what recognises the row: the source's key where FieldPulse keeps it, else what the record says."""
        column = self._services.key_columns.get(plan.resource.name)
        key = cell(plan.body, column) if column else None
        if column and key is not None:
            return {column: hash_value(field_of(plan.resource, column), key, self._services.codec)}
        return fingerprint_of(plan.resource, plan.body, self._services.codec)

    def _fingerprint_lock(self, marks: Mapping[str, str]) -> threading.Lock:
        """Return the lock of creates that look alike: one in doubt must not take the row of one under way."""
        return self._fingerprint_locks[hash(frozenset(marks.items())) % len(self._fingerprint_locks)]

    def _send(self, plan: Plan) -> int | None:
        """Send a create that was noted; return the id of its row, or None when it was not carried out."""
        resource, key = plan.resource, plan.ledger_key
        path = _create_path(resource, plan.parent_ids)
        try:
            row = self._services.client.post(path, plan.body).data
            created = _created_id(row, path)
        except UncertainWrite as unknown:
            return self._settle(plan, unknown)
        except FieldPulseError:
            self._services.ledger.forget(key)  # refused, or it never left: it did not happen
            raise
        self._record_created(plan, created, plan.parent_ids)
        self._observe_id(resource, created)
        self._services.lookups.upsert(resource.name, plan.parent_ids, created, row)  # with what FieldPulse made of it
        return created

    def _settle(self, plan: Plan, unknown: UncertainWrite) -> int | None:
        key = plan.ledger_key
        entry = self._services.ledger.find(key)
        created = None
        if entry:
            created = entry.row_id or self._uncertain_creates.settle(plan.resource, entry, failed_at=time.time())
        if created is None:
            self._services.ledger.forget(key)
            _LOGGER.warning("%s: %s It was not, and is sent again.", key.stream, unknown.what)
            return None
        _LOGGER.warning("%s: %s It was, as id %d.", key.stream, unknown.what, created)
        self._complete_linked_row(plan, created, plan.parent_ids)
        return created

    def _complete_linked_row(self, plan: Plan, created: int, above: Mapping[str, int]) -> None:
        """Make an adopted row say what the record says: of creates that look alike, it may be the other's."""
        resource, wire = plan.resource, self._services.codec
        path = row_path(resource, above, created)
        row = self._services.read_row(resource, path)
        lacking = {name: plan.body[name] for name in differing_fields(resource, plan.body, row, wire)}
        if lacking:
            self._puts.send(PutTarget(resource, path, plan.body, row), merge_into_row(lacking, row))
        self._record_created(plan, created, above)

    def _record_created(self, plan: Plan, created: int, above: Mapping[str, int]) -> None:
        """Note that the row is there. Calls come after the create, and may fail: what they say is not noted yet."""
        said = {name: one for name, one in plan.property_hashes.items() if name not in plan.actions}
        audit = None if plan.actions else self._services.audit.written_row(plan, "created", created)
        self._services.ledger.upsert(
            plan.ledger_key, row_id=created, parent_ids=above, property_hashes=said, audit=audit
        )

    def _max_id_before(self, resource: WritableResource, parent_ids: Mapping[str, int]) -> int:
        """Return an id that is there already: what is created from now on lies above it."""
        if resource.parent:  # short lists, which are read for matches anyway
            return self._services.lookups.get(resource.name, parent_ids).newest_id
        with self._locks[resource.name]:
            if resource.name not in self._max_ids:
                self._max_ids[resource.name] = newest_id(
                    Pages(self._services.client, resource, self._services.read_options)
                )
            return self._max_ids[resource.name]

    def _observe_id(self, resource: WritableResource, created: int) -> None:
        """Take note that what is created from now on lies above a row."""
        if not resource.parent:
            with self._locks[resource.name]:
                self._max_ids[resource.name] = max(created, self._max_ids[resource.name])


def _create_path(resource: WritableResource, parent_ids: Mapping[str, int]) -> str:
    return (resource.create_path or resource.path).format(**parent_ids)


def _created_id(row: Any, path: str) -> int:
    created = optional_int(row.get("id")) if isinstance(row, dict) else None
    if created is None:
        what = "FieldPulse did not say which row it created."
        raise UncertainWrite(what, where=f"POST {path}", hint="nothing: it is looked for")
    return created
