"""What was intended, what was done, and what is in doubt: one row per account, stream and source key.

`intended` is committed before a create is sent, `done` with the FieldPulse id after it; what is found
`intended` later may or may not have happened. It holds hashes and ids, no record and no API key.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
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
    MetaData,
    String,
    Table,
    delete,
    insert,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from fieldpulse_api.database import open_database
from fieldpulse_api.errors import BadSetting, GuardStopped, Invalid
from fieldpulse_api.hold import Hold

_TABLE = Table(
    "fieldpulse_ledger_1",  # the number is the version of its form
    MetaData(),
    Column("account", String(64), primary_key=True),
    Column("stream", String(64), primary_key=True),
    Column("source_key", String(512), primary_key=True),
    Column("status", String(16), nullable=False),
    Column("row_id", BigInteger),
    Column("digest", String(64)),
    Column("marks", JSON),
    Column("after_id", BigInteger),
    Column("at", Float, nullable=False),
    Index("fieldpulse_ledger_1_rows", "account", "stream", "row_id"),
)


@dataclass(frozen=True)
class Entry:
    """One row. `at` is when it was intended or done, in epoch seconds; `after_id` an id that was there before."""

    source_key: str
    status: Literal["intended", "done"]
    row_id: int | None
    digest: str | None
    marks: dict[str, str]
    after_id: int
    at: float


class Ledger:
    """The ledger of one account. May be used by many threads."""

    def __init__(self, url: str, account: str, *, formerly: str | None = None, is_held: bool = True) -> None:
        """Open the ledger; what stands under `formerly`, a name from before the account's was known, is taken over.

        `is_held` keeps other runs of the account out: what only reads needs it not.

        Raises: BadSetting; GuardStopped while another run of this account has it.
        """
        self.account = account
        self._lock = threading.Lock()
        self._engine = open_database(url, _TABLE.metadata, store="ledger")
        try:
            self._hold = Hold(self._engine, account, store="ledger") if is_held else None
        except GuardStopped:
            self._engine.dispose()
            raise
        if formerly and formerly != account and is_held:
            self._take_over(formerly)

    def _take_over(self, formerly: str) -> None:
        try:
            with self._begin() as connection:
                connection.execute(update(_TABLE).where(_TABLE.c.account == formerly).values(account=self.account))
        except IntegrityError:
            raise BadSetting(
                "The ledger knows this account under two names, with different rows for one source key.",
                where=f"setting ledger_url · accounts {formerly} and {self.account}",
                do="give each FieldPulse account a ledger_url of its own",
            ) from None

    def find(self, stream: str, source_key: str) -> Entry | None:
        """Return what is known of a source key."""
        entries = self._entries(stream, _TABLE.c.source_key == source_key)
        return entries[0] if entries else None

    def in_doubt(self, stream: str) -> list[Entry]:
        """Return the creates whose outcome is unknown, the oldest first."""
        return self._entries(stream, _TABLE.c.status == "intended")

    def is_claimed(self, stream: str, row_id: int) -> bool:
        """Say whether some source key already stands for a row."""
        return bool(self._entries(stream, _TABLE.c.row_id == row_id))

    def intend(self, stream: str, source_key: str, *, digest: str, marks: dict[str, str], after_id: int) -> None:
        """Commit that a create is about to be sent.

        Raises: Invalid when another process is creating the same key.
        """
        values = {"status": "intended", "digest": digest, "marks": marks, "after_id": after_id, "at": time.time()}
        try:
            with self._begin() as connection:
                connection.execute(insert(_TABLE).values(**self._key(stream, source_key), **values))
        except IntegrityError:
            raise Invalid(
                "Another process is creating this record, or its create is in doubt.",
                where=f"ledger · stream {stream}",
                do="let one process at a time write a stream, then replay the record",
            ) from None

    def done(self, stream: str, source_key: str, *, row_id: int, digest: str) -> None:
        """Commit that a row holds what the record says."""
        key = self._key(stream, source_key)
        values = {"status": "done", "row_id": row_id, "digest": digest, "marks": {}, "at": time.time()}
        with self._begin() as connection:
            changed = connection.execute(update(_TABLE).where(*self._is(key)).values(**values))
            if not changed.rowcount:
                connection.execute(insert(_TABLE).values(**key, **values))

    def adopted(self, stream: str, source_key: str, *, row_id: int) -> None:
        """Commit that a row is a source key's; whether it holds what the record says is still to be seen."""
        self.done(stream, source_key, row_id=row_id, digest="")

    def forget(self, stream: str, source_key: str) -> None:
        """Commit that a create did not happen."""
        with self._begin() as connection:
            connection.execute(delete(_TABLE).where(*self._is(self._key(stream, source_key))))

    def close(self) -> None:
        """Close the connections, and let others have it."""
        if self._hold:
            self._hold.release()
        self._engine.dispose()

    def _entries(self, stream: str, condition: Any) -> list[Entry]:
        query = select(_TABLE).where(_TABLE.c.account == self.account, _TABLE.c.stream == stream, condition)
        with self._begin() as connection:
            rows = connection.execute(query.order_by(_TABLE.c.at)).all()
        return [
            Entry(row.source_key, row.status, row.row_id, row.digest, row.marks or {}, row.after_id or 0, row.at)
            for row in rows
        ]

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
            raise BadSetting(
                f"The ledger cannot be read or written ({type(error).__name__}).",
                where="setting ledger_url",
                do="look at the disk or the database; nothing is sent that cannot be noted first",
            ) from None
