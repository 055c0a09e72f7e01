"""Change events that wait for delivery, and the states of the streams behind which they were detected.

Invariant: the events of a stream and its new state are stored in one transaction. A poll that ends earlier leaves the
former state, and the next one detects its changes again: none is lost, and none is stored twice. An event is removed
once it was delivered, so a process that is killed in between delivers it again, with the same id.

In SQLite, the outbox has a file of its own: the snapshot is written while events are appended.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    delete,
    func,
    insert,
    select,
)

from fieldpulse_api.errors import RunLocked
from fieldpulse_plugin.stores.database import open_database, translate_db_errors
from fieldpulse_plugin.stores.run_lock import RunLock
from fieldpulse_plugin.stores.urls import url_beside

STORE = "snapshot"
OUTBOX, POLLED = "event-outbox", "events"
"""Names of the stores beside the snapshot. A backup copies them in this order: no state is newer than its snapshot."""
State = dict[str, Any]
_METADATA = MetaData()
_EVENTS = Table(
    "fieldpulse_outbox_1",  # the number is the version of the columns
    _METADATA,
    Column("sequence", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("account", String(64), nullable=False, index=True),
    Column("event_id", String(32), nullable=False),
    Column("body", LargeBinary, nullable=False),
)
_STATES = Table(
    "fieldpulse_outbox_states_1",
    _METADATA,
    Column("account", String(64), primary_key=True),
    Column("stream", String(64), primary_key=True),
    Column("state", Text, nullable=False),
)
_ENCODER = msgspec.json.Encoder(decimal_format="number")


class WaitingEvent(NamedTuple):
    """An event that waits for delivery; `body` is JSON."""

    sequence: int
    event_id: str
    body: bytes


class Outbox:
    """The outbox of one account. One process at a time uses it.

    Raises: ConfigError; RunLocked while another process uses it.
    """

    def __init__(self, snapshot_url: str, account: str) -> None:
        self._account = account
        self._engine = open_database(url_beside(snapshot_url, OUTBOX), _METADATA, store=STORE)
        try:
            self._lock = RunLock(self._engine, account, store=STORE, stream=OUTBOX)
        except RunLocked:
            self._engine.dispose()
            raise

    def read_states(self) -> dict[str, State]:
        """Return the states of the streams that were polled before."""
        query = select(_STATES.c.stream, _STATES.c.state).where(_STATES.c.account == self._account)
        with translate_db_errors(STORE), self._engine.connect() as connection:
            return {row.stream: json.loads(row.state) for row in connection.execute(query)}

    @contextmanager
    def transaction(self, stream: str) -> Iterator[StreamTransaction]:
        """Begin the transaction of a stream, which is committed at the end if nothing was raised."""
        with translate_db_errors(STORE):
            connection = self._engine.connect()
        try:
            yield StreamTransaction(connection, self._account, stream)
            with translate_db_errors(STORE):
                connection.commit()
        finally:
            connection.close()

    def read(self, at_most: int) -> list[WaitingEvent]:
        """Return the events that have waited longest, in the order in which they were appended."""
        columns = select(_EVENTS.c.sequence, _EVENTS.c.event_id, _EVENTS.c.body)
        query = columns.where(_EVENTS.c.account == self._account).order_by(_EVENTS.c.sequence).limit(at_most)
        with translate_db_errors(STORE), self._engine.connect() as connection:
            return [WaitingEvent(*row) for row in connection.execute(query)]

    def remove_through(self, sequence: int) -> None:
        """Remove the events up to a sequence number. They are gone for good when this returns."""
        is_delivered = (_EVENTS.c.account == self._account, _EVENTS.c.sequence <= sequence)
        with translate_db_errors(STORE), self._engine.begin() as connection:
            connection.execute(delete(_EVENTS).where(*is_delivered))

    def count(self) -> int:
        """Return how many events wait."""
        query = select(func.count()).select_from(_EVENTS).where(_EVENTS.c.account == self._account)
        with translate_db_errors(STORE), self._engine.connect() as connection:
            return int(connection.scalar(query) or 0)

    def close(self) -> None:
        """Close the connections and release the lock."""
        self._lock.release()
        self._engine.dispose()


class StreamTransaction:
    """The events of one stream in one poll, and the state behind them."""

    def __init__(self, connection: Connection, account: str, stream: str) -> None:
        self._connection, self._key = connection, {"account": account, "stream": stream}

    def append(self, events: Iterable[dict[str, Any]]) -> None:
        """Append events, as the stream `change_events` has them."""
        account = self._key["account"]
        rows = [{"account": account, "event_id": event["event_id"], "body": _ENCODER.encode(event)} for event in events]
        if rows:
            with translate_db_errors(STORE):
                self._connection.execute(insert(_EVENTS), rows)

    def set_state(self, state: State) -> None:
        """Set the state of the stream."""
        is_stream = [_STATES.c[name] == value for name, value in self._key.items()]
        with translate_db_errors(STORE):
            self._connection.execute(delete(_STATES).where(*is_stream))
            self._connection.execute(insert(_STATES).values(**self._key, state=json.dumps(state)))
