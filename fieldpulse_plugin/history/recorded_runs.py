"""The history as it is read: runs with their streams, the latest first."""

from __future__ import annotations

import socket
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import Connection, Select, inspect, select
from sqlalchemy.engine import Engine, RowMapping

from fieldpulse_api.errors import ConfigError
from fieldpulse_api.http.traffic import TrafficFacts
from fieldpulse_plugin.stores.database import engine_of, translate_db_errors
from fieldpulse_plugin.stores.urls import sqlite_path

from .facts import StreamFacts, now
from .recorder import began_of_process
from .tables import RUNS, STORE, STREAMS, history_url

_VANISHED_AFTER = timedelta(seconds=60)
_RUNS_PER_QUERY = 500
_TRAFFIC = {column.name for column in fields(TrafficFacts)}


@dataclass(frozen=True, kw_only=True)
class RecordedRun:
    """One run as the history has it.

    `seen_at` is when the run last wrote. `exit_status` and `ended_at` are None until it has told its end. `reason` is
    the error that ended it, without personal data.

    Units: `requests_per_second` is the budget.
    """

    run_id: str
    plugin: str
    pipeline: str
    version: str
    account: str | None
    is_dry: bool
    host: str
    process_id: int
    process_began: str
    began_at: datetime
    seen_at: datetime
    ended_at: datetime | None
    exit_status: int | None
    reason: str | None
    requests_per_second: float
    open_rejects: int
    traffic: TrafficFacts
    streams: list[StreamFacts]

    @property
    def state(self) -> Literal["running", "ended", "vanished"]:
        """Return whether the run goes on, has ended, or has vanished without a word, as after `kill -9`."""
        if self.ended_at:
            return "ended"
        if self.host == socket.gethostname() and self.process_began:
            return "running" if began_of_process(self.process_id) == self.process_began else "vanished"
        return "running" if now() - self.seen_at < _VANISHED_AFTER else "vanished"

    @property
    def seconds(self) -> float:
        """Return how long the run took, or has taken so far."""
        return ((self.ended_at or self.seen_at) - self.began_at).total_seconds()


@dataclass(frozen=True, kw_only=True)
class RunOutline:
    """What thousands of runs are counted and compared by."""

    run_id: str
    plugin: str
    pipeline: str
    account: str | None
    is_dry: bool
    began_at: datetime
    exit_status: int | None
    requests: int


class History:
    """The history in one store. It is only read here, and may not exist yet.

    `store` is `ledger` or `snapshot`; the setting `<store>_url` holds `store_url`.

    Raises: ConfigError.
    """

    def __init__(self, store_url: str, *, store: str) -> None:
        url = history_url(store_url)
        path = sqlite_path(url)
        self._setting = f"setting {store}_url"
        self._engine: Engine | None = None
        if path is None or path.exists():
            self._engine = engine_of(url, store=STORE, reads_only=True)

    def runs(self, last: int, *, plugin: str | None = None, run_id: str = "") -> list[RecordedRun]:
        """Return the last runs, the latest first: all, those of a plugin, or those whose id begins so."""
        query = select(RUNS).where(RUNS.c.run_id.startswith(run_id, autoescape=True))
        if plugin:
            query = query.where(RUNS.c.plugin == plugin)
        return self._runs(query.order_by(RUNS.c.began_at.desc()).limit(last))

    def runs_by_id(self, run_ids: Iterable[str]) -> list[RecordedRun]:
        """Return these runs, the latest first."""
        return self._runs(select(RUNS).where(RUNS.c.run_id.in_(list(run_ids))).order_by(RUNS.c.began_at.desc()))

    def outlines(self) -> list[RunOutline]:
        """Return the outlines of all runs, the latest first."""
        columns = [RUNS.c[column.name] for column in fields(RunOutline)]
        with self._open() as connection:
            if connection is None:
                return []
            rows = connection.execute(select(*columns).order_by(RUNS.c.began_at.desc()))
            return [RunOutline(**row) for row in rows.mappings()]

    def _runs(self, query: Select[Any]) -> list[RecordedRun]:
        with self._open() as connection:
            if connection is None:
                return []
            rows = connection.execute(query).mappings().all()
            streams = _streams_of(connection, [row["run_id"] for row in rows])
        return [_run_of(row, streams[row["run_id"]]) for row in rows]

    @contextmanager
    def _open(self) -> Iterator[Connection | None]:
        """Open a connection; None if there is no history yet."""
        if self._engine is None:
            yield None
            return
        with self._errors_named(), translate_db_errors(STORE), self._engine.connect() as connection:
            yield connection if inspect(connection).has_table(RUNS.name) else None

    @contextmanager
    def _errors_named(self) -> Iterator[None]:
        """Name the setting of the store in an error: the history has none of its own."""
        try:
            yield
        except ConfigError as error:
            error.where = self._setting
            raise

    def close(self) -> None:
        """Close the connections."""
        if self._engine:
            self._engine.dispose()


def _streams_of(connection: Connection, run_ids: list[str]) -> defaultdict[str, list[StreamFacts]]:
    streams: defaultdict[str, list[StreamFacts]] = defaultdict(list)
    for start in range(0, len(run_ids), _RUNS_PER_QUERY):
        is_wanted = STREAMS.c.run_id.in_(run_ids[start : start + _RUNS_PER_QUERY])
        for row in connection.execute(select(STREAMS).where(is_wanted).order_by(STREAMS.c.began_at)).mappings():
            streams[row["run_id"]].append(StreamFacts(**_without(row, {"run_id"})))
    return streams


def _run_of(row: RowMapping, streams: list[StreamFacts]) -> RecordedRun:
    traffic = {name: row[name] for name in _TRAFFIC} | {"over_time": [tuple(each) for each in row["over_time"]]}
    return RecordedRun(**_without(row, _TRAFFIC), traffic=TrafficFacts(**traffic), streams=streams)


def _without(row: RowMapping, names: Iterable[str]) -> dict[str, Any]:
    return {str(name): value for name, value in row.items() if name not in names}
