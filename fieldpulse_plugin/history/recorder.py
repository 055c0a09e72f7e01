"""The history of one run, written beside it: a run is not slower for its history, and never fails for it."""

from __future__ import annotations

import logging
import os
import socket
import threading
import uuid
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import asdict
from datetime import datetime, timedelta
from importlib import metadata
from pathlib import Path
from types import TracebackType
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy.engine import Engine
from typing_extensions import Self

from fieldpulse_api.errors import FieldPulseError
from fieldpulse_plugin.exit_codes import exit_status_of, reason_of
from fieldpulse_plugin.stores.database import open_database, translate_db_errors

from .facts import RunFacts, StreamFacts, now
from .tables import METADATA, RUNS, STORE, STREAMS, history_url

_LOGGER = logging.getLogger(__name__)
_SECONDS_BETWEEN_WRITES = 5.0
_MAX_END_SECONDS = 5.0


class RunRecorder:
    """Record a run for the duration of a `with` block, in a thread of its own.

    The thread writes what `facts` returns when the run begins, every five seconds, and at the end. A run that is killed
    leaves what was written last. Where the history cannot be written, a warning says so, once; it is tried again.
    """

    def __init__(
        self, plugin: str, facts: Callable[[], RunFacts], *, store: str, store_url: str, keep_days: int
    ) -> None:
        """`store` is `ledger` or `snapshot`; the setting `<store>_url` holds `store_url`. 0 days store nothing."""
        self._facts, self._store, self._url = facts, store, history_url(store_url)
        self._keep = timedelta(days=keep_days)
        self._run_id, self._began_at = uuid.uuid4().hex, now()
        self._run = {
            "run_id": self._run_id,
            "plugin": plugin,
            "pipeline": _pipeline(plugin),
            "version": metadata.version("singer-fieldpulse"),
            "host": socket.gethostname(),
            "process_id": os.getpid(),
            "process_began": began_of_process(os.getpid()),
            "began_at": self._began_at,
        }
        self._end: dict[str, Any] = {}
        self._ended, self._has_warned = threading.Event(), False
        self._thread = threading.Thread(target=self._record, name="fieldpulse_history", daemon=True)

    def __enter__(self) -> Self:
        if self._keep:
            try:
                self._thread.start()
            except RuntimeError:  # no thread is left
                self._warn("its thread cannot be started")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.end(exit_status_of(error), reason_of(error))

    def end(self, exit_status: int, reason: str | None = None) -> None:
        """Write the end of the run. A store that does not answer delays it by five seconds at most."""
        if self._ended.is_set():
            return
        self._end = {"ended_at": now(), "exit_status": exit_status, "reason": reason}
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join(_MAX_END_SECONDS)
            if self._thread.is_alive():
                self._warn("it does not answer")

    def _record(self) -> None:
        with ExitStack() as resources:
            engine, is_over = None, False
            while True:
                try:
                    engine = engine or self._open(resources)
                    with translate_db_errors(STORE), engine.begin() as connection:
                        self._write(connection)
                except Exception as error:  # noqa: BLE001  the history must not end the run
                    self._warn(error.what if isinstance(error, FieldPulseError) else f"{type(error).__name__}.")
                if is_over:
                    return
                is_over = self._ended.wait(_SECONDS_BETWEEN_WRITES)

    def _open(self, resources: ExitStack) -> Engine:
        engine = open_database(self._url, METADATA, store=STORE, log_level=logging.DEBUG)
        resources.callback(engine.dispose)
        return engine

    def _write(self, connection: Connection) -> None:
        facts = self._facts()
        values = _run_columns(facts) | self._end
        if not connection.execute(update(RUNS).where(RUNS.c.run_id == self._run_id).values(**values)).rowcount:
            _delete_before(connection, self._began_at - self._keep)
            connection.execute(insert(RUNS).values(**self._run, **values))
        for stream in facts.streams:
            _write_stream(connection, self._run_id, stream)

    def _warn(self, what: str) -> None:
        if not self._has_warned:
            self._has_warned = True
            _LOGGER.warning("The history of this run is not complete: setting %s_url: %s", self._store, what)


def began_of_process(process_id: int) -> str:
    """Return when a process of this machine began, in a form that tells it from later ones with its number.

    Empty if there is no such process, or if the system does not tell.
    """
    with suppress(OSError, IndexError):
        return Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()[19]
    return ""


def _pipeline(plugin: str) -> str:
    """Return the name of a pipeline: of its ends those that Meltano names, else the plugin alone.

    Meltano names the extractor to both plugins, and the loader to itself alone (findings/meltano-plugin-names.sh). So
    the runs of a tap have its own name, `tap-fieldpulse--north`, and those of a target both names. The suffix of the
    state id follows, which tells accounts apart: `tap-fieldpulse:north`.
    """
    names = [os.environ.get(f"MELTANO_{kind}_NAME") for kind in ("EXTRACTOR", "LOADER")]
    name = " → ".join(name for name in names if name) or plugin
    return ":".join(filter(None, (name, os.environ.get("MELTANO_RUN_STATE_ID_SUFFIX"))))


def _run_columns(facts: RunFacts) -> dict[str, Any]:
    columns = {name: value for name, value in asdict(facts).items() if name not in ("traffic", "streams")}
    return {**columns, **asdict(facts.traffic), "seen_at": now()}


def _write_stream(connection: Connection, run_id: str, stream: StreamFacts) -> None:
    is_own = (STREAMS.c.run_id == run_id, STREAMS.c.name == stream.name)
    values = asdict(stream)
    if not connection.execute(update(STREAMS).where(*is_own).values(**values)).rowcount:
        connection.execute(insert(STREAMS).values(run_id=run_id, **values))


def _delete_before(connection: Connection, time: datetime) -> None:
    old = select(RUNS.c.run_id).where(RUNS.c.began_at < time)
    connection.execute(delete(STREAMS).where(STREAMS.c.run_id.in_(old)))
    connection.execute(delete(RUNS).where(RUNS.c.began_at < time))
