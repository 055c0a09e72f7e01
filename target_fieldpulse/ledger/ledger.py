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
from target_fieldpulse.planning.plan import LedgerKey
from target_fieldpulse.records.parsed_record import PropertyHashes

Status = Literal["intended", "adopted", "done", "deleted", "running", "ended"]

_VERSION = 2  # of the tables' form; it is in their names
_PREFIX = "fieldpulse_ledger_"
_RUN = "run:"  # the key under which a stream's last run stands
_TABLES = MetaData()
_TABLE = Table(
    f"{_PREFIX}{_VERSION}",
    _TABLES,
    Column("account", String(64), primary_key=True),
    Column("stream", String(64), primary_key=True),
    Column("source_key", String(512), primary_key=True),
    Column("status", String(16), nullable=False),
    Column("row_id", BigInteger),
    Column("above", JSON),
    Column("said", JSON),
    Column("marks", JSON),
    Column("after_id", BigInteger),
    Column("at", Float, nullable=False),
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
    above: Mapping[str, int]
    said: PropertyHashes
    marks: Mapping[str, str]
    after_id: int
    at: float


class Ledger:
    """The ledger of one account. May be used by many threads.

    `killed_by` is when a run before this one was surely dead that had not ended by itself, in epoch seconds: what
    it sent may still be carried out.
    """

    def __init__(self, url: str, account: str, *, formerly: str | None = None) -> None:
        """Open the ledger; what stands under `formerly`, a name from before the account's was known, is taken over.

        Raises: BadSetting, also for a ledger of a newer version.
        """
        self.account = account
        self._lock = threading.Lock()
        self._holds: dict[str, RunLock] = {}
        self.killed_by: float | None = None
        self._engine = open_database(url, _TABLES, store="ledger")
        try:
            self._upgrade()
            self._recognise(formerly)
            if formerly and formerly != account:
                self._take_over(formerly)
        except ConfigError:
            self.close()
            raise

    @staticmethod
    def accounts(url: str) -> list[str]:
        """Return the accounts that a ledger knows. Raises: BadSetting."""
        engine = open_database(url, _TABLES, store="ledger")
        with engine.connect() as connection:
            found = connection.scalars(select(_TABLE.c.account).distinct().order_by(_TABLE.c.account)).all()
        engine.dispose()
        return list(found)

    def hold(self, stream: str, *, writes: bool = True) -> None:
        """Keep other runs out of a stream, until `close`. `writes` says that it is to be written, not only settled.

        Raises: RunLocked while another run has it, with who that is.
        """
        if stream in self._holds:
            return
        self._holds[stream] = RunLock(self._engine, self.account, store="ledger", stream=stream)
        if not writes:
            return
        run = self.find(stream, _RUN)
        if run and run.status == "running":
            self.killed_by = time.time()
        self.done(LedgerKey(stream, _RUN), row_id=None, above={}, status="running")

    def _upgrade(self) -> None:
        """Take over what version 1 knew: which rows there are and what is in doubt, not what was written to them."""
        versions = [
            name.removeprefix(_PREFIX) for name in inspect(self._engine).get_table_names() if name.startswith(_PREFIX)
        ]
        if any(int(version) > _VERSION for version in versions if version.isdigit()):
            raise ConfigError(
                "The ledger was written by a newer version of this target.",
                where="setting ledger_url",
                hint="install that version, or give another ledger_url",
            )
        if "1" not in versions:
            return
        old = Table(f"{_PREFIX}1", MetaData(), autoload_with=self._engine)
        with self._begin() as connection:
            rows = connection.execute(select(old)).mappings().all()
            kept = ("account", "stream", "source_key", "status", "row_id", "marks", "after_id", "at")
            moved = [{name: row[name] for name in kept} | {"above": {}, "said": {}} for row in rows]
            for row in moved:  # numbers are compared in another form since
                row["marks"] = {name: mark for name, mark in (row["marks"] or {}).items() if name != "phone"}
            if moved:
                connection.execute(insert(_TABLE), moved)
            old.drop(connection)

    def _recognise(self, formerly: str | None) -> None:
        """Refuse an account whose name is not known now, and was before: everything would be created again."""
        if self.account != formerly:
            return
        query = select(_TABLE.c.account).where(_TABLE.c.account != formerly).distinct()
        with self._begin() as connection:
            others = connection.scalars(query).all()
        if others:
            raise ConfigError(
                "No list shows now which account the key belongs to, and the ledger knows accounts by their ids.",
                where=f"setting ledger_url · accounts {', '.join(others)}",
                hint="run again later; if it stays, `fieldpulse doctor` shows which lists answer",
            )

    def _take_over(self, formerly: str) -> None:
        try:
            with self._begin() as connection:
                connection.execute(update(_TABLE).where(_TABLE.c.account == formerly).values(account=self.account))
        except IntegrityError:
            raise ConfigError(
                "The ledger knows this account under two names, with different rows for one source key.",
                where=f"setting ledger_url · accounts {formerly} and {self.account}",
                hint="give each FieldPulse account a ledger_url of its own",
            ) from None

    def find(self, stream: str, source_key: str) -> Entry | None:
        """Return what is known of a source key."""
        entries = self._entries(stream, _TABLE.c.source_key == source_key)
        return entries[0] if entries else None

    def entries(self, stream: str | None = None) -> Iterator[Entry]:
        """Yield everything that is known, or of one stream, the oldest first."""
        is_known = (_TABLE.c.account == self.account, _TABLE.c.source_key != _RUN)
        query = select(_TABLE).where(*is_known).order_by(_TABLE.c.at)
        with self._begin() as connection:
            rows = connection.execute(query if stream is None else query.where(_TABLE.c.stream == stream)).mappings()
            yield from map(entry_of, rows)

    def in_doubt(self, stream: str) -> list[Entry]:
        """Return the creates whose outcome is unknown, the oldest first."""
        return self._entries(stream, _TABLE.c.status == "intended")

    def is_claimed(self, stream: str, row_id: int) -> bool:
        """Say whether some source key already stands for a row."""
        return bool(self._entries(stream, (_TABLE.c.row_id == row_id) & (_TABLE.c.status != "deleted")))

    def known(self, stream: str) -> int:
        """Return how many rows of a stream the ledger knows."""
        is_known = (
            _TABLE.c.account == self.account,
            _TABLE.c.stream == stream,
            _TABLE.c.status.in_(("adopted", "done")),
            _TABLE.c.row_id.is_not(None),
        )
        with self._begin() as connection:
            return int(connection.scalar(select(func.count()).select_from(_TABLE).where(*is_known)) or 0)

    def intend(self, note: LedgerKey, *, above: Mapping[str, int], marks: Mapping[str, str], after_id: int) -> None:
        """Commit that a create is about to be sent.

        Raises: Invalid when another process is creating the same key.
        """
        values = {"status": "intended", "above": dict(above), "said": note.property_hashes, "marks": dict(marks)}
        key = self._key(note.stream, note.key)
        try:
            with self._begin() as connection:
                connection.execute(delete(_TABLE).where(*self._is(key), _TABLE.c.status == "deleted"))
                connection.execute(insert(_TABLE).values(**key, **values, after_id=after_id, at=time.time()))
        except IntegrityError:
            raise RecordInvalid(
                "Another process is creating this record, or its create is in doubt.",
                where=f"ledger · stream {note.stream}",
                hint="let one process at a time write a stream, then replay the record",
            ) from None

    def done(
        self,
        note: LedgerKey,
        *,
        row_id: int | None,
        above: Mapping[str, int],
        status: Status = "done",
        audit: Mapping[str, Any] | None = None,
    ) -> None:
        """Commit that a row holds what the record says, or, `adopted`, that a row is its own, whatever it holds.

        With it goes what the audit says of it: both, or neither.
        """
        key = self._key(note.stream, note.key)
        values = {"status": status, "row_id": row_id, "above": dict(above), "said": note.property_hashes, "marks": {}}
        with self._begin() as connection:
            changed = connection.execute(update(_TABLE).where(*self._is(key)).values(**values, at=time.time()))
            if not changed.rowcount:
                connection.execute(insert(_TABLE).values(**key, **values, at=time.time()))
            if audit:
                connection.execute(insert(_AUDIT).values(account=self.account, **audit))

    def forget(self, stream: str, source_key: str) -> None:
        """Commit that a create did not happen."""
        with self._begin() as connection:
            connection.execute(delete(_TABLE).where(*self._is(self._key(stream, source_key))))

    def audit(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Append to the audit table."""
        values = [{"account": self.account, **row} for row in rows]
        if values:
            with self._begin() as connection:
                connection.execute(insert(_AUDIT), values)

    def audited_until(self, at: float) -> None:
        """Drop what was audited before a time, in epoch seconds."""
        with self._begin() as connection:
            connection.execute(delete(_AUDIT).where(_AUDIT.c.account == self.account, _AUDIT.c.at < at))

    def close(self, *, is_clean: bool = False) -> None:
        """Close the connections, and let others have it. `is_clean`: nothing is under way any more."""
        for stream, one in self._holds.items():
            if is_clean:
                self.done(LedgerKey(stream, _RUN), row_id=None, above={}, status="ended")
            one.release()
        self._holds.clear()
        self._engine.dispose()

    def _entries(self, stream: str, condition: Any) -> list[Entry]:
        query = select(_TABLE).where(_TABLE.c.account == self.account, _TABLE.c.stream == stream, condition)
        with self._begin() as connection:
            return [entry_of(row) for row in connection.execute(query.order_by(_TABLE.c.at)).mappings()]

    def _key(self, stream: str, source_key: str) -> dict[str, str]:
        return {"account": self.account, "stream": stream, "source_key": source_key}

    @staticmethod
    def _is(key: dict[str, str]) -> list[Any]:
        return [_TABLE.c[name] == value for name, value in key.items()]

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
        above=row["above"] or {},
        said=row["said"] or {},
        marks=row["marks"] or {},
        after_id=row["after_id"] or 0,
        at=row["at"],
    )
