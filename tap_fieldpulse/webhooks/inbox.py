"""Deliveries of webhooks, kept until the tap has read them.

They are in the snapshot's PostgreSQL; but SQLite lets only one write at a time, and a run does so for long: there they
have a file of their own beside the snapshot's. A number says in which order they were committed, whoever wrote them:
who has read up to one has missed none below it.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import datetime, timedelta, timezone
from pathlib import Path
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
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, IntegrityError

from fieldpulse_api.values.scalars import iso_timestamp
from fieldpulse_plugin.database import open_database, translate_db_errors

from .payload import Delivery

STORE = "snapshot"
_METADATA = MetaData()
_DELIVERIES = Table(
    "fieldpulse_deliveries_1",  # the number is the version of its form
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
_LAST = Table(
    "fieldpulse_deliveries_last_1",
    _METADATA,
    Column("only", Integer, primary_key=True, autoincrement=False),
    Column("sequence", BigInteger, nullable=False),
)
_SHOWN = [column for column in _DELIVERIES.c if column.name != "account"]
_AT_ONCE = 500
_MOST = 2**63
_KEPT = timedelta(days=7)
UNREAD_DAYS = 30
"""How long a delivery is kept that no state confirms, whoever's it is."""


class Inbox:
    """The deliveries of all accounts in one store.

    Raises: BadSetting.
    """

    def __init__(self, snapshot_url: str) -> None:
        self._engine = open_database(_beside(snapshot_url), _METADATA, store=STORE)
        with translate_db_errors(STORE):
            self._begin()

    def append(self, deliveries: Sequence[Delivery]) -> int:
        """Store deliveries, all or none, and return how many are new; one that is there already is counted on it."""
        now = iso_timestamp(datetime.now(timezone.utc))
        times = Counter(one.key for one in deliveries)
        with translate_db_errors(STORE), self._engine.begin() as connection:
            # The lock on this row is kept until the commit: whoever comes later gets higher numbers.
            connection.execute(update(_LAST).values(sequence=_LAST.c.sequence + len(deliveries)))
            first = connection.execute(select(_LAST.c.sequence)).scalar_one() - len(deliveries) + 1
            is_there = _DELIVERIES.c.event_key
            known = set(connection.scalars(select(is_there).where(is_there.in_(times))))
            for key in known:
                more = _DELIVERIES.c.deliveries + times[key]
                connection.execute(update(_DELIVERIES).where(is_there == key).values(deliveries=more))
            new: dict[str, dict[str, Any]] = {}
            for number, one in enumerate(deliveries, first):
                if one.key not in known:
                    own = {"sequence": number, "event_key": one.key, "received_at": now, "deliveries": times[one.key]}
                    new.setdefault(one.key, {**vars(one), **own})
            if new:
                connection.execute(insert(_DELIVERIES), list(new.values()))
        return len(new)

    def read_after(self, account: str, sequence: int) -> Iterator[dict[str, Any]]:
        """Yield what was stored behind a number, in the order of the numbers."""
        rows: list[dict[str, Any]] = [{"sequence": sequence}]
        while rows:
            is_wanted = (_DELIVERIES.c.account == account, _DELIVERIES.c.sequence > rows[-1]["sequence"])
            query = select(*_SHOWN).where(*is_wanted).order_by(_DELIVERIES.c.sequence).limit(_AT_ONCE)
            with translate_db_errors(STORE), self._engine.connect() as connection:
                rows = [dict(one) for one in connection.execute(query).mappings()]
            yield from rows

    def named_rows(self, account: str, object_type: str, sequence: int, *, at_most: int) -> list[tuple[int, int]]:
        """Return ids that were named behind a number, each with the last number that named it, the last named first."""
        last = func.max(_DELIVERIES.c.sequence)
        is_wanted = (
            _DELIVERIES.c.account == account,
            _DELIVERIES.c.object_type == object_type,
            _DELIVERIES.c.sequence > sequence,
        )
        query = select(_DELIVERIES.c.object_id, last).where(*is_wanted).group_by(_DELIVERIES.c.object_id)
        with translate_db_errors(STORE), self._engine.connect() as connection:
            return [(one, number) for one, number in connection.execute(query.order_by(last.desc()).limit(at_most))]

    def purge(self, account: str, sequence: int) -> int:
        """Delete what an account has read, 7 days after it came, and the rest after 30; return how many those are.

        It has read up to a number that has come back in a state.
        """
        now, received = datetime.now(timezone.utc), _DELIVERIES.c.received_at
        is_read = (_DELIVERIES.c.account == account, _DELIVERIES.c.sequence <= sequence)
        with translate_db_errors(STORE), self._engine.begin() as connection:
            connection.execute(delete(_DELIVERIES).where(*is_read, received < iso_timestamp(now - _KEPT)))
            unread = delete(_DELIVERIES).where(received < iso_timestamp(now - timedelta(days=UNREAD_DAYS)))
            return connection.execute(unread).rowcount

    def close(self) -> None:
        """Close the connections."""
        self._engine.dispose()

    def _begin(self) -> None:
        """Set the first number: the time, so that a store that was lost and made anew goes on above its numbers."""
        with self._engine.connect() as connection:
            if connection.scalar(select(_LAST.c.sequence)) is not None:
                return
        with suppress(IntegrityError), self._engine.begin() as connection:  # another process was first
            connection.execute(insert(_LAST).values(only=1, sequence=time.time_ns() // 1000))


def valid_sequence(value: object) -> int:
    """Return the number of a delivery that a state names, 0 for what is none."""
    return value if type(value) is int and 0 < value < _MOST else 0


def _beside(snapshot_url: str) -> str:
    with suppress(ArgumentError):
        url = make_url(snapshot_url)
        if url.drivername.startswith("sqlite") and url.database not in (None, "", ":memory:"):
            path = Path(str(url.database))
            url = url.set(database=str(path.with_name(f"{path.stem}-webhooks{path.suffix}")))
            return url.render_as_string(hide_password=False)
    return snapshot_url
