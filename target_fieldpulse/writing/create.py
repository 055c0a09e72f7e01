"""Creates: committed to the ledger before they are sent, and searched for when their response is lost."""

from __future__ import annotations

import logging
import threading
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from fieldpulse_api.errors import FieldPulseError, RecordInvalid, ServerError, UncertainWrite
from fieldpulse_api.http.responses import uncertain_create
from fieldpulse_api.reading.incremental_scan import read_newest_id
from fieldpulse_api.reading.pages import Pages
from fieldpulse_api.resources.model import Resource
from fieldpulse_api.resources.write_model import FieldType
from fieldpulse_api.values.scalars import optional_int
from fieldpulse_api.values.text import object_class
from target_fieldpulse.ledger.entry import Entry
from target_fieldpulse.planning.body_builder import as_create
from target_fieldpulse.planning.plan import Body, Plan, differing_fields
from target_fieldpulse.records.custom_fields import merge_into_row
from target_fieldpulse.records.field_codec import invalid_field
from target_fieldpulse.records.property_hashes import without_nulls

from .fingerprint import fingerprint_of, hash_value
from .ignored_fields import IgnoredFields
from .put import PutSender
from .put_target import PutTarget
from .services import WriteServices, row_path
from .uncertain_creates import UncertainCreates

_LOGGER = logging.getLogger(__name__)
_MAX_ATTEMPTS = 3
_LOCKS = 1024


@dataclass(frozen=True)
class CreatedRow:
    """A row that was created, and its columns as far as the response showed them."""

    row_id: int
    columns: Mapping[str, Any] = field(default_factory=dict)


