"""Creates whose outcome is unknown: looked for among the newest rows, never repeated blindly."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from fieldpulse_api.errors import RowNotFound, UncertainWrite
from fieldpulse_api.reading.pages import Row
from fieldpulse_api.resources.model import Resource
from target_fieldpulse.ledger.ledger import Entry
from target_fieldpulse.planning.plan import LedgerKey
from target_fieldpulse.records.parsed_record import redacted_key

from .fingerprint import hidden, is_like, is_surer, says_more
from .new_rows import Board
from .services import Means, path_of

_LONGEST_WAY_SECONDS = 300.0  # between noting a create and sending it: the budget, pauses, retries
_SHORTLY_SECONDS = 0.5  # until another create that is under way is settled


@dataclass(frozen=True)
class _Look:
    """What one look at the new rows showed. `is_open`: one of them may turn out to be another's."""

    found: int | None = None
    why_not: str = ""
    is_open: bool = False


class Doubts:
    """Settle creates that the ledger holds as intended. May be used by many threads.

    `uncertain_create_timeout_seconds` is how long after it was sent a create may still be carried out; `wait(seconds)`
    says whether the run was stopped meanwhile.
    """

    def __init__(self, means: Means, *, uncertain_create_timeout_seconds: float, wait: Callable[[float], bool]) -> None:
        self._means, self._ledger, self._board = means, means.ledger, Board(means)
        self._settle_seconds, self._wait = uncertain_create_timeout_seconds, wait
        self._began: dict[str, float] = {}
        self._lock = threading.Lock()

    def settle_all(self, resource: Resource) -> None:
        """Adopt what earlier runs created without learning of it; from now on nobody else writes the stream."""
        self._began[resource.name] = time.time()
        lists: defaultdict[tuple[tuple[str, int], ...], list[Entry]] = defaultdict(list)
        for entry in self._ledger.in_doubt(resource.name):
            if entry.marks:  # a link has none, and is settled by hand
                lists[tuple(entry.above.items())].append(entry)
        for entries in lists.values():
            rows = self._rows(resource, min(entries, key=lambda entry: entry.after_id))
            for entry in sorted(entries, key=lambda entry: len(entry.marks), reverse=True):
                self._look(resource, entry, rows)

    def settle(self, resource: Resource, entry: Entry, *, failed_at: float | None = None) -> int | None:
        """Return the id of the row that a create made, or None when it is sure to have made none.

        Units:  `failed_at` is when this run lost the answer, in epoch seconds; None for an earlier run's
                create, which may have been sent until this run began.
        Raises: OutcomeUnknown when several rows may be the one, the list cannot be read whole, or it moves money.
        """
        began = self._began.get(resource.name, 0)
        began = began if entry.at < began else time.time()
        sent_by = failed_at or min(began, entry.at + _LONGEST_WAY_SECONDS)
        while True:
            left = sent_by + self._settle_seconds - time.time()
            arrivals = self._board.read(resource, entry.above, entry.after_id, values=_has_values(entry))
            look = self._look(resource, entry, arrivals.rows)
            if look.found is not None:
                return look.found
            is_over = left <= (-self._settle_seconds if look.is_open else 0)
            if look.why_not and (is_over or not look.is_open):
                raise _unknown(resource, entry, look.why_not)
            if is_over and resource.write_spec and resource.write_spec.is_money:
                raise _unknown(resource, entry, "no new row looks like it, and what moves money is not sent twice")
            if is_over:
                if arrivals.is_whole:
                    return None
                raise _unknown(resource, entry, "the list in which it would be cannot be read whole")
            if self._wait(left if left > 0 else _SHORTLY_SECONDS):
                raise _unknown(resource, entry, "the run was stopped before that could be found out")

    def _rows(self, resource: Resource, entry: Entry) -> list[Row]:
        return self._board.read(resource, entry.above, entry.after_id, values=_has_values(entry)).rows

    def _look(self, resource: Resource, entry: Entry, rows: Iterable[Row]) -> _Look:
        """Claim the row that carries what was sent, one row for one source key; else say why none can be claimed.

        Creates that look alike are in doubt together: as many rows as there are of them may be theirs. A row that
        fits a create that says more is that one's, once it is settled. A row that does not show all that
        was sent is read by id.
        """
        new = [row for row in rows if int(row["id"]) > entry.after_id]
        told = [self._told(resource, entry, row) for row in new]
        with self._lock:
            pending = self._ledger.in_doubt(resource.name)
            like = [row for row in told if self._is_free(resource, entry, row)]
            surer = [other for other in pending if is_surer(other.marks, entry.marks) and other.above == entry.above]
            free = [row for row in like if not any(self._fits(resource, row, other) for other in surer)]
            alike = sum(other.marks == entry.marks and other.above == entry.above for other in pending)
            look = self._judge(resource, entry, free, alike=alike, is_open=len(free) < len(like))
            if look.found is not None:
                note = LedgerKey(resource.name, entry.source_key)
                self._ledger.done(note, row_id=look.found, above=entry.above, status="adopted")
            return look

    def _judge(self, resource: Resource, entry: Entry, free: list[Row], *, alike: int, is_open: bool) -> _Look:
        plain = [row for row in free if not says_more(resource, row, entry.marks, self._means.wire)]
        if any(hidden(row, entry.marks) for row in free):
            return _Look(why_not="a new row may be it, and does not show enough to tell")
        if len(plain) > alike:
            return _Look(why_not="several new rows look like it")
        if plain:
            return _Look(found=min(int(row["id"]) for row in plain))
        if free:
            return _Look(why_not="a new row looks like it, and says more than was sent")
        return _Look(
            why_not="a new row may be it, or another record's that is in doubt" if is_open else "", is_open=is_open
        )

    def _is_free(self, resource: Resource, entry: Entry, row: Row) -> bool:
        return self._fits(resource, row, entry) and not self._ledger.is_claimed(resource.name, int(row["id"]))

    def _fits(self, resource: Resource, row: Row, entry: Entry) -> bool:
        return int(row["id"]) > entry.after_id and is_like(resource, row, entry.marks, self._means.wire)

    def _told(self, resource: Resource, entry: Entry, row: Row) -> Row:
        """Return a row with what only the row by id shows, where that could tell it apart."""
        if not hidden(row, entry.marks) or not is_like(resource, row, entry.marks, self._means.wire):
            return row
        path = path_of(resource, entry.above, int(row["id"]))
        try:
            return {**row, **self._means.row(resource, path)}
        except RowNotFound:
            return row


def _has_values(entry: Entry) -> bool:
    return any(":" in name for name in entry.marks)


def _unknown(resource: Resource, entry: Entry, why: str) -> UncertainWrite:
    return UncertainWrite(
        f"A create may have happened: {why}.",
        where=f"stream {resource.name} · source key {redacted_key(entry.source_key)}",
        hint="look at the newest rows in FieldPulse, and settle it with `fieldpulse ledger settle`",
    )
