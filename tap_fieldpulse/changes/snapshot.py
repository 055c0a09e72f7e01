"""What earlier runs saw of an account's rows: their ids and, for change events, their contents.

A Singer tap does not learn whether its output was stored. A target emits a STATE once everything before it is stored,
and the runner hands that STATE to the next run. So a run's observations may replace those of earlier runs only once
the STATE that names them has come back; otherwise a change that was lost on the way would never be reported again.

Each run therefore writes under a generation of its own, and its STATE names the number:

    the next run's STATE names        what counts from then on
    the generation of the last run    that generation too
    an earlier one, or none           the confirmed generations; later ones are discarded, so their changes come again
    (there is no STATE at all)        all generations whose STATE was emitted

Invariant: a row's contents are those of the newest generation that counts, and that number never decreases.

A run can lose the lock of the snapshot: its file is removed, or its connection is dropped. If another run has opened a
stream since, nothing more of the first one is stored, and it does not end with success: both have reported the changes.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from itertools import islice

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    and_,
    delete,
    exists,
    insert,
    select,
    update,
)

from fieldpulse_api.errors import RunLocked
from fieldpulse_api.reading.id_set import IdSet
from fieldpulse_plugin.stores.database import open_database, translate_db_errors
from fieldpulse_plugin.stores.run_lock import RunLock

_METADATA = MetaData()
_ROWS = Table(
    "fieldpulse_snapshot_1",  # the number is the version of the columns
    _METADATA,
    Column("account", String(64), primary_key=True),
    Column("stream", String(64), primary_key=True),
    Column("row_id", BigInteger, primary_key=True, autoincrement=False),
    Column("generation", Integer, primary_key=True, autoincrement=False),
    Column("is_deleted", Boolean, nullable=False),
    Column("body", LargeBinary),
)
_STREAMS = Table(
    "fieldpulse_snapshot_streams_3",
    _METADATA,
    Column("account", String(64), primary_key=True),
    Column("stream", String(64), primary_key=True),
    Column("confirmed", Integer, nullable=False),  # the newest generation that counts
    Column("committed", Integer, nullable=False),  # the newest generation whose rows were stored
    Column("emitted", Integer, nullable=False),  # the newest generation whose STATE was emitted
    Column("baseline", Integer, nullable=False),  # the first generation that saw the full list; 0 for none
    Column("writer", String(32), nullable=False),  # the run that opened the stream last
)
_IDS_PER_STATEMENT = 500
_IDS_PER_FETCH = 5000  # psycopg would fetch all of them at once


class Snapshot:
    """The snapshot of one account. Only one run at a time may use it; an SQLite file is locked for all accounts.

    Raises: ConfigError; RunLocked while another run uses it.
    """

    def __init__(self, url: str, account: str) -> None:
        self._account = account
        self._writers: dict[str, str] = {}  # by stream, for those that this run has opened
        self._engine = open_database(url, _METADATA, store="snapshot")
        try:
            has_one_writer = self._engine.dialect.name == "sqlite"
            self._lock = RunLock(self._engine, "any" if has_one_writer else account, store="snapshot")
        except RunLocked:
            self._engine.dispose()
            raise

    def open_stream(self, name: str, state_generation: int | None, *, has_state: bool) -> StreamSnapshot:
        """Begin a generation of a stream.

        `state_generation` is the one that the stream's state names. `has_state` says that the run was given any state.
        """
        with translate_db_errors("snapshot"):
            stream = StreamSnapshot(self._engine.connect(), self._account, name, state_generation, has_state=has_state)
        self._writers[name] = stream.writer
        return stream

    def raise_if_lock_lost(self) -> None:
        """Raise RunLocked if another run has opened a stream since this one did."""
        with translate_db_errors("snapshot"), self._engine.connect() as connection:
            query = select(_STREAMS.c.stream, _STREAMS.c.writer).where(_STREAMS.c.account == self._account)
            writers = {row.stream: row.writer for row in connection.execute(query)}
        for name, writer in self._writers.items():
            if writers.get(name) != writer:
                raise _lock_lost_error(name)

    def close(self) -> None:
        """Close the connections and release the lock."""
        self._lock.release()
        self._engine.dispose()


class StreamSnapshot:
    """The rows of one stream that earlier runs saw, and a new generation to write to.

    Nothing of this run is kept before `commit`. `has_baseline` says that the full list was stored once.
    `newer_than_state` says that the state is older than the newest generation that counts. `is_lost` says that the
    state names a generation that was never stored here: the store is another one, empty, or an old copy.
    """

    def __init__(
        self, connection: Connection, account: str, stream: str, state_generation: int | None, *, has_state: bool
    ) -> None:
        self._connection = connection
        self._is_row_of_stream = (_ROWS.c.account == account, _ROWS.c.stream == stream)
        self._is_stream = (_STREAMS.c.account == account, _STREAMS.c.stream == stream)
        self._key = {"account": account, "stream": stream}
        confirmed, committed, emitted, baseline = self._read_generations()
        self.is_lost = state_generation is not None and state_generation > committed
        self.newer_than_state = state_generation is not None and state_generation < confirmed
        if state_generation is not None:
            confirmed = max(confirmed, min(state_generation, confirmed + 1))
        elif not has_state:
            confirmed = max(confirmed, emitted)
        self._discard_after(confirmed)
        self._compact(confirmed)
        self.generation = confirmed + 1
        self.has_baseline = 0 < baseline <= confirmed
        self._baseline = baseline if self.has_baseline else 0
        self.writer = uuid.uuid4().hex
        values = {"confirmed": confirmed, "emitted": max(emitted, confirmed), "baseline": self._baseline}
        connection.execute(update(_STREAMS).where(*self._is_stream).values(**values, writer=self.writer))
        connection.commit()

    def row_ids(self) -> AbstractSet[int]:
        """Return the ids of all known rows."""
        with translate_db_errors("snapshot"):
            ids = select(_ROWS.c.row_id).where(*self._is_row_of_stream).execution_options(yield_per=_IDS_PER_FETCH)
            known = IdSet(self._connection.scalars(ids))
            is_marked = _ROWS.c.generation == self.generation, _ROWS.c.is_deleted
            deleted = IdSet(self._connection.scalars(ids.where(*is_marked)))
        return known - deleted if deleted else known

    def read_bodies(self, ids: Iterable[int]) -> dict[int, bytes | None]:
        """Return the newest contents of those rows that are known; None where only the id is stored."""
        bodies: dict[int, bytes | None] = {}
        in_order = select(_ROWS).where(*self._is_row_of_stream).order_by(_ROWS.c.generation)
        with translate_db_errors("snapshot"):
            for chunk in chunks(ids):
                for row in self._connection.execute(in_order.where(_ROWS.c.row_id.in_(chunk))):
                    bodies[row.row_id] = row.body
                    if row.is_deleted:
                        del bodies[row.row_id]
        return bodies

    def upsert(self, rows: Mapping[int, bytes | None]) -> None:
        """Store rows in this run's generation."""
        self._write(rows, is_deleted=False)

    def mark_deleted(self, ids: Iterable[int]) -> None:
        """Store in this run's generation that rows were deleted."""
        self._write(dict.fromkeys(ids), is_deleted=True)

    def commit(self, *, is_full_list: bool) -> None:
        """Keep this run's generation. `is_full_list` says that all rows of the list were stored. Raises: RunLocked."""
        baseline = self._baseline or (self.generation if is_full_list else 0)
        self._update_stream(baseline=baseline, committed=self.generation)

    def on_state_emitted(self) -> None:
        """Store that the STATE that names this generation was emitted. Raises: RunLocked."""
        self._update_stream(emitted=self.generation)

    def close(self) -> None:
        """Close the connection; what was not committed is lost."""
        self._connection.close()

    def _update_stream(self, **values: int) -> None:
        is_own = (*self._is_stream, _STREAMS.c.writer == self.writer)
        with translate_db_errors("snapshot"):
            if self._connection.execute(update(_STREAMS).where(*is_own).values(**values)).rowcount:
                self._connection.commit()
                return
            self._connection.rollback()
        raise _lock_lost_error(self._key["stream"])

    def _read_generations(self) -> tuple[int, int, int, int]:
        row = self._connection.execute(select(_STREAMS).where(*self._is_stream)).one_or_none()
        if row:
            return row.confirmed, row.committed, row.emitted, row.baseline
        values = dict.fromkeys(("confirmed", "committed", "emitted", "baseline"), 0)
        self._connection.execute(insert(_STREAMS).values(**self._key, **values, writer=""))
        return 0, 0, 0, 0

    def _discard_after(self, generation: int) -> None:
        self._connection.execute(delete(_ROWS).where(*self._is_row_of_stream, _ROWS.c.generation > generation))

    def _compact(self, generation: int) -> None:
        """Delete rows that this generation, which now counts, has replaced or marked as deleted.

        Marks of an earlier one are gone by now. Naming the generation lets the primary key find the marks: the contents
        of all rows are not read from the disk.
        """
        newer = _ROWS.alias()
        is_same = and_(*(newer.c[name] == _ROWS.c[name] for name in ("account", "stream", "row_id")))
        is_replaced = exists().where(is_same, newer.c.generation == generation)
        older = delete(_ROWS).where(*self._is_row_of_stream, _ROWS.c.generation < generation)
        self._connection.execute(older.where(is_replaced))
        marked = delete(_ROWS).where(*self._is_row_of_stream, _ROWS.c.generation == generation, _ROWS.c.is_deleted)
        self._connection.execute(marked)

    def _write(self, rows: Mapping[int, bytes | None], *, is_deleted: bool) -> None:
        common = {**self._key, "generation": self.generation, "is_deleted": is_deleted}
        own_rows = delete(_ROWS).where(*self._is_row_of_stream, _ROWS.c.generation == self.generation)
        with translate_db_errors("snapshot"):
            for chunk in chunks(rows):
                self._connection.execute(own_rows.where(_ROWS.c.row_id.in_(chunk)))
                values = [{**common, "row_id": row_id, "body": rows[row_id]} for row_id in chunk]
                self._connection.execute(insert(_ROWS), values)


def _lock_lost_error(stream: str) -> RunLocked:
    return RunLocked(
        "This run has lost its lock of the snapshot: another run has begun to use it.",
        where=f"setting snapshot_url · stream {stream}",
        hint="let one run at a time use a snapshot; the other run goes on with it",
    )


def chunks(ids: Iterable[int], size: int = _IDS_PER_STATEMENT) -> Iterator[list[int]]:
    """Yield ids in lists of at most `size`."""
    remaining = iter(ids)
    while chunk := list(islice(remaining, size)):
        yield chunk
