"""Uncertain creates: creates whose response was lost, looked for among the newest rows.

FieldPulse has no idempotency keys: a POST that is sent twice makes two rows. The invariant of this package is that a
POST is never repeated while its outcome is unknown. It rests on four rules:

- Before a create is sent, the ledger has committed it as pending, with a fingerprint of its body and the id of a row
  that existed. The row of the create, if there is one, has a higher id and matches the fingerprint.
- A create leaves only while its run still has the stream, or within the lease after it lost it (`ledger.run_marker`).
- A row is linked to one key only. It must match the fingerprint, belong to no other key, and hold no data that was
  not sent. If several pending creates match it, the most specific one is settled first.
- "It did not happen" is concluded only `uncertain_create_timeout_seconds` after the create was sent, when FieldPulse
  can no longer apply it, and only from a complete list. For resources that move money it is never concluded.

| new rows that match the fingerprint             | before the time-out | after the time-out                     |
| ----------------------------------------------- | ------------------- | -------------------------------------- |
| up to as many as creates with this fingerprint  | link the first      | link the first                         |
| more than that                                  | uncertain           | uncertain                              |
| a row that hides columns of the fingerprint     | uncertain           | uncertain                              |
| only rows with data that was not sent           | uncertain           | uncertain                              |
| only rows that match a more specific create too | wait for that one   | wait once more as long, then uncertain |
| none                                            | wait                | did not happen, if the list is complete|
| none, and the resource moves money              | wait                | uncertain                              |
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from fieldpulse_api.errors import RowNotFound, UncertainWrite
from fieldpulse_api.reading.pages import Row
from fieldpulse_api.resources.model import WritableResource
from target_fieldpulse.ledger.entry import Entry
from target_fieldpulse.records.columns import Column
from target_fieldpulse.records.ledger_key import LedgerKey

from .fingerprint import has_extra_data, is_more_specific, matches, unobservable_columns
from .new_rows import NewRowReader, NewRows
from .services import WriteServices, row_path

_LOGGER = logging.getLogger(__name__)
_POLL_SECONDS = 0.5  # while another pending create is being settled


@dataclass(frozen=True)
class MatchResult:
    """The result of one comparison with the new rows: a row, or the reason for none.

    `may_be_another` means that the only matching rows also match a more specific pending create.
    """

    row_id: int | None = None
    reason: str = ""
    may_be_another: bool = False


class UncertainCreates:
    """Settle creates that are pending in the ledger. May be used by many threads."""

    def __init__(self, services: WriteServices) -> None:
        self._services, self._ledger, self._new_rows = services, services.ledger, NewRowReader(services)
        self._failed_at: dict[LedgerKey, float] = {}  # of the creates of this run
        self._lock = threading.Lock()

    def settle_all(self, resource: WritableResource) -> None:
        """Link the rows that earlier runs created without a response. The run must have locked the stream.

        Entries that remain pending are settled when their records come again. Links between rows have no fingerprint
        and stay pending: the user settles them.
        """
        by_list: defaultdict[tuple[tuple[str, int], ...], list[Entry]] = defaultdict(list)
        for entry in self._ledger.pending(resource.name):
            if entry.fingerprint:
                by_list[tuple(entry.parent_ids.items())].append(entry)
        for entries in by_list.values():
            rows = self._read(resource, min(entries, key=lambda entry: entry.max_id_before)).rows
            for entry in sorted(entries, key=lambda entry: len(entry.fingerprint), reverse=True):
                self._link_match(resource, entry, rows)

    def settle(self, resource: WritableResource, key: LedgerKey, *, failed_at: float | None = None) -> int | None:
        """Return the id of the row that a create made, or None if it certainly made none: it is forgotten then.

        The entry is read again before each look, and changed only as it was read: another run may have settled it.

        Units:  `failed_at` is when this run lost the response, by the monotonic clock; None if it was not this run, or
                if it is the second time that the create is looked for.
        Raises: UncertainWrite if neither can be told, the resource moves money, or the run is stopped.
        """
        if failed_at is not None:
            self._failed_at[key] = failed_at
        sent_before, timeout_seconds = self._latest_send_time(key), self._services.timeout_seconds
        while True:
            entry = self._ledger.find(key)
            if entry is None or entry.status != "pending":
                return _row_of_settled(entry, key)
            seconds_left = sent_before + timeout_seconds - time.monotonic()
            new_rows = self._read(resource, entry)
            match = self._link_match(resource, entry, new_rows.rows)
            if match.row_id is not None:
                return match.row_id
            is_over = seconds_left <= (-timeout_seconds if match.may_be_another else 0)
            if match.reason and (is_over or not match.may_be_another):
                raise _uncertain_error(key, match.reason)
            if is_over and resource.write_spec.is_money:
                raise _uncertain_error(key, "no matching row found, and creates that move money are not repeated")
            if is_over and not new_rows.is_complete:
                raise _uncertain_error(key, "no matching row found, and the list could not be read completely")
            if is_over and self._ledger.discard(entry):
                return None
            reason = f"{resource.name} {key.redacted}: the create without a response may still happen"
            if self._services.waiter.wait(seconds_left if seconds_left > 0 else _POLL_SECONDS, reason):
                raise _uncertain_error(key, "the run was stopped before the outcome was known")

    def _latest_send_time(self, key: LedgerKey) -> float:
        """Return when a create was sent at the latest, by the monotonic clock.

        A run that was killed, or lost its lock, may have sent it however long after it had noted it: it may have been
        suspended in between. A run that ended by itself left nothing in flight.
        """
        killed_before = self._services.runs.killed_before
        return self._failed_at.get(key, -math.inf if killed_before is None else killed_before)

    def _read(self, resource: WritableResource, entry: Entry) -> NewRows:
        return self._new_rows.read(
            resource,
            entry.parent_ids,
            entry.max_id_before,
            with_custom_fields=any(Column.from_text(name).custom_field_id is not None for name in entry.fingerprint),
        )

    def _link_match(self, resource: WritableResource, entry: Entry, rows: Iterable[Row]) -> MatchResult:
        """Link the row that an entry's create made, if it can be told; else return why not.

        Pending creates with the same fingerprint share the rows that match: which of them gets which row does not
        matter, since a linked row is completed with the record's values afterwards.
        """
        codec = self._services.codec
        new_rows = [self._with_hidden_columns(resource, entry, row) for row in rows if _is_newer(row, entry)]
        with self._lock:
            pending = [other for other in self._ledger.pending(resource.name) if other.parent_ids == entry.parent_ids]
            matching = [
                row
                for row in new_rows
                if matches(resource, row, entry.fingerprint, codec)
                and not self._ledger.is_claimed(resource.name, int(row["id"]))
            ]
            more_specific = [other for other in pending if is_more_specific(other.fingerprint, entry.fingerprint)]
            own = [
                row
                for row in matching
                if not any(
                    _is_newer(row, other) and matches(resource, row, other.fingerprint, codec)
                    for other in more_specific
                )
            ]
            creates_alike = sum(other.fingerprint == entry.fingerprint for other in pending)
            if own or not matching:
                match = self._choose(resource, entry, own, creates_alike=creates_alike)
            else:
                reason = "a new row matches, and may belong to another uncertain create"
                match = MatchResult(reason=reason, may_be_another=True)
            if match.row_id is not None and not self._ledger.link(entry, match.row_id):
                match = MatchResult()
        _LOGGER.debug("uncertain create %s %s: %s", resource.name, entry.key.redacted, match)
        return match

    def _choose(self, resource: WritableResource, entry: Entry, rows: list[Row], *, creates_alike: int) -> MatchResult:
        """Choose among the matching rows the first one, unless one of them makes the choice ambiguous."""
        codec = self._services.codec
        if any(unobservable_columns(row, entry.fingerprint) for row in rows):
            return MatchResult(reason="a new row may match, and does not show enough columns to tell")
        plain = [row for row in rows if not has_extra_data(resource, row, entry.fingerprint, codec)]
        if len(plain) > creates_alike:
            return MatchResult(reason="several new rows match")
        if plain:
            return MatchResult(row_id=min(int(row["id"]) for row in plain))
        return MatchResult(reason="the only matching row holds data that was not sent" if rows else "")

    def _with_hidden_columns(self, resource: WritableResource, entry: Entry, row: Row) -> Row:
        """Complete a row that may match by what only the row by id shows."""
        fingerprint = entry.fingerprint
        if not unobservable_columns(row, fingerprint):
            return row
        if not matches(resource, row, fingerprint, self._services.codec):
            return row
        try:
            return {**row, **self._services.read_row(resource, row_path(resource, entry.parent_ids, int(row["id"])))}
        except RowNotFound:
            return row


def _is_newer(row: Row, entry: Entry) -> bool:
    return int(row["id"]) > entry.max_id_before


def _row_of_settled(entry: Entry | None, key: LedgerKey) -> int | None:
    """Return the row of a create that another run or the user has settled, or None if they discarded it.

    Raises: UncertainWrite if the row is gone.
    """
    if entry is None:
        return None
    if entry.row_id is None or entry.status == "deleted":
        raise _uncertain_error(key, "somebody else has settled it meanwhile")
    return entry.row_id


def _uncertain_error(key: LedgerKey, reason: str) -> UncertainWrite:
    return UncertainWrite(
        f"Cannot confirm this create: {reason}.",
        where=f"stream {key.stream} · key {key.redacted}",
        hint="look at the newest rows in FieldPulse, then use `fieldpulse ledger settle`",
    )
