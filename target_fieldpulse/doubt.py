"""Creates whose outcome is unknown: looked for among the newest rows, never repeated blindly."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace

from fieldpulse_api.errors import NotFound, OutcomeUnknown
from fieldpulse_api.newest import Newest
from fieldpulse_api.pages import Pages, Row
from fieldpulse_api.resource import Resource

from .ledger import Entry
from .marks import is_like
from .means import Means
from .plan import Note

_LONGEST_WAY_SECONDS = 300.0  # between noting a create and sending it: the budget, pauses, retries


class Doubts:
    """Settle creates that the ledger holds as intended. May be used by many threads.

    `settle_seconds` is how long after it was sent a create may still be carried out; `wait(seconds)`
    says whether the run was stopped meanwhile.
    """

    def __init__(self, means: Means, *, settle_seconds: float, wait: Callable[[float], bool]) -> None:
        self._means, self._ledger = means, means.ledger
        self._settle_seconds, self._wait = settle_seconds, wait
        self._began = time.time()
        self._lock = threading.Lock()

    def settle_all(self, resource: Resource) -> None:
        """Adopt the rows that earlier runs created without learning of it."""
        lists: defaultdict[tuple[tuple[str, int], ...], list[Entry]] = defaultdict(list)
        for entry in self._ledger.in_doubt(resource.name):
            if entry.marks:  # a link has none, and is settled by hand
                lists[tuple(entry.above.items())].append(entry)
        for entries in lists.values():
            rows, _ = self._newer_rows(resource, entries[0], min(entry.after_id for entry in entries))
            for entry in entries:
                self._claim(resource, entry, rows)

    def settle(self, resource: Resource, entry: Entry, *, failed_at: float | None = None) -> int | None:
        """Return the id of the row that a create made, or None when it is sure to have made none.

        Units:  `failed_at` is when this run lost the answer, in epoch seconds; None for an earlier run's
                create, which may have been sent until this run began.
        Raises: OutcomeUnknown when several rows may be the one, the list cannot be read whole, or it moves money.
        """
        began = self._began if entry.at < self._began else time.time()
        sent_by = failed_at or min(began, entry.at + _LONGEST_WAY_SECONDS)
        while True:
            left = sent_by + self._settle_seconds - time.time()
            rows, is_whole = self._newer_rows(resource, entry, entry.after_id)
            found, is_ambiguous = self._claim(resource, entry, rows)
            if found is not None:
                return found
            if is_ambiguous:
                raise _unknown(resource, entry, "several new rows look like it")
            if left <= 0 and resource.write and resource.write.is_money:
                raise _unknown(resource, entry, "no new row looks like it, and what moves money is not sent twice")
            if left <= 0:
                if is_whole:
                    return None
                raise _unknown(resource, entry, "the list in which it would be cannot be read whole")
            if self._wait(left):
                raise _unknown(resource, entry, "the run was stopped before that could be found out")

    def _newer_rows(self, resource: Resource, entry: Entry, after_id: int) -> tuple[list[Row], bool]:
        """Return the rows above an id, and whether one that was there when the reading began must be among them.

        In a list that grows all the while nothing is ever quiet: as many rows as were counted is enough. A list
        below a row that is gone has none.
        """
        query = dict(resource.ask_values) if any(":" in name for name in entry.marks) else {}
        path = resource.path.format(**entry.above)
        pages = Pages(self._means.client, resource, replace(self._means.reading, query=query), path)
        try:
            rows = [row for page in Newest(pages, resource.key, after_id + 1).rows() for row in page]
        except NotFound:
            return [], True
        tally = pages.tally
        is_whole = tally.verdict == "complete" or (tally.verdict == "unproven" and tally.counted is not None)
        return rows, is_whole

    def _claim(self, resource: Resource, entry: Entry, rows: list[Row]) -> tuple[int | None, bool]:
        """Claim the row that carries what was sent, one row for one source key; else say whether several may be it.

        Creates that look alike are in doubt together: as many rows as there are of them may be theirs.
        """
        with self._lock:
            found = sorted(
                int(row["id"])
                for row in rows
                if is_like(resource, row, entry.marks, self._means.wire)
                and not self._ledger.is_claimed(resource.name, int(row["id"]))
            )
            alike = sum(other.marks == entry.marks for other in self._ledger.in_doubt(resource.name))
            if not found or len(found) > alike:
                return None, bool(found)
            note = Note(resource.name, entry.source_key)
            self._ledger.done(note, row_id=found[0], above=entry.above, status="adopted")
            return found[0], False


def _unknown(resource: Resource, entry: Entry, why: str) -> OutcomeUnknown:
    return OutcomeUnknown(
        f"A create may have happened: {why}.",
        where=f"stream {resource.name} · source key {entry.source_key}",
        do="look at the newest rows in FieldPulse, and settle it with `fieldpulse ledger settle`",
    )