class RowCreator:
    """Create rows. May be used by many threads.

    Raises: RecordError if FieldPulse rejects the record, UncertainWrite if the outcome stays unknown; any other error
    ends the run.
    """

    def __init__(self, services: WriteServices, uncertain_creates: UncertainCreates, puts: PutSender) -> None:
        self._services, self._uncertain_creates, self._puts = services, uncertain_creates, puts
        self._ignored_fields = IgnoredFields(services)
        self._max_id_locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        self._max_ids: dict[str, int] = {}
        self._wants_classes: set[str] = set()
        self._fingerprint_locks = [threading.Lock() for _ in range(_LOCKS)]

    def create(self, plan: Plan) -> CreatedRow:
        """Create the row of a plan."""
        resource = plan.resource
        fingerprint = self._fingerprint(plan)
        max_id_before = self._max_id_before(resource, plan.parent_ids)
        with self._fingerprint_lock(fingerprint):
            sent_since = time.monotonic()
            for _ in range(_MAX_ATTEMPTS):
                entry = self._services.ledger.add_pending(
                    plan.ledger_key, parent_ids=plan.parent_ids, fingerprint=fingerprint, max_id_before=max_id_before
                )
                created = self._send(plan, entry)
                if created is not None:
                    return created
        error = ServerError(
            f"FieldPulse neither carried out nor rejected this create in {_MAX_ATTEMPTS} attempts.",
            where=f"POST {_create_path(resource, plan.parent_ids)}",
            hint="run again later; what was written is kept",
        )
        error.failing_since = sent_since
        raise error

    def resume(self, plan: Plan) -> CreatedRow:
        """Settle a create of an earlier run: complete its row, or create it if the earlier create did not happen."""
        resource, key = plan.resource, plan.ledger_key
        entry = self._services.ledger.find(key)
        if entry is None:
            return self.create(as_create(plan))
        with self._fingerprint_lock(entry.fingerprint):
            row_id = entry.row_id or self._uncertain_creates.settle(resource, key)
        if row_id is None:
            return self.create(as_create(plan))
        if dict(entry.parent_ids) != dict(plan.parent_ids):
            names = ", ".join(resource.parent_keys)
            raise invalid_field(f"{names} has changed, and rows of {resource.name} cannot be moved", names)
        return self._complete_linked_row(plan, row_id, entry.parent_ids)

    def _fingerprint(self, plan: Plan) -> Mapping[str, str]:
        """Return the hash of the source's key if FieldPulse keeps it, else of the fields that recognise the row."""
        column = self._services.key_columns.get(plan.resource.name)
        key = column.value_in(plan.body) if column else None
        if column and key is not None:
            return {column.text: hash_value(column.field_of(plan.resource), key, self._services.codec)}
        return fingerprint_of(plan.resource, plan.body, self._services.codec)

    def _fingerprint_lock(self, fingerprint: Mapping[str, str]) -> threading.Lock:
        """Return the lock of all creates with this fingerprint.

        They run one after the other: an uncertain create must not link the row of one that is in flight.
        """
        return self._fingerprint_locks[hash(frozenset(fingerprint.items())) % _LOCKS]

    def _send(self, plan: Plan, entry: Entry) -> CreatedRow | None:
        """Send a pending create. Return None if it is certain that it did not happen."""
        path = _create_path(plan.resource, plan.parent_ids)
        try:
            row = self._post(plan, path)
            row_id = _created_id(row, path)
        except UncertainWrite as error:
            return self._settle(plan, error)
        except FieldPulseError:
            self._services.ledger.discard(entry)  # rejected, or it was never sent
            raise
        item_path = row_path(plan.resource, plan.parent_ids, row_id)
        # Until a create is noted as done, a kill leaves it in doubt, and only a person settles money.
        may_read_row = not plan.resource.write_spec.is_money
        ignored = self._ignored_fields.of(plan.resource, item_path, plan.body, row, may_read_row=may_read_row)
        self._record_created(plan, row_id, plan.parent_ids, without=ignored)
        self._services.written_rows.add_created(plan.resource, row_id, plan.body, row)
        self._observe_id(plan.resource, row_id)
        if ignored:
            raise _incomplete_row(path, row_id, ignored)
        return CreatedRow(row_id, row)

    def _post(self, plan: Plan, path: str) -> Any:
        """Send a create, and return the row in the response.

        Which form of an object type an account accepts is learned once in a run: if it rejects the short name, the
        class is tried. A rejected create was not carried out, so it may be sent again.
        """
        classes = _object_classes(plan)
        with_classes = plan.body | classes
        body = with_classes if plan.resource.name in self._wants_classes else plan.body
        try:
            return self._services.client.post(path, body).data
        except ServerError as error:
            if plan.resource.write_spec.is_money:  # only a documented refusal proves that no money moved
                raise uncertain_create(
                    error.what, f"POST {path}", http_status=error.http_status, server_message=error.server_message
                ) from None
            raise
        except RecordInvalid as error:
            words = error.full_line.replace("_", " ")
            if body == with_classes or not any(name.replace("_", " ") in words for name in classes):
                raise
        row = self._services.client.post(path, with_classes).data
        self._wants_classes.add(plan.resource.name)
        _LOGGER.debug("%s: this account wants object types as classes", plan.resource.name)
        return row

    def _settle(self, plan: Plan, error: UncertainWrite) -> CreatedRow | None:
        key = plan.ledger_key
        row_id = self._uncertain_creates.settle(plan.resource, key, failed_at=time.monotonic())
        if row_id is None:
            _LOGGER.warning("%s: %s The row was not created; sending it again.", key.stream, error.what)
            return None
        _LOGGER.warning("%s: %s The row was created, with id %d.", key.stream, error.what, row_id)
        return self._complete_linked_row(plan, row_id, plan.parent_ids)

    def _complete_linked_row(self, plan: Plan, row_id: int, parent_ids: Mapping[str, int]) -> CreatedRow:
        """Write to a linked row what it lacks: of creates with one fingerprint, the row may be the other's."""
        resource = plan.resource
        path = row_path(resource, parent_ids, row_id)
        row = self._services.read_row(resource, path)
        names = differing_fields(resource, plan.body, row, self._services.codec)
        self._services.written_rows.add_sent(resource, row_id, plan.body, row)
        if names:
            body = merge_into_row({name: plan.body[name] for name in names}, row)
            self._puts.send(PutTarget(resource, path, row_id, plan.body, row), body)
        # What the row had before is not cleared yet: nulls are no part of a create.
        written = replace(plan, property_hashes=without_nulls(plan.property_hashes))
        self._record_created(written, row_id, parent_ids)
        return CreatedRow(row_id)

    def _record_created(
        self, plan: Plan, row_id: int, parent_ids: Mapping[str, int], *, without: Sequence[str] = ()
    ) -> None:
        """Commit the create, without the properties of these fields, which the next run sends again.

        Properties of actions are left out, too: they are sent later, and may fail.
        """
        filled = plan.resource.write_spec.fields_by_property
        left_out = {*plan.actions, *(name for name in plan.property_hashes if {*without} & {*filled.get(name, ())})}
        hashes = {name: value for name, value in plan.property_hashes.items() if name not in left_out}
        audit = None if plan.actions else self._services.audit.written_row(plan, "created", row_id)
        self._services.ledger.upsert(
            plan.ledger_key,
            row_id=row_id,
            parent_ids=parent_ids,
            property_hashes=hashes,
            audit=audit,
            updated_at=plan.rejected_at,
        )

    def _max_id_before(self, resource: Resource, parent_ids: Mapping[str, int]) -> int:
        """Return an id that exists already; every row that is created from now on has a higher one."""
        if resource.parent:  # short lists, which are read for matches anyway
            return self._services.lookups.get(resource.name, parent_ids).newest_id
        with self._max_id_locks[resource.name]:
            if resource.name not in self._max_ids:
                pages = Pages(self._services.client, resource, self._services.read_options)
                newest_id = self._max_ids[resource.name] = read_newest_id(pages)
                self._services.new_ledger.warn_of_rows(resource.name, has_rows=newest_id > 0)
            return self._max_ids[resource.name]

    def _observe_id(self, resource: Resource, row_id: int) -> None:
        """Raise the id that later creates must be above."""
        if not resource.parent:
            with self._max_id_locks[resource.name]:
                self._max_ids[resource.name] = max(row_id, self._max_ids[resource.name])


def _object_classes(plan: Plan) -> Body:
    """Return the object types of a plan's body as classes."""
    types = [field.name for field in plan.resource.write_spec.fields if field.type is FieldType.OBJECT_TYPE]
    return {name: object_class(plan.body[name]) for name in types if isinstance(plan.body.get(name), str)}


def _create_path(resource: Resource, parent_ids: Mapping[str, int]) -> str:
    return (resource.create_path or resource.path).format(**parent_ids)


def _incomplete_row(path: str, row_id: int, names: Sequence[str]) -> RecordInvalid:
    """Return the error of a row that was created without some of its fields."""
    return RecordInvalid(
        f"FieldPulse created the row with id {row_id}, but ignored {', '.join(names)}.",
        where=f"POST {path}",
        hint="complete the row in FieldPulse; it is not created again",
    )


def _created_id(row: Any, path: str) -> int:
    """Return the id in the response to a create. Raises: UncertainWrite if the response has none."""
    row_id = optional_int(row.get("id")) if isinstance(row, dict) else None
    if row_id is None:
        raise UncertainWrite(
            "The response to a create has no id of a row.",
            where=f"POST {path}",
            hint="nothing to do: the target looks for the row before it sends the create again",
        )
    return row_id
