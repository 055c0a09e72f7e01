"""Creates whose outcome is unknown: looked for among the newest rows, never repeated blindly."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from fieldpulse_api.errors import RowNotFound, UncertainWrite
from fieldpulse_api.reading.pages import Row
from fieldpulse_api.resources.model import WritableResource
from target_fieldpulse.ledger.ledger import Entry

from .fingerprint import has_extra_data, is_more_specific, matches, unobservable_columns
from .new_rows import NewRowReader
from .services import WriteServices, row_path

_MAX_SECONDS_BEFORE_SENDING = 300.0  # between noting a create and sending it: the budget, pauses, retries
_POLL_SECONDS = 0.5  # until another create that is under way is settled


@dataclass(frozen=True)
class MatchResult:
    """What one look at the new rows showed. `is_open`: one of them may turn out to be another's."""

    row_id: int | None = None
    reason: str = ""
    is_pending_elsewhere: bool = False


class UncertainCreates:
    """Settle creates that the ledger holds as intended. May be used by many threads.

    `uncertain_create_timeout_seconds` is how long after it was sent a create may still be carried out; `wait(seconds)`
    says whether the run was stopped meanwhile.
    """

    def __init__(
        self, services: WriteServices, *, uncertain_create_timeout_seconds: float, wait: Callable[[float], bool]
    ) -> None:
        self._services, self._ledger, self._new_rows = services, services.ledger, NewRowReader(services)
        self._timeout_seconds, self._wait = uncertain_create_timeout_seconds, wait
        self._stream_started_at: dict[str, float] = {}
        self._lock = threading.Lock()

    def settle_all(self, resource: WritableResource) -> None:
        """Adopt what earlier runs created without learning of it; from now on nobody else writes the stream."""
        self._stream_started_at[resource.name] = time.time()
        lists: defaultdict[tuple[tuple[str, int], ...], list[Entry]] = defaultdict(list)
        for entry in self._ledger.pending(resource.name):
            if entry.fingerprint:  # a link has none, and is settled by hand
                lists[tuple(entry.parent_ids.items())].append(entry)
        for entries in lists.values():
            rows = self._rows(resource, min(entries, key=lambda entry: entry.max_id_before))
            for entry in sorted(entries, key=lambda entry: len(entry.fingerprint), reverse=True):
                self._match(resource, entry, rows)

    def settle(self, resource: WritableResource, entry: Entry, *, failed_at: float | None = None) -> int | None:
        """Return the id of the row that a create made, or None when it is sure to have made none.

        Units:  `failed_at` is when this run lost the answer, in epoch seconds; None for an earlier run's
                create, which may have been sent until this run began.
        Raises: OutcomeUnknown when several rows may be the one, the list cannot be read whole, or it moves money.
        """
        began = self._stream_started_at.get(resource.name, 0)
        began = began if entry.updated_at < began else time.time()
        sent_by = failed_at or min(began, entry.updated_at + _MAX_SECONDS_BEFORE_SENDING)
        while True:
            left = sent_by + self._timeout_seconds - time.time()
            arrivals = self._new_rows.read(
                resource, entry.parent_ids, entry.max_id_before, with_custom_fields=_needs_custom_fields(entry)
            )
            look = self._match(resource, entry, arrivals.rows)
            if look.row_id is not None:
                return look.row_id
            is_over = left <= (-self._timeout_seconds if look.is_pending_elsewhere else 0)
            if look.reason and (is_over or not look.is_pending_elsewhere):
                raise _uncertain(resource, entry, look.reason)
            if is_over and resource.write_spec.is_money:
                raise _uncertain(resource, entry, "no new row looks like it, and what moves money is not sent twice")
            if is_over:
                if arrivals.is_whole:
                    return None
                raise _uncertain(resource, entry, "the list in which it would be cannot be read whole")
            if self._wait(left if left > 0 else _POLL_SECONDS):
                raise _uncertain(resource, entry, "the run was stopped before that could be found out")

    def _rows(self, resource: WritableResource, entry: Entry) -> list[Row]:
        return self._new_rows.read(
            resource, entry.parent_ids, entry.max_id_before, with_custom_fields=_needs_custom_fields(entry)
        ).rows

    def _match(self, resource: WritableResource, entry: Entry, rows: Iterable[Row]) -> MatchResult:
        """Claim the row that carries what was sent, one row for one source key; else say why none can be claimed.

        Creates that look alike are in doubt together: as many rows as there are of them may be theirs. A row that
        fits a create that says more is that one's, once it is settled. A row that does not show all that
        was sent is read by id.
        """
        new = [row for row in rows if int(row["id"]) > entry.max_id_before]
        told = [self._with_hidden_columns(resource, entry, row) for row in new]
        with self._lock:
            pending = self._ledger.pending(resource.name)
            like = [row for row in told if self._is_free(resource, entry, row)]
            surer = [
                other
                for other in pending
                if is_more_specific(other.fingerprint, entry.fingerprint) and other.parent_ids == entry.parent_ids
            ]
            free = [row for row in like if not any(self._fits(resource, row, other) for other in surer)]
            alike = sum(
                other.fingerprint == entry.fingerprint and other.parent_ids == entry.parent_ids for other in pending
            )
            look = self._judge(resource, entry, free, alike=alike, is_open=len(free) < len(like))
            if look.row_id is not None:
                self._ledger.upsert(entry.key, row_id=look.row_id, parent_ids=entry.parent_ids, status="linked")
            return look

    def _judge(
        self, resource: WritableResource, entry: Entry, free: list[Row], *, alike: int, is_open: bool
    ) -> MatchResult:
        plain = [row for row in free if not has_extra_data(resource, row, entry.fingerprint, self._services.codec)]
        if any(unobservable_columns(row, entry.fingerprint) for row in free):
            return MatchResult(reason="a new row may be it, and does not show enough to tell")
        if len(plain) > alike:
            return MatchResult(reason="several new rows look like it")
        if plain:
            return MatchResult(row_id=min(int(row["id"]) for row in plain))
        if free:
            return MatchResult(reason="a new row looks like it, and says more than was sent")
        return MatchResult(
            reason="a new row may be it, or another record's that is in doubt" if is_open else "",
            is_pending_elsewhere=is_open,
        )

    def _is_free(self, resource: WritableResource, entry: Entry, row: Row) -> bool:
        return self._fits(resource, row, entry) and not self._ledger.is_claimed(resource.name, int(row["id"]))

    def _fits(self, resource: WritableResource, row: Row, entry: Entry) -> bool:
        return int(row["id"]) > entry.max_id_before and matches(resource, row, entry.fingerprint, self._services.codec)

    def _with_hidden_columns(self, resource: WritableResource, entry: Entry, row: Row) -> Row:
        """Return a row with what only the row by id shows, where that could tell it apart."""
        if not unobservable_columns(row, entry.fingerprint) or not matches(
            resource, row, entry.fingerprint, self._services.codec
        ):
            return row
        path = row_path(resource, entry.parent_ids, int(row["id"]))
        try:
            return {**row, **self._services.read_row(resource, path)}
        except RowNotFound:
            return row


def _needs_custom_fields(entry: Entry) -> bool:
    return any(":" in name for name in entry.fingerprint)


def _uncertain(resource: WritableResource, entry: Entry, why: str) -> UncertainWrite:
    return UncertainWrite(
        f"A create may have happened: {why}.",
        where=f"stream {resource.name} · source key {entry.key.redacted}",
        hint="look at the newest rows in FieldPulse, and settle it with `fieldpulse ledger settle`",
    )
