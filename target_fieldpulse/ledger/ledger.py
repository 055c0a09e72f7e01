"""What was intended, what was done, and what is in doubt: one row per account, stream and source key.

`intended` is committed before a create is sent, `done` with the FieldPulse id after it; what is found
`intended` later may or may not have happened. It holds hashes and ids, no record and no API key.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Connection,
    Float,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    delete,
    func,
    insert,
    inspect,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from fieldpulse_api.errors import ConfigError, RecordInvalid
from fieldpulse_plugin.database import open_database
from fieldpulse_plugin.run_lock import RunLock
from target_fieldpulse.records.ledger_key import KeyKind, LedgerKey
from target_fieldpulse.records.parsed_record import PropertyHashes

Status = Literal["pending", "linked", "written", "deleted", "running", "ended"]

_VERSION = 2  # of the tables' form; it is in their names
_PREFIX = "fieldpulse_ledger_"
_TABLES = MetaData()
_ENTRIES = Table(
    f"{_PREFIX}{_VERSION}",
    _TABLES,
    Column("account", String(64), primary_key=True),
    Column("stream", String(64), primary_key=True),
    Column("source_key", String(512), primary_key=True),
    Column("status", String(16), nullable=False),
    Column("row_id", BigInteger),
    Column("parent_ids", JSON),
    Column("property_hashes", JSON),
    Column("fingerprint", JSON),
    Column("max_id_before", BigInteger),
    Column("updated_at", Float, nullable=False),
    Index(f"{_PREFIX}{_VERSION}_rows", "account", "stream", "row_id"),
    Index(f"{_PREFIX}{_VERSION}_status", "account", "stream", "status"),
)
_AUDIT = Table(
    f"fieldpulse_audit_{_VERSION}",
    _TABLES,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("account", String(64), nullable=False),
    Column("run", String(32), nullable=False),
    Column("at", Float, nullable=False, index=True),
    Column("stream", String(64), nullable=False),
    Column("source_key", String(512)),
    Column("action", String(16), nullable=False),
    Column("outcome", String(16), nullable=False),
    Column("requests", Integer, nullable=False),
    Column("row_id", BigInteger),
    Column("changed", JSON),
    Column("records", Integer, nullable=False),
)


@dataclass(frozen=True)
class Entry:
    """One row. `at` is when it was intended or done, in epoch seconds; `after_id` an id that was there before.

    `above` are the ids in the path of the row's list, `said` is what was written last, `marks` recognise a create.
    """

    stream: str
    source_key: str
    status: Status
    row_id: int | None
    parent_ids: Mapping[str, int]
    property_hashes: PropertyHashes
    fingerprint: Mapping[str, str]
    max_id_before: int
    updated_at: float

    @property
    def key(self) -> LedgerKey:
        """Return the typed key of this entry."""
        return LedgerKey.from_text(self.stream, self.source_key)


class Ledger:
    """The ledger of one account. May be used by many threads.

    `killed_by` is when a run before this one was surely dead that had not ended by itself, in epoch seconds: what
    it sent may still be carried out.
    """

    def __init__(self, url: str, account: str, *, former_account: str | None = None) -> None:
        """Open the ledger; what stands under `formerly`, a name from before the account's was known, is taken over.

        Raises: BadSetting, also for a ledger of a newer version.
        """
        self.account = account
        self._lock = threading.Lock()
        self._run_locks: dict[str, RunLock] = {}
        self.killed_before: float | None = None
        self._engine = open_database(url, _TABLES, store="ledger")
        try:
            self._check_version()
            self._refuse_lost_account_id(former_account)
            if former_account and former_account != account:
                self._rename_account(former_account)
        except ConfigError:
            self.close()
            raise

    @staticmethod
    def accounts(url: str) -> list[str]:
        """Return the accounts that a ledger knows. Raises: BadSetting."""
        engine = open_database(url, _TABLES, store="ledger")
        with engine.connect() as connection:
            found = connection.scalars(select(_ENTRIES.c.account).distinct().order_by(_ENTRIES.c.account)).all()
        engine.dispose()
        return list(found)

    def lock_stream(self, stream: str, *, writes: bool = True) -> None:
        """Keep other runs out of a stream, until `close`. `writes` says that it is to be written, not only settled.

        Raises: RunLocked while another run has it, with who that is.
        """
        if stream in self._run_locks:
            return
        self._run_locks[stream] = RunLock(self._engine, self.account, store="ledger", stream=stream)
        if not writes:
            return
        marker = LedgerKey(stream, KeyKind.RUN, "")
        run = self.find(marker)
        if run and run.status == "running":
            self.killed_before = time.time()
        self.upsert(marker, row_id=None, parent_ids={}, status="running")

    def _check_version(self) -> None:
        """Refuse the tables of a newer version."""
        versions = [
            name.removeprefix(_PREFIX) for name in inspect(self._engine).get_table_names() if name.startswith(_PREFIX)
        ]
        if any(int(version) > _VERSION for version in versions if version.isdigit()):
            raise ConfigError(
                "The ledger was written by a newer version of this target.",
                where="setting ledger_url",
                hint="install that version, or give another ledger_url",
            )

    def _refuse_lost_account_id(self, formerly: str | None) -> None:
        """Refuse an account whose name is not known now, and was before: everything would be created again."""
        if self.account != formerly:
            return
        query = select(_ENTRIES.c.account).where(_ENTRIES.c.account != formerly).distinct()
        with self._begin() as connection:
            others = connection.scalars(query).all()
        if others:
            raise ConfigError(
                "No list shows now which account the key belongs to, and the ledger knows accounts by their ids.",
                where=f"setting ledger_url · accounts {', '.join(others)}",
                hint="run again later; if it stays, `fieldpulse doctor` shows which lists answer",
            )

    def _rename_account(self, formerly: str) -> None:
        try:
            with self._begin() as connection:
                connection.execute(update(_ENTRIES).where(_ENTRIES.c.account == formerly).values(account=self.account))
        except IntegrityError:
            raise ConfigError(
                "The ledger knows this account under two names, with different rows for one source key.",
                where=f"setting ledger_url · accounts {formerly} and {self.account}",
                hint="give each FieldPulse account a ledger_url of its own",
            ) from None

    def find(self, key: LedgerKey) -> Entry | None:
        """Return what is known of a source key."""
        entries = self._entries(key.stream, _ENTRIES.c.source_key == key.text)
        return entries[0] if entries else None

    def entries(self, stream: str | None = None) -> Iterator[Entry]:
        """Yield everything that is known, or of one stream, the oldest first."""
        is_known = (_ENTRIES.c.account == self.account, _ENTRIES.c.source_key != LedgerKey("", KeyKind.RUN, "").text)
        query = select(_ENTRIES).where(*is_known).order_by(_ENTRIES.c.updated_at)
        with self._begin() as connection:
            rows = connection.execute(query if stream is None else query.where(_ENTRIES.c.stream == stream)).mappings()
            yield from map(entry_of, rows)

    def pending(self, stream: str) -> list[Entry]:
        """Return the creates whose outcome is unknown, the oldest first."""
        return self._entries(stream, _ENTRIES.c.status == "pending")

    def is_claimed(self, stream: str, row_id: int) -> bool:
        """Say whether some source key already stands for a row."""
        return bool(self._entries(stream, (_ENTRIES.c.row_id == row_id) & (_ENTRIES.c.status != "deleted")))

    def row_count(self, stream: str) -> int:
        """Return how many rows of a stream the ledger knows."""
        is_known = (
            _ENTRIES.c.account == self.account,
            _ENTRIES.c.stream == stream,
            _ENTRIES.c.status.in_(("linked", "written")),
            _ENTRIES.c.row_id.is_not(None),
        )
        with self._begin() as connection:
            return int(connection.scalar(select(func.count()).select_from(_ENTRIES).where(*is_known)) or 0)

    def add_pending(
        self,
        key: LedgerKey,
        *,
        parent_ids: Mapping[str, int],
        fingerprint: Mapping[str, str],
        max_id_before: int,
        property_hashes: PropertyHashes | None = None,
    ) -> None:
        """Commit that a create is about to be sent.

        Raises: Invalid when another process is creating the same key.
        """
        values = {
            "status": "pending",
            "parent_ids": dict(parent_ids),
            "property_hashes": property_hashes or {},
            "fingerprint": dict(fingerprint),
        }
        columns = self._key(key)
        try:
            with self._begin() as connection:
                connection.execute(delete(_ENTRIES).where(*self._is(columns), _ENTRIES.c.status == "deleted"))
                connection.execute(
                    insert(_ENTRIES).values(**columns, **values, max_id_before=max_id_before, updated_at=time.time())
                )
        except IntegrityError:
            raise RecordInvalid(
                "Another process is creating this record, or its create is in doubt.",
                where=f"ledger · stream {key.stream}",
                hint="let one process at a time write a stream, then replay the record",
            ) from None

    def upsert(
        self,
        key: LedgerKey,
        *,
        row_id: int | None,
        parent_ids: Mapping[str, int],
        property_hashes: PropertyHashes | None = None,
        status: Status = "written",
        audit: Mapping[str, Any] | None = None,
    ) -> None:
        """Commit that a row holds what the record says, or, `adopted`, that a row is its own, whatever it holds.

        With it goes what the audit says of it: both, or neither.
        """
        columns = self._key(key)
        values = {
            "status": status,
            "row_id": row_id,
            "parent_ids": dict(parent_ids),
            "property_hashes": property_hashes or {},
            "fingerprint": {},
        }
        with self._begin() as connection:
            changed = connection.execute(
                update(_ENTRIES).where(*self._is(columns)).values(**values, updated_at=time.time())
            )
            if not changed.rowcount:
                connection.execute(insert(_ENTRIES).values(**columns, **values, updated_at=time.time()))
            if audit:
                connection.execute(insert(_AUDIT).values(account=self.account, **audit))

    def forget(self, key: LedgerKey) -> None:
        """Commit that a create did not happen."""
        with self._begin() as connection:
            connection.execute(delete(_ENTRIES).where(*self._is(self._key(key))))

    def append_audit(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Append to the audit table."""
        values = [{"account": self.account, **row} for row in rows]
        if values:
            with self._begin() as connection:
                connection.execute(insert(_AUDIT), values)

    def delete_audit_before(self, at: float) -> None:
        """Drop what was audited before a time, in epoch seconds."""
        with self._begin() as connection:
            connection.execute(delete(_AUDIT).where(_AUDIT.c.account == self.account, _AUDIT.c.at < at))

    def close(self, *, is_clean: bool = False) -> None:
        """Close the connections, and let others have it. `is_clean`: nothing is under way any more."""
        for stream, one in self._run_locks.items():
            if is_clean:
                self.upsert(LedgerKey(stream, KeyKind.RUN, ""), row_id=None, parent_ids={}, status="ended")
            one.release()
        self._run_locks.clear()
        self._engine.dispose()

    def _entries(self, stream: str, condition: Any) -> list[Entry]:
        query = select(_ENTRIES).where(_ENTRIES.c.account == self.account, _ENTRIES.c.stream == stream, condition)
        with self._begin() as connection:
            return [entry_of(row) for row in connection.execute(query.order_by(_ENTRIES.c.updated_at)).mappings()]

    def _key(self, key: LedgerKey) -> dict[str, str]:
        return {"account": self.account, "stream": key.stream, "source_key": key.text}

    @staticmethod
    def _is(key: dict[str, str]) -> list[Any]:
        return [_ENTRIES.c[name] == value for name, value in key.items()]

    @contextmanager
    def _begin(self) -> Iterator[Connection]:
        try:
            with self._lock, self._engine.begin() as connection:
                yield connection
        except IntegrityError:
            raise
        except SQLAlchemyError as error:
            raise ConfigError(
                f"The ledger cannot be read or written ({type(error).__name__}).",
                where="setting ledger_url",
                hint="look at the disk or the database; nothing is sent that cannot be noted first",
            ) from None


def entry_of(row: Mapping[Any, Any]) -> Entry:
    """Return a row of the table as an entry."""
    return Entry(
        stream=row["stream"],
        source_key=row["source_key"],
        status=row["status"],
        row_id=row["row_id"],
        parent_ids=row["parent_ids"] or {},
        property_hashes=row["property_hashes"] or {},
        fingerprint=row["fingerprint"] or {},
        max_id_before=row["max_id_before"] or 0,
        updated_at=row["updated_at"],
    )
