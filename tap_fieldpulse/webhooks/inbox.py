"""Stored webhook deliveries, until the tap has read them.

With PostgreSQL, they are in the database of the snapshot. SQLite allows one writer at a time, and a run writes to its
snapshot for long, so there they have a file of their own beside it.

Each delivery has a sequence number. Numbers are assigned under a row lock that is held until the commit, so they ascend
in the order of commits, whichever process writes. A reader that has read up to a number has missed none below it. The
state of the tap is such a number, and so is the last delivery that was forwarded.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import datetime, timedelta, timezone
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    delete,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from fieldpulse_api.values.scalars import iso_timestamp
from fieldpulse_plugin.stores.database import open_database, translate_db_errors
from fieldpulse_plugin.stores.run_lock import RunLock
from fieldpulse_plugin.stores.urls import url_beside

from .payload import Delivery

STORE = "snapshot"
_METADATA = MetaData()
_DELIVERIES = Table(
    "fieldpulse_deliveries_1",  # the number is the version of the columns
    _METADATA,
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("event_key", String(32), nullable=False, unique=True),
    Column("account", String(64), nullable=False),
    Column("event", String(64), nullable=False),
    Column("trigger", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("object_type", String(64)),
    Column("object_id", BigInteger, nullable=False),
    Column("old_value", Text),
    Column("new_value", Text),
    Column("updated_at", Text),
    Column("data", Text, nullable=False),
    Column("received_at", String(27), nullable=False),
    Column("deliveries", Integer, nullable=False),
    Index("fieldpulse_deliveries_1_read", "account", "sequence"),
)
_LAST_SEQUENCE = Table(
    "fieldpulse_deliveries_last_1",
    _METADATA,
    Column("only", Integer, primary_key=True, autoincrement=False),
    Column("sequence", BigInteger, nullable=False),
)
_FORWARDED = Table(
    "fieldpulse_deliveries_forwarded_1",
    _METADATA,
    Column("only", Integer, primary_key=True, autoincrement=False),
    Column("sequence", BigInteger, nullable=False),
)
_EMITTED_COLUMNS = [column for column in _DELIVERIES.c if column.name != "account"]
_IS_TO_FORWARD = _DELIVERIES.c.sequence > select(_FORWARDED.c.sequence).scalar_subquery()
_ROWS_PER_QUERY = 500
_MAX_SEQUENCE = 2**63
_KEEP_READ = timedelta(days=7)
UNREAD_DAYS = 30
"""How long deliveries are kept that no state confirms."""


class Inbox:
    """The deliveries of all accounts in one database.

    Raises: ConfigError.
    """

    def __init__(self, snapshot_url: str) -> None:
        self._engine = open_database(url_beside(snapshot_url, "webhooks"), _METADATA, store=STORE)
        with translate_db_errors(STORE):
            self._set_first_sequence()

    def append(self, deliveries: Sequence[Delivery]) -> int:
        """Store all deliveries or none, and return how many are new. A repeated one is counted on the first."""
        now = iso_timestamp(datetime.now(timezone.utc))
        counts = Counter(delivery.key for delivery in deliveries)
        with translate_db_errors(STORE), self._engine.begin() as connection:
            # This locks the row until the commit: a later writer gets higher numbers.
            next_sequence = _LAST_SEQUENCE.c.sequence + len(deliveries)
            connection.execute(update(_LAST_SEQUENCE).values(sequence=next_sequence))
            last = connection.execute(select(_LAST_SEQUENCE.c.sequence)).scalar_one()
            key = _DELIVERIES.c.event_key
            known = set(connection.scalars(select(key).where(key.in_(counts))))
            for event_key in known:
                total = _DELIVERIES.c.deliveries + counts[event_key]
                connection.execute(update(_DELIVERIES).where(key == event_key).values(deliveries=total))
            new: dict[str, dict[str, Any]] = {}
            for sequence, delivery in enumerate(deliveries, last - len(deliveries) + 1):
                if delivery.key not in known and delivery.key not in new:
                    new[delivery.key] = {
                        **vars(delivery),
                        "sequence": sequence,
                        "event_key": delivery.key,
                        "received_at": now,
                        "deliveries": counts[delivery.key],
                    }
            if new:
                connection.execute(insert(_DELIVERIES), list(new.values()))
        return len(new)

    def read_after(self, account: str, sequence: int) -> Iterator[dict[str, Any]]:
        """Yield the deliveries after a sequence number, in ascending order."""
        rows: list[dict[str, Any]] = [{"sequence": sequence}]
        while rows:
            is_wanted = (_DELIVERIES.c.account == account, _DELIVERIES.c.sequence > rows[-1]["sequence"])
            query = select(*_EMITTED_COLUMNS).where(*is_wanted).order_by(_DELIVERIES.c.sequence)
            with translate_db_errors(STORE), self._engine.connect() as connection:
                rows = [dict(row) for row in connection.execute(query.limit(_ROWS_PER_QUERY)).mappings()]
            yield from rows

    def named_rows(self, account: str, object_type: str, sequence: int, *, at_most: int) -> list[tuple[int, int]]:
        """Return the ids of rows that were named after a sequence number, the last named first.

        Each has the sequence number of the last delivery that named it.
        """
        last = func.max(_DELIVERIES.c.sequence)
        is_wanted = (
            _DELIVERIES.c.account == account,
            _DELIVERIES.c.object_type == object_type,
            _DELIVERIES.c.sequence > sequence,
        )
        query = select(_DELIVERIES.c.object_id, last).where(*is_wanted).group_by(_DELIVERIES.c.object_id)
        with translate_db_errors(STORE), self._engine.connect() as connection:
            return [(row_id, at) for row_id, at in connection.execute(query.order_by(last.desc()).limit(at_most))]

    def purge(self, account: str, sequence: int) -> int:
        """Delete old deliveries, and return how many of them were never read.

        Those up to `sequence`, which a state has confirmed, go after 7 days if they need not be forwarded. All others
        go after 30 days, also those of accounts that no run reads.
        """
        now, received_at = datetime.now(timezone.utc), _DELIVERIES.c.received_at
        last_forwarded = func.coalesce(select(_FORWARDED.c.sequence).scalar_subquery(), _MAX_SEQUENCE - 1)
        is_read = (
            _DELIVERIES.c.account == account,
            _DELIVERIES.c.sequence <= sequence,
            _DELIVERIES.c.sequence <= last_forwarded,
        )
        with translate_db_errors(STORE), self._engine.begin() as connection:
            connection.execute(delete(_DELIVERIES).where(*is_read, received_at < iso_timestamp(now - _KEEP_READ)))
            unread = delete(_DELIVERIES).where(received_at < iso_timestamp(now - timedelta(days=UNREAD_DAYS)))
            return connection.execute(unread).rowcount

    def last_received_at(self) -> str | None:
        """Return when the last delivery arrived that is stored."""
        query = select(_DELIVERIES.c.received_at).order_by(_DELIVERIES.c.sequence.desc()).limit(1)
        with translate_db_errors(STORE), self._engine.connect() as connection:
            return connection.scalar(query)

    def lock_forwarding(self) -> RunLock:
        """Let this process alone forward deliveries; at the first time, those that arrive from now on.

        Raises: RunLocked while another process forwards them.
        """
        lock = RunLock(self._engine, "any", store=STORE, stream="forward")
        with translate_db_errors(STORE), self._engine.begin() as connection:
            if connection.scalar(select(_FORWARDED.c.sequence)) is None:
                last = connection.scalar(select(_LAST_SEQUENCE.c.sequence))
                connection.execute(insert(_FORWARDED).values(only=1, sequence=last))
        return lock

    def read_to_forward(self) -> list[dict[str, Any]]:
        """Return the deliveries of all accounts that are to be forwarded next, in ascending order."""
        query = select(_DELIVERIES).where(_IS_TO_FORWARD).order_by(_DELIVERIES.c.sequence).limit(_ROWS_PER_QUERY)
        with translate_db_errors(STORE), self._engine.connect() as connection:
            return [dict(row) for row in connection.execute(query).mappings()]

    def count_to_forward(self) -> int:
        """Return how many deliveries are to be forwarded."""
        query = select(func.count()).select_from(_DELIVERIES).where(_IS_TO_FORWARD)
        with translate_db_errors(STORE), self._engine.connect() as connection:
            return connection.scalar(query) or 0

    def mark_forwarded(self, sequence: int) -> None:
        """Store that the deliveries up to a sequence number were forwarded."""
        with translate_db_errors(STORE), self._engine.begin() as connection:
            connection.execute(update(_FORWARDED).values(sequence=sequence))

    def close(self) -> None:
        """Close the connections."""
        self._engine.dispose()

    def _set_first_sequence(self) -> None:
        """Set the first sequence number to the time, so that a new database continues above those of a lost one."""
        with self._engine.connect() as connection:
            if connection.scalar(select(_LAST_SEQUENCE.c.sequence)) is not None:
                return
        with suppress(IntegrityError), self._engine.begin() as connection:  # another process was first
            connection.execute(insert(_LAST_SEQUENCE).values(only=1, sequence=time.time_ns() // 1000))


def valid_sequence(value: object) -> int:
    """Return the sequence number in a state; 0 if there is no valid one."""
    return value if type(value) is int and 0 < value < _MAX_SEQUENCE else 0
