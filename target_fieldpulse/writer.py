"""One record, from what is known to what was done: look up, plan, send, note."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from typing import Any

from fieldpulse_api.catalogue import BY_NAME
from fieldpulse_api.client import Client
from fieldpulse_api.errors import FieldPulseError, Invalid, NotFound, OutcomeUnknown
from fieldpulse_api.newest import newest_id
from fieldpulse_api.pages import Pages, Reading
from fieldpulse_api.records import Unfit, whole
from fieldpulse_api.resource import Resource, Write

from .doubt import Doubts
from .ledger import Ledger
from .outcomes import Outcome
from .plan import Body, Record, body_of, digest, fingerprint, for_create, is_same, refuse, row_id, source_key
from .references import PLANNED, References

_LOGGER = logging.getLogger(__name__)


class Writer:
    """Write records of any writable stream. May be used by many threads.

    Raises: RecordRefused for a record that is wrong, OutcomeUnknown for one that is in doubt;
    anything else ends the run.
    """

    def __init__(
        self, client: Client, ledger: Ledger, doubts: Doubts, references: References, reading: Reading, *, dry_run: bool
    ) -> None:
        self._client, self._ledger, self._doubts, self._references = client, ledger, doubts, references
        self._reading, self._dry_run = reading, dry_run
        self._lock = threading.Lock()
        self._after_ids: dict[str, int] = {}
        self._resending: set[str] = set()

    def write(self, resource: Resource, record: Record) -> Outcome:
        """Write one record and say what became of it."""
        write = resource.write
        assert write is not None  # noqa: S101  a sink is made for writable streams only
        if write.into:
            return self._move(resource, write, record)
        key, mark = source_key(record), digest(write, record)
        entry = self._ledger.find(resource.name, key)
        if entry and entry.status == "done" and entry.digest == mark:
            return "unchanged"
        body = body_of(write, record, self._references.resolve(write, record))
        known = row_id(record)
        settled = False
        if known is None and entry:
            known = entry.row_id or self._doubts.settle(resource, entry)
            settled = entry.row_id is None or entry.digest == ""
            if known is None:
                self._ledger.forget(resource.name, key)
        if known is None and not entry and write.match and body.get(write.match):
            known = self._match(resource, write, body)
        if known is None:
            return self._create(resource, write, key, mark, body)
        return self._update(resource, write, (resource.name, key, mark), known, body, compare=settled)

    def _move(self, resource: Resource, write: Write, record: Record) -> Outcome:
        """Change a row of another resource: a move needs no key of its own, the row is its key."""
        found = self._references.resolve(write, record)
        target = found.get(str(write.row))
        if target is None:
            row = write.reference(str(write.row))
            raise refuse(f"none of {', '.join(row.properties)} is given", row.field)
        body = body_of(write, record, found)
        for name in write.required:
            if body.get(name) is None:
                raise refuse(f"none of {', '.join(write.reference(name).properties)} is given", name)
        key, mark = f"id:{target}", digest(write, {**record, **body, str(write.row): target})
        entry = self._ledger.find(resource.name, key)
        if entry and entry.digest == mark:
            return "unchanged"
        into = BY_NAME[str(write.into)]
        return self._update(into, write, (resource.name, key, mark), target, body)

    def _match(self, resource: Resource, write: Write, body: Body) -> int | None:
        found = self._references.matching(resource.name, str(write.match), body[str(write.match)])
        if len(found) > 1:
            ids = ", ".join(map(str, found))
            raise refuse(f"{write.match}: several rows have it: ids {ids}", str(write.match), "merge them, or give id")
        return found[0] if found else None

    # Create

    def _create(self, resource: Resource, write: Write, key: str, mark: str, body: Body) -> Outcome:
        body = for_create(write, body)
        if self._dry_run:
            self._references.plan(resource.name, key, PLANNED)
            return self._say("create", resource.name, key, body, "created")
        after_id = self._after_id(resource)
        marks = fingerprint(write, body, self._ledger.account)
        self._ledger.intend(resource.name, key, digest=mark, marks=marks, after_id=after_id)
        try:
            row = self._client.post(resource.create_path or resource.path, body).response
            created = self._id_of(row, resource)
        except OutcomeUnknown as unknown:
            return self._after_doubt(resource, write, (key, mark), body, unknown)
        except FieldPulseError:
            self._ledger.forget(resource.name, key)  # refused, or it never left: it did not happen
            raise
        self._done(resource, key, mark, created, body)
        return "created"

    def _after_doubt(
        self, resource: Resource, write: Write, names: tuple[str, str], body: Body, unknown: OutcomeUnknown
    ) -> Outcome:
        """Look for the row; where it is sure not to exist, send the create once more."""
        key, mark = names
        entry = self._ledger.find(resource.name, key)
        created = self._doubts.settle(resource, entry) if entry else None
        if created is None:
            self._ledger.forget(resource.name, key)
            _LOGGER.warning("%s %s: %s It was not, and is sent again.", resource.name, key, unknown.what)
            return self._create(resource, write, key, mark, body)
        _LOGGER.warning("%s %s: %s It was, as id %d.", resource.name, key, unknown.what, created)
        self._done(resource, key, mark, created, body)
        return "created"

    def _done(self, resource: Resource, key: str, mark: str, created: int, body: Body) -> None:
        self._ledger.done(resource.name, key, row_id=created, digest=mark)
        self._references.add(resource.name, body, created)

    def _id_of(self, row: Any, resource: Resource) -> int:
        try:
            created = whole(row["id"])
        except (Unfit, TypeError, KeyError):
            created = None
        if created is None:
            where = f"POST {resource.create_path or resource.path}"
            raise OutcomeUnknown(
                "FieldPulse did not say which row it created.", where=where, do="nothing: it is looked for"
            )
        return created

    def _after_id(self, resource: Resource) -> int:
        """Return an id that was there before this run created anything: what is in doubt later lies above it."""
        with self._lock:
            if resource.name not in self._after_ids:
                self._after_ids[resource.name] = newest_id(Pages(self._client, resource, self._reading))
            return self._after_ids[resource.name]

    # Update

    def _update(
        self,
        resource: Resource,
        write: Write,
        note: tuple[str, str, str],
        known: int,
        body: Body,
        *,
        compare: bool = False,
    ) -> Outcome:
        """Send what the record says, with what must go with it. A row that is gone is refused, never created anew."""
        stream, key, mark = note
        if self._dry_run:
            self._references.plan(stream, key, known)
            return self._say("update", stream, key if known == PLANNED else f"{key} (id {known})", body, "updated")
        if not body:
            return "unchanged"
        path = str(resource.item_path).format(id=known)
        if compare and is_same(write, body, self._client.get(path).response, self._reading.zone):
            outcome: Outcome = "created"
        else:
            self._put(resource, path, body)
            outcome = "created" if compare else "updated"
        self._ledger.done(stream, key, row_id=known, digest=mark)
        return outcome

    def _put(self, resource: Resource, path: str, body: Body) -> None:
        rules = resource.write
        missing = [name for name in (rules.resend if rules else ()) if name not in body]
        always = rules is not None and set(rules.resend) <= set(rules.required)
        if missing and (always or resource.name in self._resending):
            body = self._with_row(path, missing, body)
            missing = []
        try:
            self._client.put(path, body)
        except NotFound:
            raise
        except Invalid:
            if not missing:
                raise
            self._client.put(path, self._with_row(path, missing, body))
            self._resending.add(resource.name)  # this account wants them with every PUT

    def _with_row(self, path: str, missing: list[str], body: Body) -> Body:
        row: Mapping[str, Any] = self._client.get(path).response
        return {**{name: row[name] for name in missing if row.get(name) not in (None, "")}, **body}

    def _say(self, act: str, stream: str, key: str, body: Body, outcome: Outcome) -> Outcome:
        _LOGGER.info("dry run: would %s %s %s: %s", act, stream, key, ", ".join(sorted(body)))
        return outcome
