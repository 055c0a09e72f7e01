"""The open rejects of an account: which records wait in the rejects file, why, and since when.

An entry opens once the line of its record is in the rejects file, and closes once its key is written. Entries are
stored with the audit, before a STATE passes their records. A run that is killed in between leaves a line without an
entry, or an entry of a record that was written: the next run finds both.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Connection, delete, func, insert, inspect, select, update
from sqlalchemy import bindparam as bind
from sqlalchemy.engine import RowMapping

from fieldpulse_api.errors import SERVER_MESSAGE
from fieldpulse_plugin.stores.database import engine_of, translate_db_errors
from fieldpulse_plugin.stores.urls import sqlite_path
from target_fieldpulse.ledger.database import LedgerDatabase
from target_fieldpulse.ledger.tables import ENTRIES, REJECTS
from target_fieldpulse.records.ledger_key import KeyKind, LedgerKey

from .outcomes import Outcome
from .rejects_lines import RejectLine, key_of_record, read_reject_lines, time_of_line

SETTLED: tuple[Outcome, ...] = ("created", "updated", "deleted", "unchanged", "superseded")
"""Outcomes of a record after which older rejects of its key no longer wait."""
T = TypeVar("T")
_IS_OPEN = REJECTS.c.closed_at.is_(None)


@dataclass
class RejectEntry:
    """One entry. `number` is 0 until it is stored; `times` is how often the record was rejected."""

    account: str
    key: LedgerKey
    content: str
    outcome: str
    reason: str
    first_at: datetime
    last_at: datetime
    times: int = 1
    closed_at: datetime | None = None
    number: int = 0


@dataclass(frozen=True)
class OpenCount:
    """How many entries are open, and since when the oldest is."""

    count: int = 0
    oldest: datetime | None = None

    @property
    def line(self) -> str:
        """Return the line that says so at the end of a run."""
        records = f"{self.count} records are" if self.count > 1 else "1 record is"
        since = f", the oldest since {self.oldest:%Y-%m-%d %H:%M} UTC" if self.oldest else ""
        return f"{records} open{since}: fieldpulse rejects list"


class OpenRejects:
    """The entries of one account in a run. May be used by many threads.

    `new_count` is how many records were rejected or failed that did not fail with the same content and reason before.
    A dry run, which is not enabled, changes no entry.
    """

    def __init__(self, database: LedgerDatabase, account: str, rejects_path: Path, *, is_enabled: bool) -> None:
        self._database, self._account, self._path, self._is_enabled = database, account, rejects_path, is_enabled
        self.new_count, self.count = 0, OpenCount()
        self._entries: dict[str, RejectEntry] = {}  # by content
        self._open: defaultdict[LedgerKey, list[RejectEntry]] = defaultdict(list)
        self._changed: dict[str, RejectEntry] = {}
        self._lines: dict[str, RejectLine | None] | None = None  # by content; None where an entry has the line
        self._lock = threading.Lock()

    def prepare(self, stream: str) -> None:
        """Read the entries of a stream that this run has locked, and find what a killed run left."""
        if not self._is_enabled:
            return
        with self._database.begin() as connection:
            lines = self._read_lines(connection)
            is_own = REJECTS.c.account == self._account, REJECTS.c.stream == stream
            entries = read_entries(connection, *is_own)
            gone = [{"gone": entry.number} for entry in entries if entry.closed_at and entry.content not in lines]
            if gone:
                connection.execute(delete(REJECTS).where(REJECTS.c.number == bind("gone")), gone)
        with self._lock:
            for entry in entries:
                self._entries[entry.content] = entry
                if not entry.closed_at:
                    self._open[entry.key].append(entry)
            for line in filter(None, lines.values()):
                self._adopt(stream, line, lines)
        with self._database.begin() as connection:
            self.write(connection)
            for key, written_at in _written_at(connection, self._account, stream).items():
                self.close_key([key], lambda: "", written_at)

    def add(self, key: LedgerKey, content: str, outcome: Outcome, reason: str, *, rejected_at: float) -> None:
        """Open the entry of a record whose line is in the rejects file, or note that it was rejected again."""
        if not self._is_enabled:
            return
        at = _time(rejected_at)
        with self._lock:
            entry = self._entries.get(content)
            if entry is None or entry.closed_at:
                number = entry.number if entry else 0
                entry = RejectEntry(self._account, key, content, outcome, reason, at, at, number=number)
                self._append(entry)
                is_new = True
            else:
                is_new = entry.reason != reason
                entry.outcome, entry.reason = outcome, reason
                entry.last_at, entry.times = max(entry.last_at, at), entry.times + 1
            self.new_count += is_new and outcome != "uncertain"
            self._changed[content] = entry

    def close_key(self, keys: Iterable[LedgerKey], content: Callable[[], str], as_of: float) -> None:
        """Close the entries of keys that were written with what their source said at a time, in epoch seconds.

        Entries without a key close if their records have the same `content`.
        """
        if self._open:
            with self._lock:
                self._close(keys, content, as_of)

    @property
    def has_changes(self) -> bool:
        """Return whether entries have changed since the last `write`."""
        return bool(self._changed)

    def write(self, connection: Connection) -> None:
        """Store the changed entries."""
        with self._lock:
            changed, self._changed = list(self._changed.values()), {}
            new = [entry for entry in changed if not entry.number]
            new_rows = [_row(entry) for entry in new]
            stored_rows = [{**_row(entry), "own": entry.number} for entry in changed if entry.number]
        if new_rows:
            with_numbers = insert(REJECTS).returning(REJECTS.c.number, sort_by_parameter_order=True)
            for entry, number in zip(new, connection.scalars(with_numbers, new_rows).all(), strict=True):
                entry.number = number
        if stored_rows:
            connection.execute(update(REJECTS).where(REJECTS.c.number == bind("own")), stored_rows)

    def close(self) -> None:
        """Count the open entries of the account, all streams included. Called after the last `write`."""
        with self._database.begin() as connection:
            self.count = _count(connection, REJECTS.c.account == self._account)

    def _read_lines(self, connection: Connection) -> dict[str, RejectLine | None]:
        """Return the lines of the rejects file, read once in a run; those that entries of any account have are None."""
        if self._lines is None:
            known = set(connection.scalars(select(REJECTS.c.content)))
            lines = {each.content: each for each in read_reject_lines(self._path)}
            self._lines = {content: None if content in known else line for content, line in lines.items()}
        return self._lines

    def _adopt(self, stream: str, line: RejectLine, lines: dict[str, RejectLine | None]) -> None:
        """Open an entry for a line that has none: a run was killed, or somebody corrected the record in the file."""
        message = line.message()
        if message.get("stream") != stream or line.content in self._entries:
            return
        key, at = key_of_record(stream, message.get("record")), time_of_line(message)
        reason = str(message.get("rejected") or "").partition(SERVER_MESSAGE)[0]
        entry = RejectEntry(self._account, key, line.content, "rejected", reason, at, at)
        edited = next((each for each in self._open[key] if key.value and each.content not in lines), None)
        if edited:
            entry = replace(edited, content=line.content)
            self._open[key].remove(edited)
            del self._entries[edited.content]
        self._append(entry)
        self._changed[line.content] = entry

    def _append(self, entry: RejectEntry) -> None:
        self._entries[entry.content] = entry
        self._open[entry.key].append(entry)

    def _close(self, keys: Iterable[LedgerKey], content: Callable[[], str], as_of: float) -> None:
        at = _time(as_of)
        for key in keys:
            for entry in list(self._open.get(key, ())):
                if entry.last_at <= at and (key.value or entry.content == content()):
                    entry.closed_at = datetime.now(timezone.utc)
                    self._open[key].remove(entry)
                    self._changed[entry.content] = entry


def read_entries(connection: Connection, *conditions: ColumnElement[bool]) -> list[RejectEntry]:
    """Return the stored entries, the oldest first."""
    query = select(REJECTS).where(*conditions).order_by(REJECTS.c.first_at, REJECTS.c.number)
    return [_entry(row) for row in connection.execute(query).mappings()]


def read_all_entries(ledger_url: str) -> list[RejectEntry]:
    """Return the entries of all accounts, the oldest first, also those that are closed and whose lines stay.

    There are none without a ledger. Raises: ConfigError.
    """
    return _read(ledger_url, read_entries, [])


def read_open_entries(ledger_url: str) -> list[RejectEntry]:
    """Return the open entries of all accounts, the oldest first. Raises: ConfigError."""
    return [entry for entry in read_all_entries(ledger_url) if not entry.closed_at]


def read_open_count(ledger_url: str) -> OpenCount:
    """Return how many entries of all accounts are open. Raises: ConfigError."""
    return _read(ledger_url, _count, OpenCount())


def _read(ledger_url: str, read: Callable[[Connection], T], default: T) -> T:
    """Return what is read from a ledger, or a default if it does not exist yet, or is older than its entries."""
    path = sqlite_path(ledger_url)
    if path is not None and not path.exists():
        return default
    engine = engine_of(ledger_url, store="ledger", reads_only=True)
    try:
        with translate_db_errors("ledger"), engine.connect() as connection:
            return read(connection) if inspect(connection).has_table(REJECTS.name) else default
    finally:
        engine.dispose()


def _count(connection: Connection, *conditions: ColumnElement[bool]) -> OpenCount:
    query = select(func.count(), func.min(REJECTS.c.first_at)).where(_IS_OPEN, *conditions)
    count, oldest = connection.execute(query).one()
    return OpenCount(count, oldest)


def _written_at(connection: Connection, account: str, stream: str) -> dict[LedgerKey, float]:
    """Return when keys with open entries were written, where the ledger has no later reject of them."""
    is_same = [REJECTS.c[name] == ENTRIES.c[name] for name in ("account", "stream", "kind", "source_key")]
    query = select(ENTRIES.c.kind, ENTRIES.c.source_key, ENTRIES.c.updated_at).where(
        *is_same,
        REJECTS.c.account == account,
        REJECTS.c.stream == stream,
        _IS_OPEN,
        ENTRIES.c.status.in_(("written", "deleted")),
    )
    return {LedgerKey(stream, KeyKind(kind), key): at for kind, key, at in connection.execute(query)}


def _time(epoch_seconds: float) -> datetime:
    return datetime.fromtimestamp(epoch_seconds, timezone.utc)


def _row(entry: RejectEntry) -> dict[str, Any]:
    row = {name: value for name, value in vars(entry).items() if name not in ("key", "number")}
    return {**row, "stream": entry.key.stream, "kind": entry.key.kind.value, "source_key": entry.key.value}


def _entry(row: RowMapping) -> RejectEntry:
    columns = {str(name): value for name, value in row.items() if name not in ("stream", "kind", "source_key")}
    return RejectEntry(key=LedgerKey(row["stream"], KeyKind(row["kind"]), row["source_key"]), **columns)
