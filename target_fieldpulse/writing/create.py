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
from fieldpulse_api.resources.model import Resource
from fieldpulse_api.values.scalars import ConversionError, to_integer
from target_fieldpulse.planning.lookups import cell, field_of
from target_fieldpulse.planning.plan import LedgerKey, Plan, create_plan, differing_fields
from target_fieldpulse.records.custom_field_entries import merge_into_row
from target_fieldpulse.records.field_codec import refuse

from .fingerprint import mark, marks_of
from .put import Place, Puts
from .services import Means, path_of
from .uncertain_creates import Doubts

_LOGGER = logging.getLogger(__name__)
_MOST_CREATES = 3


class Creates:
    """Create rows. May be used by many threads.

    Raises: RecordRefused, OutcomeUnknown for a record in doubt; anything else ends the run.
    """

    def __init__(self, means: Means, doubts: Doubts, puts: Puts) -> None:
        self._means, self._doubts, self._puts = means, doubts, puts
        self._locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        self._after_ids: dict[str, int] = {}
        self._alike = [threading.Lock() for _ in range(1024)]

    def create(self, plan: Plan) -> int:
        """Create the row of a plan, and return its id."""
        resource, note = plan.resource, plan.ledger_key
        marks = self._marks(plan)
        after_id = self._after_id(resource, plan.parent_ids)
        with self._turn(marks):
            for _ in range(_MOST_CREATES):
                self._means.ledger.intend(note, above=plan.parent_ids, marks=marks, after_id=after_id)
                created = self._send(plan)
                if created is not None:
                    return created
        raise ServerError(
            f"FieldPulse carried out none of {_MOST_CREATES} creates of the same record, and refused none.",
            where=f"POST {_path(resource, plan.parent_ids)}",
            hint="run again later; what was done is kept",
        )

    def finish(self, plan: Plan) -> int:
        """Go on with a create that an earlier run began and did not see the end of; return the row's id."""
        resource, note = plan.resource, plan.ledger_key
        entry = self._means.ledger.find(note.stream, note.key)
        if entry is None:
            return self.create(create_plan(plan))
        with self._turn(entry.marks):
            known = entry.row_id or self._doubts.settle(resource, entry)
            if known is None:
                self._means.ledger.forget(note.stream, note.key)
        if known is None:
            return self.create(create_plan(plan))
        if dict(entry.above) != dict(plan.parent_ids):
            names = ", ".join(resource.parent_keys)
            raise refuse(f"{names} has changed, and FieldPulse moves no row of {resource.name}", names)
        self._complete(plan, known, entry.above)
        return known

    def _marks(self, plan: Plan) -> Mapping[str, str]:
        """Return what recognises the row: the source's key where FieldPulse keeps it, else what the record says."""
        column = self._means.external.get(plan.resource.name)
        key = cell(plan.body, column) if column else None
        if column and key is not None:
            return {column: mark(field_of(plan.resource, column), key, self._means.wire)}
        return marks_of(plan.resource, plan.body, self._means.wire)

    def _turn(self, marks: Mapping[str, str]) -> threading.Lock:
        """Return the lock of creates that look alike: one in doubt must not take the row of one under way."""
        return self._alike[hash(frozenset(marks.items())) % len(self._alike)]

    def _send(self, plan: Plan) -> int | None:
        """Send a create that was noted; return the id of its row, or None when it was not carried out."""
        resource, note = plan.resource, plan.ledger_key
        path = _path(resource, plan.parent_ids)
        try:
            row = self._means.client.post(path, plan.body).data
            created = _id_of(row, path)
        except UncertainWrite as unknown:
            return self._find_out(plan, unknown)
        except FieldPulseError:
            self._means.ledger.forget(note.stream, note.key)  # refused, or it never left: it did not happen
            raise
        self._done(plan, created, plan.parent_ids)
        self._created(resource, created)
        self._means.lookups.upsert(resource.name, plan.parent_ids, created, row)  # with what FieldPulse made of it
        return created

    def _find_out(self, plan: Plan, unknown: UncertainWrite) -> int | None:
        note = plan.ledger_key
        entry = self._means.ledger.find(note.stream, note.key)
        created = None
        if entry:
            created = entry.row_id or self._doubts.settle(plan.resource, entry, failed_at=time.time())
        if created is None:
            self._means.ledger.forget(note.stream, note.key)
            _LOGGER.warning("%s: %s It was not, and is sent again.", note.stream, unknown.what)
            return None
        _LOGGER.warning("%s: %s It was, as id %d.", note.stream, unknown.what, created)
        self._complete(plan, created, plan.parent_ids)
        return created

    def _complete(self, plan: Plan, created: int, above: Mapping[str, int]) -> None:
        """Make an adopted row say what the record says: of creates that look alike, it may be the other's."""
        resource, wire = plan.resource, self._means.wire
        path = path_of(resource, above, created)
        row = self._means.row(resource, path)
        lacking = {name: plan.body[name] for name in differing_fields(resource, plan.body, row, wire)}
        if lacking:
            self._puts.put(Place(resource, path, plan.body, row), merge_into_row(lacking, row))
        self._done(plan, created, above)

    def _done(self, plan: Plan, created: int, above: Mapping[str, int]) -> None:
        """Note that the row is there. Calls come after the create, and may fail: what they say is not noted yet."""
        said = {name: one for name, one in plan.ledger_key.property_hashes.items() if name not in plan.actions}
        audit = None if plan.actions else self._means.audit.row(plan, "created", created)
        note = LedgerKey(plan.ledger_key.stream, plan.ledger_key.key, said)
        self._means.ledger.done(note, row_id=created, above=above, audit=audit)

    def _after_id(self, resource: Resource, above: Mapping[str, int]) -> int:
        """Return an id that is there already: what is created from now on lies above it."""
        if resource.parent:  # short lists, which are read for matches anyway
            return self._means.lookups.get(resource.name, above).newest_id
        with self._locks[resource.name]:
            if resource.name not in self._after_ids:
                self._after_ids[resource.name] = newest_id(Pages(self._means.client, resource, self._means.reading))
            return self._after_ids[resource.name]

    def _created(self, resource: Resource, created: int) -> None:
        """Take note that what is created from now on lies above a row."""
        if not resource.parent:
            with self._locks[resource.name]:
                self._after_ids[resource.name] = max(created, self._after_ids[resource.name])


def _path(resource: Resource, above: Mapping[str, int]) -> str:
    return (resource.create_path or resource.path).format(**above)


def _id_of(row: Any, path: str) -> int:
    try:
        created = to_integer(row["id"])
    except (ConversionError, TypeError, KeyError):
        created = None
    if created is None:
        what = "FieldPulse did not say which row it created."
        raise UncertainWrite(what, where=f"POST {path}", hint="nothing: it is looked for")
    return created
