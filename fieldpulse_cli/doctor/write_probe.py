"""Probe of what writing does: on one customer made for it, with rows that belong to it, all deleted again.

Source: API facts 7, questions 10 to 14 and 20.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta, timezone
from itertools import chain
from typing import Any

from fieldpulse_api.account_profile import WriteFacts
from fieldpulse_api.errors import FieldPulseError, RecordError, RowNotFound, UncertainWrite
from fieldpulse_api.http.client import Client
from fieldpulse_api.http.responses import ApiResponse
from fieldpulse_api.reading.full_scan import FullScan
from fieldpulse_api.reading.pages import Pages, ReadOptions
from fieldpulse_api.reading.single_rows import read_row
from fieldpulse_api.resources.catalogue import BY_NAME
from fieldpulse_api.resources.model import Resource
from fieldpulse_api.values.scalars import ConversionError, optional_int, optional_time, to_utc

from .findings import Finding

WARNING = (
    "This creates one customer named `fieldpulse doctor test …`, two addresses and a task of it, changes them, "
    "reads them back and deletes them. FieldPulse has no sandbox: this happens in the account, where people may see it."
)
_CUSTOMER_CLASS = r"App\Http\Api\Core\Models\BaseCustomer"  # a customer's object type in responses (verified)
_NOW_TOLERANCE = timedelta(minutes=10)
_ZONE_STEP = timedelta(minutes=15)  # UTC offsets are multiples of it
_CUSTOMERS, _LOCATIONS, _SUBTASKS = (BY_NAME[name] for name in ("customers", "locations", "subtasks"))
_DELETE_BY_HAND = "delete it in FieldPulse by hand"


class WriteProbe:
    """Probe of writes; `facts` are its results.

    The client sends no create twice. Every row that this creates is deleted at the end; a finding names any that is
    left.
    """

    def __init__(self, client: Client) -> None:
        self.facts = WriteFacts()
        self._client = client
        self._name = f"fieldpulse doctor test {secrets.token_hex(4)}"
        self._required = {"first_name": "Test", "display_name": self._name}
        self._created: list[tuple[Resource, int]] = []
        self._uncertain: list[Resource] = []
        self._utc_offset = timedelta()

    def findings(self) -> Iterator[Finding]:
        """Write, read back, clean up, and yield the findings."""
        try:
            yield from self._probe_customer()
        except FieldPulseError as error:
            yield Finding("FAIL", "write", "customer", error.what, error.hint)
        finally:
            left_behind = list(self._clean_up())
        yield from left_behind

    def _probe_customer(self) -> Iterator[Finding]:
        yield self._probe_validation()
        self.facts.create_returns_row = False
        body = {**self._required, "last_name": "Probe", "notes": "Test"}
        customer_id, response = self._create(_CUSTOMERS, body)
        self.facts.create_returns_row, self.facts.create_status = True, response.status
        yield Finding("ok", "write", "create", f"a create returns HTTP {response.status}")
        yield self._probe_time_zone(self._read_row(_CUSTOMERS, customer_id), response.date)
        yield from self._probe_updates(customer_id)
        yield self._probe_object_types(customer_id)
        yield self._probe_times(customer_id)
        yield self._probe_deletion(customer_id)

    def _probe_validation(self) -> Finding:
        """Send a customer without a name, to see the status of its rejection."""
        try:
            self._create(_CUSTOMERS, {"notes": self._name})
        except RecordError as error:
            self.facts.validation_status = error.http_status
            return Finding("ok", "write", "validation", f"an invalid record is rejected with HTTP {error.http_status}")
        return Finding("warn", "write", "validation", "a customer without any name was accepted")

    def _probe_time_zone(self, customer: Mapping[str, Any], now: datetime) -> Finding:
        created_at = optional_time(customer.get("created_at"), timezone.utc)
        if created_at is None:
            return Finding("warn", "write", "time zone", "the new customer has no created_at")
        self.facts.times_are_utc = abs(created_at - now) < _NOW_TOLERANCE
        self._utc_offset = _ZONE_STEP * round((created_at - now) / _ZONE_STEP)
        zone = self._client.settings.zone
        if abs(created_at.replace(tzinfo=zone) - now) < _NOW_TOLERANCE:
            return Finding("ok", "write", "time zone", f"timestamps are in {zone}")
        hours = self._utc_offset / timedelta(hours=1)
        text = f"timestamps are in a zone {hours:+g} h from UTC, not in {zone}"
        return Finding(
            "FAIL", "write", "time zone", text, "set `timezone` (of the target: `api_timezone`) to the account's zone"
        )

    def _probe_updates(self, customer_id: int) -> Iterator[Finding]:
        try:
            self._put(_CUSTOMERS, customer_id, {"notes": "Test 2"})
            self.facts.put_requires_names, self._required = False, {}
        except RecordError:
            self.facts.put_requires_names = True
            self._put(_CUSTOMERS, customer_id, {"notes": "Test 2", **self._required})
        row = self._read_row(_CUSTOMERS, customer_id)
        self.facts.put_merges = row.get("last_name") == "Probe" and row.get("notes") == "Test 2"
        yield _finding(
            "PUT", self.facts.put_merges, ok="a PUT keeps the fields it omits", warn="a PUT changes fields it omits"
        )
        self._put(_CUSTOMERS, customer_id, {"notes": None, **self._required})
        self.facts.null_clears = not self._read_row(_CUSTOMERS, customer_id).get("notes")
        if not self.facts.null_clears:
            self._put(_CUSTOMERS, customer_id, {"notes": "", **self._required})
            self.facts.empty_clears = not self._read_row(_CUSTOMERS, customer_id).get("notes")
        yield _finding(
            "null",
            self.facts.null_clears or self.facts.empty_clears,
            ok="null clears a text" if self.facts.null_clears else "null is ignored, an empty text clears a text",
            warn="neither null nor an empty text clears a text",
        )

    def _probe_object_types(self, customer_id: int) -> Finding:
        body = {"object_id": customer_id, "title": self._name, "address_1": "1 Test Street"}
        self.facts.accepts_short_object_type = self._is_accepted(_LOCATIONS, body | {"object_type": "customer"})
        self.facts.accepts_class_object_type = self._is_accepted(_LOCATIONS, body | {"object_type": _CUSTOMER_CLASS})
        return _finding(
            "object type",
            self.facts.accepts_short_object_type,
            ok="short object types are accepted",
            warn="the short object type `customer`, which the target sends, is rejected",
        )

    def _probe_times(self, customer_id: int) -> Finding:
        due = (datetime.now(timezone.utc) + timedelta(days=1)).replace(microsecond=0)
        try:
            task_id, _ = self._create(_SUBTASKS, {"title": self._name, "customer_id": customer_id})
        except RecordError as error:
            return Finding("warn", "write", "times", f"unknown: a task is rejected: {error.what}")
        self.facts.accepts_unix_times = self._is_read_back(task_id, int(due.timestamp()), due)
        due += timedelta(days=1)
        self.facts.accepts_text_times = self._is_read_back(task_id, due.strftime("%Y-%m-%d %H:%M:%S"), due)
        return _finding(
            "times",
            self.facts.accepts_unix_times,
            ok="times in UNIX seconds are accepted",
            warn="times in UNIX seconds, which the target sends, are not accepted",
        )

    def _is_read_back(self, task_id: int, value: object, due: datetime) -> bool:
        """Write a due date, and return whether it is read back as `due`, in UTC or in the account's zone."""
        try:
            self._put(_SUBTASKS, task_id, {"title": self._name, "due_date": value})
            read = to_utc(self._read_row(_SUBTASKS, task_id).get("due_date"), timezone.utc)
        except (RecordError, ConversionError):
            return False
        return read is not None and any(abs(time - due) < _ZONE_STEP for time in (read, read - self._utc_offset))

    def _probe_deletion(self, customer_id: int) -> Finding:
        for resource, row_id in reversed(self._created):
            if resource is not _CUSTOMERS:
                self._delete(resource, row_id)
        self.facts.delete_status = self._delete(_CUSTOMERS, customer_id)
        try:
            row = self._read_row(_CUSTOMERS, customer_id)
            self.facts.get_deleted_status = 200
            is_marked = bool(row.get("deleted_at"))
        except RowNotFound as error:
            self.facts.get_deleted_status, is_marked = error.http_status, True
        return _finding(
            "delete",
            is_marked,
            ok=f"a read of a deleted row returns HTTP {self.facts.get_deleted_status}",
            warn="a deleted row is still returned, without deleted_at",
        )

    def _clean_up(self) -> Iterator[Finding]:
        """Delete the rows that are left, those of uncertain creates too, and yield what could not be deleted."""
        for resource in self._uncertain:
            yield from self._find_uncertain(resource)
        for resource, row_id in reversed(self._created[:]):
            yield from self._delete_or_name(resource, row_id)

    def _delete_or_name(self, resource: Resource, row_id: int) -> Iterator[Finding]:
        try:
            self._delete(resource, row_id)
        except FieldPulseError as error:
            text = f"{resource.singular} {row_id} could not be deleted: {error.what}"
            yield Finding("FAIL", "write", "clean up", text, _DELETE_BY_HAND)

    def _find_uncertain(self, resource: Resource) -> Iterator[Finding]:
        """Look for rows with this probe's unique name: among the newest rows, then in the whole list."""
        pages = Pages(self._client, resource, ReadOptions(check_completeness=False))
        try:
            rows = chain(pages.read(resource.sort_params("id", "desc"), 1).rows, *FullScan(pages).rows())
            row_ids = {int(row["id"]) for row in rows if self._name in row.values()}
        except FieldPulseError:
            row_ids = set()
        found = [(resource, row_id) for row_id in sorted(row_ids) if (resource, row_id) not in self._created]
        self._created += found
        if not found:
            text = f"the create of {resource.singular} {self._name!r} was not confirmed, and no such row was found"
            yield Finding("FAIL", "write", "clean up", text, f"look for it, and {_DELETE_BY_HAND}")

    def _is_accepted(self, resource: Resource, body: Mapping[str, Any]) -> bool:
        try:
            self._create(resource, body)
        except RecordError:
            return False
        return True

    def _create(self, resource: Resource, body: Mapping[str, Any]) -> tuple[int, ApiResponse]:
        """Create a row to be deleted at the end. Raises: UncertainWrite, also if the response has no id."""
        self._uncertain.append(resource)
        try:
            response = self._client.post(resource.path, body)
        except FieldPulseError as error:
            if not isinstance(error, UncertainWrite):
                self._uncertain.remove(resource)
            raise
        row_id = optional_int(response.data.get("id")) if isinstance(response.data, dict) else None
        if row_id is None:
            raise UncertainWrite(
                f"A {resource.singular} was created, but the response has no id: creates stay uncertain.",
                where=f"POST {resource.path}",
                hint="report it: no account was known to do that",
            )
        self._uncertain.remove(resource)
        self._created.append((resource, row_id))
        return row_id, response

    def _delete(self, resource: Resource, row_id: int) -> int | None:
        try:
            status: int | None = self._client.delete(_item_path(resource, row_id)).status
        except RowNotFound as error:
            status = error.http_status
        self._created.remove((resource, row_id))
        return status

    def _put(self, resource: Resource, row_id: int, body: Mapping[str, Any]) -> None:
        self._client.put(_item_path(resource, row_id), body)

    def _read_row(self, resource: Resource, row_id: int) -> Mapping[str, Any]:
        return read_row(self._client, resource, _item_path(resource, row_id))


def _item_path(resource: Resource, row_id: int) -> str:
    return str(resource.item_path).format(id=row_id)


def _finding(check: str, is_ok: object, *, ok: str, warn: str) -> Finding:
    return Finding("ok", "write", check, ok) if is_ok else Finding("warn", "write", check, warn)
