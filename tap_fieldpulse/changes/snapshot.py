"""What is known of an account's rows from earlier runs: their ids, and for change events their contents.

A run writes under a generation of its own. It counts from then on only if the STATE that names it comes
back, since only then has everything before that STATE arrived; otherwise the next run starts again from
the generation before it. For a run without any state, what counts is the last generation whose STATE has left.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
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
from fieldpulse_plugin.database import open_database, translate_db_errors
from fieldpulse_plugin.run_lock import RunLock

_METADATA = MetaData()
_ROWS = Table(
    "fieldpulse_snapshot_1",  # the number is the version of its form
    _METADATA,
    Column("account", String(64), primary_key=True),
    Column("stream", String(64), primary_key=True),
    Column("row_id", BigInteger, primary_key=True, autoincrement=False),
    Column("generation", Integer, primary_key=True, autoincrement=False),
    Column("is_deleted", Boolean, nullable=False),
    Column("body", LargeBinary),
)
_STREAMS = Table(
    "fieldpulse_snapshot_streams_1",
    _METADATA,
    Column("account", String(64), primary_key=True),
    Column("stream", String(64), primary_key=True),
    Column("confirmed", Integer, nullable=False),
    Column("emitted", Integer, nullable=False),
    Column("baseline", Integer, nullable=False),
)
_AT_ONCE = 500  # ids in one statement


class Snapshot:
    """The store of one account. One run at a time has it, and a file for all accounts in it.

    Raises: BadSetting; RunLocked while another run of this account has it.
    """

    def __init__(self, url: str, account: str) -> None:
        self._account = account
        self._engine = open_database(url, _METADATA, store="snapshot")
        try:
            is_file = self._engine.dialect.name == "sqlite"  # where only one can write at a time
            self._hold = RunLock(self._engine, "any" if is_file else account, store="snapshot")
        except RunLocked:
            self._engine.dispose()
            raise

    def open_stream(self, name: str, state_generation: int | None, *, has_state: bool) -> StreamSnapshot:
        """Begin a generation of a stream. `token` is the one that the state names, if there is a state that does."""
        with translate_db_errors("snapshot"):
            return StreamSnapshot(self._engine.connect(), self._account, name, state_generation, has_state=has_state)

    def close(self) -> None:
        """Close the connections, and let others have it."""
        self._hold.release()
        self._engine.dispose()


class StreamSnapshot:
    """What is known of one stream's rows. Nothing of a run counts before `finish`, and then only as said above.

    `is_filled` says that the whole list was taken in once. `is_ahead` says that the state is older than what counts.
    """

    def __init__(
        self, connection: Connection, account: str, stream: str, state_generation: int | None, *, has_state: bool
    ) -> None:
        self._connection = connection
        self._is_row_of_stream = (_ROWS.c.account == account, _ROWS.c.stream == stream)
        self._is_stream = (_STREAMS.c.account == account, _STREAMS.c.stream == stream)
        self._key = {"account": account, "stream": stream}
        confirmed, emitted, baseline = self._begin()
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
        values = {"confirmed": confirmed, "emitted": max(emitted, confirmed), "baseline": self._baseline}
        connection.execute(update(_STREAMS).where(*self._is_stream).values(**values))
        connection.commit()

    def row_ids(self) -> set[int]:
        """Return the ids of all rows that are known."""
        gone: set[int] = set()
        known: set[int] = set()
        with translate_db_errors("snapshot"):
            for row in self._connection.execute(
                select(_ROWS.c.row_id, _ROWS.c.is_deleted).where(*self._is_row_of_stream)
            ):
                (gone if row.is_deleted else known).add(row.row_id)
        return known - gone

    def read_bodies(self, ids: Iterable[int]) -> dict[int, bytes | None]:
        """Return the contents of those rows that are known, the newest that were put; None where only the id is."""
        found: dict[int, bytes | None] = {}
        with translate_db_errors("snapshot"):
            for some in _chunks(ids):
                query = (
                    select(_ROWS).where(*self._is_row_of_stream, _ROWS.c.row_id.in_(some)).order_by(_ROWS.c.generation)
                )
                for row in self._connection.execute(query):
                    found[row.row_id] = row.body
                    if row.is_deleted:
                        del found[row.row_id]
        return found

    def upsert(self, rows: Mapping[int, bytes | None]) -> None:
        """Take rows in."""
        self._write(rows, is_deleted=False)

    def mark_deleted(self, ids: Iterable[int]) -> None:
        """Note rows as gone."""
        self._write(dict.fromkeys(ids), is_deleted=True)

    def commit(self, *, is_full_list: bool) -> None:
        """Keep the generation. `is_whole` says that the whole list was taken in."""
        baseline = self._baseline or (self.generation if is_full_list else 0)
        with translate_db_errors("snapshot"):
            self._connection.execute(update(_STREAMS).where(*self._is_stream).values(baseline=baseline))
            self._connection.commit()

    def on_state_emitted(self) -> None:
        """Note that the STATE that names this generation has left."""
        with translate_db_errors("snapshot"):
            self._connection.execute(update(_STREAMS).where(*self._is_stream).values(emitted=self.generation))
            self._connection.commit()

    def close(self) -> None:
        """Give up what was not finished."""
        self._connection.close()

    def _begin(self) -> tuple[int, int, int]:
        row = self._connection.execute(select(_STREAMS).where(*self._is_stream)).one_or_none()
        if row:
            return row.confirmed, row.emitted, row.baseline
        self._connection.execute(insert(_STREAMS).values(**self._key, confirmed=0, emitted=0, baseline=0))
        return 0, 0, 0

    def _discard_after(self, generation: int) -> None:
        self._connection.execute(delete(_ROWS).where(*self._is_row_of_stream, _ROWS.c.generation > generation))

    def _compact(self, generation: int) -> None:
        """Drop what the last generation that counts has overtaken, and what it says is gone."""
        newer = _ROWS.alias()
        is_same = and_(*(newer.c[name] == _ROWS.c[name] for name in ("account", "stream", "row_id")))
        overtaken = exists().where(is_same, newer.c.generation == generation)
        self._connection.execute(
            delete(_ROWS).where(*self._is_row_of_stream, _ROWS.c.generation < generation, overtaken)
        )
        self._connection.execute(delete(_ROWS).where(*self._is_row_of_stream, _ROWS.c.is_deleted))

    def _write(self, rows: Mapping[int, bytes | None], *, is_deleted: bool) -> None:
        own = {**self._key, "generation": self.generation, "is_deleted": is_deleted}
        with translate_db_errors("snapshot"):
            for some in _chunks(rows):
                is_before = (_ROWS.c.generation == self.generation, _ROWS.c.row_id.in_(some))
                self._connection.execute(delete(_ROWS).where(*self._is_row_of_stream, *is_before))
                self._connection.execute(insert(_ROWS), [{**own, "row_id": one, "body": rows[one]} for one in some])


def _chunks(ids: Iterable[int]) -> Iterator[list[int]]:
    rest = iter(ids)
    while some := list(islice(rest, _AT_ONCE)):
        yield some
