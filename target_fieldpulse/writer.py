"""One record, from what is known to what was done: look up, plan, send, note."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fieldpulse_api.catalogue import BY_NAME, RESOURCES
from fieldpulse_api.client import Client
from fieldpulse_api.errors import FieldPulseError, Invalid, NotFound, OutcomeUnknown, ServerFailed, UnexpectedReply
from fieldpulse_api.newest import newest_id
from fieldpulse_api.pages import Pages, Reading
from fieldpulse_api.resource import Resource, Write
from fieldpulse_api.values import Unfit, whole

from .doubt import Doubts
from .ledger import Entry, Ledger
from .outcomes import Outcome
from .plan import Body, Record, body_of, digest, fingerprint, for_create, is_same, refuse, row_id, source_key
from .references import References

_LOGGER = logging.getLogger(__name__)
_MOST_CREATES = 3


@dataclass(frozen=True)
class Note:
    """Under what the ledger keeps a record, and the hash of what it says."""

    stream: str
    key: str
    digest: str


def moved_key(row: int) -> str:
    """Return the ledger's key of a stream that changes rows of another: the row itself."""
    return f"id:{row}"


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
        self._alike = [threading.Lock() for _ in range(1024)]
        self._resending: set[str] = set()

    def write(self, resource: Resource, record: Record) -> Outcome:
        """Write one record and say what became of it."""
        write = resource.write
        assert write is not None  # noqa: S101  a sink is made for writable streams only
        if write.into:
            return self._move(resource, write, record)
        note = Note(resource.name, source_key(record), digest(write, record))
        entry = self._ledger.find(note.stream, note.key)
        if entry and entry.digest == note.digest and entry.status == "done":
            return "unchanged"
        body = body_of(write, record, self._references.resolve(write, record))
        if entry and (entry.status == "intended" or not entry.digest):
            return self._resume(resource, write, note, entry, body)
        known = row_id(record) or (entry and entry.row_id) or self._match(resource, write, body)
        if known is None:
            return self._create(resource, write, note, body)
        return self._update(resource, note, known, body)

    def _resume(self, resource: Resource, write: Write, note: Note, entry: Entry, body: Body) -> Outcome:
        """Go on with a create that an earlier run began and did not see the end of."""
        if self._dry_run:
            return self._say("finish the create of", note.stream, note.key, body, "created")
        with self._turn(entry.marks):
            known = entry.row_id or self._doubts.settle(resource, entry)
            if known is None:
                self._ledger.forget(note.stream, note.key)
        return self._complete(resource, note, known, body) if known else self._create(resource, write, note, body)

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
        note = Note(resource.name, moved_key(target), digest(write, body))
        entry = self._ledger.find(note.stream, note.key)
        if entry and entry.digest == note.digest:
            return "unchanged"
        return self._update(BY_NAME[str(write.into)], note, target, body)

    def _match(self, resource: Resource, write: Write, body: Body) -> int | None:
        if not write.match or not body.get(write.match):
            return None
        found = self._references.matching(resource.name, write.match, body[write.match])
        if len(found) > 1:
            ids = ", ".join(map(str, found))
            raise refuse(f"{write.match}: several rows have it: ids {ids}", write.match, "merge them, or give id")
        return found[0] if found else None

    # Create

    def _create(self, resource: Resource, write: Write, note: Note, body: Body) -> Outcome:
        body = for_create(write, body)
        if self._dry_run:
            self._references.plan(note.stream, note.key, body)
            return self._say("create", note.stream, note.key, body, "created")
        marks = fingerprint(write, body)
        after_id = self._after_id(resource)
        with self._turn(marks):
            for _ in range(_MOST_CREATES):
                self._ledger.intend(note.stream, note.key, digest=note.digest, marks=marks, after_id=after_id)
                if self._send(resource, note, body):
                    return "created"
        raise ServerFailed(
            f"FieldPulse carried out none of {_MOST_CREATES} creates of the same record, and refused none.",
            where=f"POST {resource.create_path or resource.path}",
            do="run again later; what was done is kept",
        )

    def _turn(self, marks: Mapping[str, str]) -> threading.Lock:
        """Return the lock of creates that look alike: one in doubt must not take the row of one under way."""
        return self._alike[hash(frozenset(marks.items())) % len(self._alike)]

    def _send(self, resource: Resource, note: Note, body: Body) -> bool:
        """Send a create that was noted; say whether its row exists now. If not, it was not carried out."""
        try:
            created = self._id_of(self._client.post(resource.create_path or resource.path, body).response, resource)
        except OutcomeUnknown as unknown:
            return self._find_out(resource, note, body, unknown)
        except FieldPulseError:
            self._ledger.forget(note.stream, note.key)  # refused, or it never left: it did not happen
            raise
        self._done(resource, note, created, body)
        with self._lock:  # what is created from now on lies above it
            self._after_ids[resource.name] = max(created, self._after_ids[resource.name])
        return True

    def _find_out(self, resource: Resource, note: Note, body: Body, unknown: OutcomeUnknown) -> bool:
        entry = self._ledger.find(note.stream, note.key)
        created = None
        if entry:
            created = entry.row_id or self._doubts.settle(resource, entry, failed_at=time.time())
        if created is None:
            self._ledger.forget(note.stream, note.key)
            _LOGGER.warning("%s: %s It was not, and is sent again.", note.stream, unknown.what)
            return False
        _LOGGER.warning("%s: %s It was, as id %d.", note.stream, unknown.what, created)
        self._complete(resource, note, created, body)
        return True

    def _complete(self, resource: Resource, note: Note, created: int, body: Body) -> Outcome:
        """Make an adopted row say what the record says: of creates that look alike, it may be the other's."""
        path = str(resource.item_path).format(id=created)
        row = self._row(path)
        if resource.write and not is_same(resource.write, body, row, self._reading.zone):
            self._put(resource, path, body)
        self._done(resource, note, created, body)
        return "created"

    def _done(self, resource: Resource, note: Note, known: int, body: Body) -> None:
        """Note what was written; what another stream had written to the same fields of the row holds no more."""
        for other in RESOURCES:
            write = other.write
            if write and write.into == resource.name and other.name != note.stream and set(write.by_name) & set(body):
                self._ledger.forget(other.name, moved_key(known))
        self._ledger.done(note.stream, note.key, row_id=known, digest=note.digest)
        self._references.add(resource.name, body, known)

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
        """Return an id that is there already: what is created from now on lies above it."""
        with self._lock:
            if resource.name not in self._after_ids:
                self._after_ids[resource.name] = newest_id(Pages(self._client, resource, self._reading))
            return self._after_ids[resource.name]

    # Update

    def _update(self, resource: Resource, note: Note, known: int, body: Body) -> Outcome:
        """Send what the record says, with what must go with it. A row that is gone is refused, never created anew."""
        if self._dry_run:
            self._references.plan(note.stream, note.key, body, known)
            return self._say("update", note.stream, note.key if known < 0 else f"id {known}", body, "updated")
        if not body:
            return "unchanged"
        self._put(resource, str(resource.item_path).format(id=known), body)
        self._done(resource, note, known, body)
        return "updated"

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
        row = self._row(path)
        return {**{name: row[name] for name in missing if row.get(name) not in (None, "")}, **body}

    def _row(self, path: str) -> Mapping[str, Any]:
        row = self._client.get(path).response
        if not isinstance(row, dict):
            what = "FieldPulse answered with something that is no row."
            raise UnexpectedReply(
                what, where=f"GET {path}", do="run again; if it stays, the API has changed: report it"
            )
        return row

    def _say(self, act: str, stream: str, key: str, body: Body, outcome: Outcome) -> Outcome:
        _LOGGER.info("dry run: would %s %s %s: %s", act, stream, key, ", ".join(sorted(body)))
        return outcome
