"""The entries of the ledger: one for each account, stream and key.

An entry is committed as `pending` before its create is sent, and as `written` after the response. If the process dies
in between, the next run finds the pending entry and looks for the row instead of creating a second one. Entries hold
ids and hashes, never values of a record.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from sqlalchemy import Connection, bindparam, case, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from fieldpulse_api.errors import RecordInvalid
from target_fieldpulse.records.ledger_key import KeyKind, LedgerKey
from target_fieldpulse.records.property_hashes import PropertyHashes

from .account_name import adopt_entries
from .database import LedgerDatabase
from .entry import Entry, Status
from .run_marker import lock_lost_error
from .tables import AUDIT, ENTRIES, RUNS

_CLOCK_STEP_SECONDS = 0.001  # more than the rounding of times in the rejects file
_KEY_COLUMNS = ("account", "stream", "kind", "source_key")
# Built once: every record is looked up by its key, and building the statement costs more than running it.
_BY_KEY = select(ENTRIES).where(*(ENTRIES.c[name] == bindparam(name) for name in _KEY_COLUMNS))
_BY_KEYS = select(ENTRIES).where(
    *(ENTRIES.c[name] == bindparam(name) for name in _KEY_COLUMNS[:-1]),
    ENTRIES.c.source_key.in_(bindparam("source_keys", expanding=True)),
)


class Ledger:
    """The entries of one account. May be used by many threads.

    Every method raises ConfigError if the database fails.
    """

    def __init__(
        self, database: LedgerDatabase, account: str, *, run_id: str | None = None, former_account: str | None = None
    ) -> None:
        """Open the entries of an account, also those under `former_account`, its name before its id was known.

        `run_id` is that of the run that creates rows; without it, no create can be added.

        Raises: ConfigError as `adopt_entries`.
        """
        self.account = account
        self._database, self._run_id = database, run_id
        if former_account:
            adopt_entries(database, account, former_account)

    @staticmethod
    def accounts(database: LedgerDatabase) -> list[str]:
        """Return the accounts that have entries."""
        with database.query() as connection:
            query = select(ENTRIES.c.account).distinct().order_by(ENTRIES.c.account)
            return list(connection.scalars(query))

    def find(self, key: LedgerKey) -> Entry | None:
        """Return the entry of a key."""
        with self._database.query() as connection:
            row = connection.execute(_BY_KEY, self._columns(key)).mappings().first()
        return None if row is None else Entry.of(row)

    def find_all(self, keys: Iterable[LedgerKey]) -> dict[LedgerKey, Entry]:
        """Return the entries of the keys that have one, with a statement for each stream and kind."""
        groups: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
        for key in keys:
            groups[key.stream, key.kind.value].append(key.value)
        with self._database.query() as connection:
            entries = [
                Entry.of(row)
                for (stream, kind), values in groups.items()
                for row in connection.execute(
                    _BY_KEYS, {"account": self.account, "stream": stream, "kind": kind, "source_keys": values}
                ).mappings()
            ]
        return {entry.key: entry for entry in entries}

    def entries(self, stream: str | None = None) -> Iterator[Entry]:
        """Yield all entries, or those of one stream, the oldest first."""
        yield from self._select(*([] if stream is None else [ENTRIES.c.stream == stream]))

    def pending(self, stream: str) -> list[Entry]:
        """Return the pending entries of a stream, the oldest first."""
        return self._select(ENTRIES.c.stream == stream, ENTRIES.c.status == "pending")

    def is_claimed(self, stream: str, row_id: int) -> bool:
        """Return whether a row already belongs to some key."""
        return bool(self._select(ENTRIES.c.stream == stream, ENTRIES.c.row_id == row_id, ENTRIES.c.status != "deleted"))

    def keys_of_row(self, stream: str, row_id: int) -> list[LedgerKey]:
        """Return the keys of the source that a row belongs to."""
        entries = self._select(ENTRIES.c.stream == stream, ENTRIES.c.row_id == row_id, ENTRIES.c.status != "deleted")
        return [entry.key for entry in entries if entry.key.kind is KeyKind.EXTERNAL_ID]

    def row_count(self, stream: str) -> int:
        """Return how many rows of a stream the ledger knows."""
        query = (
            select(func.count())
            .select_from(ENTRIES)
            .where(
                ENTRIES.c.account == self.account,
                ENTRIES.c.stream == stream,
                ENTRIES.c.status.in_(("linked", "written", "outdated")),
                ENTRIES.c.row_id.is_not(None),
            )
        )
        with self._database.query() as connection:
            return int(connection.scalar(query) or 0)

    def add_pending(
        self,
        key: LedgerKey,
        *,
        parent_ids: Mapping[str, int],
        fingerprint: Mapping[str, str],
        max_id_before: int,
        property_hashes: PropertyHashes | None = None,
        replaces: Entry | None = None,
    ) -> Entry:
        """Commit that a create or a link is about to be sent, in place of an entry that no longer holds.

        Raises: RecordInvalid if the key has an entry already: another process is creating the same record. RunLocked if
        another run has the stream by now.
        """
        values = {
            "status": "pending",
            "parent_ids": dict(parent_ids),
            "property_hashes": property_hashes or {},
            "fingerprint": dict(fingerprint),
            "max_id_before": max_id_before,
            "updated_at": time.time(),
        }
        with self._database.begin_for_key() as connection:
            self._raise_if_lock_lost(connection, key.stream)
            connection.execute(delete(ENTRIES).where(*self._is(key), ENTRIES.c.status == "deleted"))
            if replaces:
                connection.execute(delete(ENTRIES).where(*self._is_unchanged(replaces)))
            try:
                connection.execute(insert(ENTRIES).values(**self._columns(key), **values))
            except IntegrityError:
                raise RecordInvalid(
                    "Another process is creating this record, or its create is uncertain.",
                    where=f"ledger · stream {key.stream}",
                    hint="let one process at a time write a stream, then replay the record",
                ) from None
        return Entry.of({**self._columns(key), **values, "row_id": None})

    def upsert(
        self,
        key: LedgerKey,
        *,
        row_id: int | None,
        parent_ids: Mapping[str, int],
        property_hashes: PropertyHashes | None = None,
        status: Status = "written",
        audit: Mapping[str, Any] | None = None,
        updated_at: float | None = None,
    ) -> None:
        """Commit the state of the key's row together with its audit row.

        Units:  `updated_at` is in epoch seconds: when the values came from their source, if that was not now.
        Raises: RunLocked if another run has the stream by now: it has read the entry as it is, and may have changed it.
        """
        values = {
            "status": status,
            "row_id": row_id,
            "parent_ids": dict(parent_ids),
            "property_hashes": property_hashes or {},
            "fingerprint": {},
            "updated_at": updated_at or time.time(),
        }
        with self._database.begin_for_key() as connection:
            self._raise_if_lock_lost(connection, key.stream)
            if not connection.execute(update(ENTRIES).where(*self._is(key)).values(**values)).rowcount:
                connection.execute(insert(ENTRIES).values(**self._columns(key), **values, max_id_before=0))
            if audit:
                connection.execute(insert(AUDIT).values(account=self.account, **audit))

    def mark_outdated(self, key: LedgerKey, *, rejected_at: float, is_row_certain: bool) -> None:
        """Commit that a newer record of a key was not written: the same record as before is news when it comes again.

        If the row may hold a part of that record, what it holds is forgotten. An entry that was written later than
        that, by a clock that was ahead, was written earlier: the replay of the record must not find it newer.
        """
        latest = rejected_at - _CLOCK_STEP_SECONDS
        updated_at = case((ENTRIES.c.updated_at > rejected_at, latest), else_=ENTRIES.c.updated_at)
        values: dict[str, Any] = {"status": "outdated", "updated_at": updated_at}
        if not is_row_certain:
            values["property_hashes"] = {}
        with self._database.begin() as connection:
            connection.execute(
                update(ENTRIES).where(*self._is(key), ENTRIES.c.status.in_(("written", "outdated"))).values(**values)
            )

    def link(self, entry: Entry, row_id: int) -> bool:
        """Commit that a pending create made a row. Return False, and do nothing, if the entry is not as it was read.

        Raises: RunLocked if another run has the stream by now: the row may belong to a create of that run.
        """
        values = {"status": "linked", "row_id": row_id, "property_hashes": {}, "fingerprint": {}}
        with self._database.begin() as connection:
            self._raise_if_lock_lost(connection, entry.key.stream)
            statement = update(ENTRIES).where(*self._is_unchanged(entry)).values(**values, updated_at=time.time())
            return bool(connection.execute(statement).rowcount)

    def discard(self, entry: Entry) -> bool:
        """Commit that an entry does not hold: its create did not happen. Return False if it is not as it was read."""
        with self._database.begin() as connection:
            return bool(connection.execute(delete(ENTRIES).where(*self._is_unchanged(entry))).rowcount)

    def delete(self, key: LedgerKey) -> None:
        """Delete an entry that no longer holds: its row is gone, or its values were overwritten."""
        with self._database.begin() as connection:
            connection.execute(delete(ENTRIES).where(*self._is(key)))

    def _raise_if_lock_lost(self, connection: Connection, stream: str) -> None:
        if self._run_id is None:  # a command of the user, which holds the lock
            return
        is_own = RUNS.c.account == self.account, RUNS.c.stream == stream, RUNS.c.run_id == self._run_id
        # Until the commit, no other run can replace the marker. In SQLite, a query would not begin a transaction.
        if self._database.is_sqlite:
            is_held = connection.execute(update(RUNS).where(*is_own).values(run_id=self._run_id)).rowcount > 0
        else:
            is_held = connection.scalar(select(RUNS.c.run_id).where(*is_own).with_for_update(read=True)) is not None
        if not is_held:
            raise lock_lost_error(stream)

    def _is_unchanged(self, entry: Entry) -> list[Any]:
        """Return the condition that an entry is as it was read: another run may have settled it."""
        return [
            *self._is(entry.key),
            ENTRIES.c.status == entry.status,
            ENTRIES.c.updated_at == entry.updated_at,
        ]

    def _select(self, *conditions: Any) -> list[Entry]:
        query = select(ENTRIES).where(ENTRIES.c.account == self.account, *conditions).order_by(ENTRIES.c.updated_at)
        with self._database.query() as connection:
            return [Entry.of(row) for row in connection.execute(query).mappings()]

    def _columns(self, key: LedgerKey) -> dict[str, str]:
        return {"account": self.account, "stream": key.stream, "kind": key.kind.value, "source_key": key.value}

    def _is(self, key: LedgerKey) -> list[Any]:
        return [ENTRIES.c[name] == value for name, value in self._columns(key).items()]
