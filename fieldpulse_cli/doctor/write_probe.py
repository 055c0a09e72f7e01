"""What writing does on this account: on one customer made for it, with what hangs on it, all deleted again.

Source: contract 7, questions 10 to 14 and 20.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta, timezone
from itertools import chain
from typing import Any

from fieldpulse_api.account_profile import WriteFacts
from fieldpulse_api.errors import FieldPulseError, RecordError, RowNotFound, UncertainWrite, UnexpectedResponse
from fieldpulse_api.http.client import Client
from fieldpulse_api.http.responses import ApiResponse
from fieldpulse_api.reading.full_scan import FullScan
from fieldpulse_api.reading.pages import Pages, ReadOptions
from fieldpulse_api.resources.catalogue import BY_NAME
from fieldpulse_api.resources.model import Resource
from fieldpulse_api.values.scalars import ConversionError, optional_int, optional_time, to_utc

from .findings import Finding

PROMISE = (
    "This creates one customer named `fieldpulse doctor test …`, two addresses and a task of it, changes them, "
    "reads them back and deletes them, in the account itself: FieldPulse has no sandbox. People there may see them."
)
_CLASS_NAME = r"App\Http\Api\Core\Models\BaseCustomer"  # as reads show a customer's type (V)
_NEAR = timedelta(minutes=10)
_ZONES = timedelta(minutes=15)  # zones are multiples of that apart
_CUSTOMERS, _LOCATIONS, _SUBTASKS = (BY_NAME[name] for name in ("customers", "locations", "subtasks"))
_LEFT = "delete it in FieldPulse by hand"


class WriteProbe:
    """Write to an account and see what becomes of it. `facts` are the answers.

    The client repeats no create. Whatever was made is deleted at the end; what could not be is named.
    """

    def __init__(self, client: Client) -> None:
        self.facts = WriteFacts()
        self._client = client
        self._name = f"fieldpulse doctor test {secrets.token_hex(4)}"
        self._names = {"first_name": "Test", "display_name": self._name}
        self._made: list[tuple[Resource, int]] = []
        self._open: list[Resource] = []
        self._shift = timedelta()

    def findings(self) -> Iterator[Finding]:
        """Write, and yield what was found."""
        try:
            yield from self._customer()
        except FieldPulseError as error:
            yield Finding("FAIL", "write", "customer", error.what, error.hint)
        finally:
            left = list(self._clean_up())
        yield from left

    def _customer(self) -> Iterator[Finding]:
        yield from self._refusal()
        self.facts.create_answers_row = False
        number, reply = self._create(_CUSTOMERS, {**self._names, "last_name": "Probe", "company_name": "Test"})
        self.facts.create_answers_row, self.facts.create_status = True, reply.status
        yield Finding("ok", "write", "create", f"answers {reply.status} to a create")
        yield from self._zone(self._row(_CUSTOMERS, number), reply.date)
        yield from self._changes(number)
        yield from self._object_types(number)
        yield from self._times(number)
        yield from self._deletion(number)

    def _refusal(self) -> Iterator[Finding]:
        """Send a customer without any name, to see with which status it is refused."""
        try:
            self._create(_CUSTOMERS, {"notes": self._name})
        except RecordError as error:
            self.facts.validation_status = error.http_status
            yield Finding("ok", "write", "validation", f"refuses with HTTP {error.http_status} what breaks a rule")
        else:
            yield Finding("warn", "write", "validation", "a customer without any name was taken")

    def _zone(self, customer: Mapping[str, Any], now: datetime) -> Iterator[Finding]:
        made = optional_time(customer.get("created_at"), timezone.utc)
        if made is None:
            yield Finding("warn", "write", "time zone", "the answer does not say when the customer was made")
            return
        self.facts.times_are_utc = abs(made - now) < _NEAR
        self._shift = _ZONES * round((made - now) / _ZONES)
        zone = self._client.settings.zone
        if abs(made.replace(tzinfo=zone) - now) < _NEAR:
            yield Finding("ok", "write", "time zone", f"what was just made is dated now, in {zone}")
        else:
            hours = self._shift / timedelta(hours=1)
            text = f"what was just made is dated now in a zone {hours:+g} h from UTC, not in {zone}"
            yield Finding("FAIL", "write", "time zone", text, "set `timezone` to the zone of the account")

    def _changes(self, number: int) -> Iterator[Finding]:
        try:
            self._put(_CUSTOMERS, number, {"company_name": "Test 2"})
            self.facts.put_repeats_names, self._names = False, {}
        except RecordError:
            self.facts.put_repeats_names = True
            self._put(_CUSTOMERS, number, {"company_name": "Test 2", **self._names})
        row = self._row(_CUSTOMERS, number)
        self.facts.put_merges = row.get("last_name") == "Probe" and row.get("company_name") == "Test 2"
        yield _yes(
            self.facts.put_merges, "PUT", "a PUT leaves alone what it does not name", "a PUT changes more than it names"
        )
        self._put(_CUSTOMERS, number, {"company_name": None, **self._names})
        self.facts.null_clears = not self._row(_CUSTOMERS, number).get("company_name")
        if not self.facts.null_clears:
            self._put(_CUSTOMERS, number, {"company_name": "", **self._names})
            self.facts.empty_clears = not self._row(_CUSTOMERS, number).get("company_name")
        good = "null in a PUT clears a text" if self.facts.null_clears else "null in a PUT is ignored, '' clears a text"
        bad = "neither null nor '' in a PUT clears a text"
        yield _yes(self.facts.null_clears or self.facts.empty_clears, "null", good, bad)

    def _object_types(self, number: int) -> Iterator[Finding]:
        body = {"object_id": number, "title": self._name, "address_1": "1 Test Street"}
        self.facts.short_object_type = self._is_taken(_LOCATIONS, body | {"object_type": "customer"})
        self.facts.class_object_type = self._is_taken(_LOCATIONS, body | {"object_type": _CLASS_NAME})
        good, bad = "short object types are taken", "the short name `customer`, which the target sends, is refused"
        yield _yes(self.facts.short_object_type, "object type", good, bad)

    def _times(self, number: int) -> Iterator[Finding]:
        due = (datetime.now(timezone.utc) + timedelta(days=1)).replace(microsecond=0)
        try:
            task, _ = self._create(_SUBTASKS, {"title": self._name, "customer_id": number})
        except RecordError as error:
            yield Finding("warn", "write", "times", f"not told: a task is refused: {error.what}")
            return
        self.facts.unix_times = self._is_understood(task, int(due.timestamp()), due)
        due += timedelta(days=1)
        self.facts.text_times = self._is_understood(task, due.strftime("%Y-%m-%d %H:%M:%S"), due)
        good, bad = "times in UNIX seconds are understood", "times in UNIX seconds, which the target sends, are not"
        yield _yes(self.facts.unix_times, "times", good, bad)

    def _is_understood(self, task: int, value: object, due: datetime) -> bool:
        """Write a time, and say whether it is read back as that one, up to what the zones are apart."""
        try:
            self._client.put(_path(_SUBTASKS, task), {"title": self._name, "due_date": value})
            time = to_utc(self._row(_SUBTASKS, task).get("due_date"), timezone.utc)
        except (RecordError, ConversionError):
            return False
        return time is not None and any(abs(one - due) < _ZONES for one in (time, time - self._shift))

    def _deletion(self, number: int) -> Iterator[Finding]:
        for resource, one in reversed(self._made):
            if resource is not _CUSTOMERS:
                self._delete(resource, one)
        self.facts.delete_status = self._delete(_CUSTOMERS, number)
        try:
            row = self._row(_CUSTOMERS, number)
            self.facts.deleted_status = 200
            is_marked = bool(row.get("deleted_at"))
        except RowNotFound as error:
            self.facts.deleted_status, is_marked = error.http_status, True
        text = f"a deleted row answers {self.facts.deleted_status} by id"
        yield _yes(is_marked, "delete", text, "a deleted row is there still, and not marked")

    def _clean_up(self) -> Iterator[Finding]:
        """Delete what is left, also what was created without an answer, and yield what could not be."""
        for resource in self._open:
            yield from self._find(resource)
        for resource, number in reversed(self._made[:]):
            yield from self._deleted(resource, number)

    def _find(self, resource: Resource) -> Iterator[Finding]:
        """Look for a row of the name that is only ours: among the newest, then in the whole list."""
        pages = Pages(self._client, resource, ReadOptions(check_completeness=False))
        try:
            rows = chain(pages.read(resource.sort_params("id", "desc"), 1).rows, *FullScan(pages).rows())
            own = {int(row["id"]) for row in rows if self._name in row.values()}
        except FieldPulseError:
            own = set()
        new = [(resource, one) for one in sorted(own) if (resource, one) not in self._made]
        self._made += new
        if not new:
            text = f"whether a {resource.singular} {self._name!r} was created is not known, and none was found"
            yield Finding("FAIL", "write", "clean up", text, f"look for it, and {_LEFT}")

    def _deleted(self, resource: Resource, number: int) -> Iterator[Finding]:
        try:
            self._delete(resource, number)
        except FieldPulseError as error:
            text = f"{resource.singular} {number} could not be deleted: {error.what}"
            yield Finding("FAIL", "write", "clean up", text, _LEFT)

    def _is_taken(self, resource: Resource, body: Mapping[str, Any]) -> bool:
        try:
            self._create(resource, body)
        except RecordError:
            return False
        return True

    def _create(self, resource: Resource, body: Mapping[str, Any]) -> tuple[int, ApiResponse]:
        """Create a row, and remember to delete it. Raises: OutcomeUnknown also if the answer does not say its id."""
        self._open.append(resource)
        try:
            reply = self._client.post(resource.path, body)
        except FieldPulseError as error:
            if not isinstance(error, UncertainWrite):
                self._open.remove(resource)
            raise
        number = optional_int(reply.data.get("id")) if isinstance(reply.data, dict) else None
        if number is None:
            what = f"A {resource.singular} was created, and the answer does not say its id: creates stay uncertain."
            raise UncertainWrite(what, where=f"POST {resource.path}", hint="report it: nobody has seen that yet")
        self._open.remove(resource)
        self._made.append((resource, number))
        return number, reply

    def _delete(self, resource: Resource, number: int) -> int | None:
        try:
            status: int | None = self._client.delete(_path(resource, number)).status
        except RowNotFound as error:
            status = error.http_status
        self._made.remove((resource, number))
        return status

    def _put(self, resource: Resource, number: int, body: Mapping[str, Any]) -> None:
        self._client.put(_path(resource, number), body)

    def _row(self, resource: Resource, number: int) -> Mapping[str, Any]:
        row = self._client.get(_path(resource, number)).data
        if not isinstance(row, dict):
            what = "FieldPulse answered with something that is no row."
            raise UnexpectedResponse(what, where=f"GET {resource.item_path}", hint="run again; if it stays, report it")
        return row


def _path(resource: Resource, number: int) -> str:
    return str(resource.item_path).format(id=number)


def _yes(does: object, check: str, good: str, bad: str) -> Finding:
    return Finding("ok", "write", check, good) if does else Finding("warn", "write", check, bad)
