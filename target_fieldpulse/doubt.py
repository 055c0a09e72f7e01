"""Creates whose outcome is unknown: looked for among the newest rows, never repeated blindly."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from fieldpulse_api.client import Client
from fieldpulse_api.errors import OutcomeUnknown
from fieldpulse_api.newest import Newest
from fieldpulse_api.pages import Pages, Reading, Row
from fieldpulse_api.resource import Resource

from .ledger import Entry, Ledger
from .plan import is_like


class Doubts:
    """Settle creates that the ledger holds as intended. May be used by many threads.

    `settle_seconds` is how long after it was sent a create may still be carried out; `wait(seconds)`
    says whether the run was stopped meanwhile.
    """

    def __init__(
        self,
        client: Client,
        ledger: Ledger,
        reading: Reading,
        *,
        settle_seconds: float,
        wait: Callable[[float], bool],
    ) -> None:
        self._client, self._ledger, self._reading = client, ledger, reading
        self._settle_seconds, self._wait = settle_seconds, wait
        self._lock = threading.Lock()

    def settle_all(self, resource: Resource) -> None:
        """Adopt the rows that earlier runs created without learning of it; what did not happen is forgotten."""
        entries = self._ledger.in_doubt(resource.name)
        if not entries:
            return
        rows = self._newer_rows(resource, min(entry.after_id for entry in entries))
        for entry in entries:
            found = self._among(resource, entry, rows)
            if found is None and self._left(entry) <= 0 and not self._is_ambiguous(resource, entry, rows):
                self._ledger.forget(resource.name, entry.source_key)

    def settle(self, resource: Resource, entry: Entry) -> int | None:
        """Return the id of the row that a create made, or None when it is sure to have made none.

        Raises: OutcomeUnknown when several rows may be the one.
        """
        while True:
            left = self._left(entry)
            rows = self._newer_rows(resource, entry.after_id)
            found = self._among(resource, entry, rows)
            if found is not None:
                return found
            if self._is_ambiguous(resource, entry, rows):
                raise OutcomeUnknown(
                    "A create may have happened, and several new rows look like it.",
                    where=f"stream {resource.name} · source key {entry.source_key}",
                    do="look at the newest rows in FieldPulse, remove what is too many, and replay the record",
                )
            if left <= 0:
                return None
            if self._wait(left):
                raise OutcomeUnknown(
                    "A create may have happened, and the run was stopped before that could be found out.",
                    where=f"stream {resource.name} · source key {entry.source_key}",
                    do="run again: it is looked for first",
                )

    def _left(self, entry: Entry) -> float:
        age = time.time() - entry.at
        return self._settle_seconds - max(0.0, age)

    def _newer_rows(self, resource: Resource, after_id: int) -> list[Row]:
        pages = Pages(self._client, resource, self._reading)
        return [row for page in Newest(pages, resource.key, after_id + 1).rows() for row in page]

    def _among(self, resource: Resource, entry: Entry, rows: list[Row]) -> int | None:
        """Claim the row that carries what was sent, one row for one source key."""
        with self._lock:
            found = self._candidates(resource, entry, rows)
            if not found or len(found) > self._alike(resource, entry):
                return None
            # The digest is left empty: the record is compared with the row, and written where it differs.
            self._ledger.done(resource.name, entry.source_key, row_id=found[0], digest="")
            return found[0]

    def _is_ambiguous(self, resource: Resource, entry: Entry, rows: list[Row]) -> bool:
        with self._lock:
            return len(self._candidates(resource, entry, rows)) > self._alike(resource, entry)

    def _candidates(self, resource: Resource, entry: Entry, rows: list[Row]) -> list[int]:
        ids = [
            int(row["id"])
            for row in rows
            if int(row["id"]) > entry.after_id and is_like(row, entry.marks, self._ledger.account)
        ]
        return sorted(one for one in ids if not self._ledger.is_claimed(resource.name, one))

    def _alike(self, resource: Resource, entry: Entry) -> int:
        """Return how many creates in doubt sent the same: as many rows as that may be theirs."""
        return sum(other.marks == entry.marks for other in self._ledger.in_doubt(resource.name))
