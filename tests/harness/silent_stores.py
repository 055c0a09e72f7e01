"""Stores that do not answer: a PostgreSQL server that is stopped, an SQLite file that another program has locked."""

from __future__ import annotations

import os
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import psycopg


@contextmanager
def silent_store(url: str) -> Iterator[None]:
    """Silence a store, in the middle of whatever it does."""
    if url.startswith("sqlite"):
        path = url.removeprefix("sqlite:///")
        with closing(sqlite3.connect(path, isolation_level=None, timeout=20)) as other:
            other.execute("begin exclusive")
            yield
        return
    processes = _server_processes(url)
    _signal(processes, signal.SIGSTOP)
    try:
        yield
    finally:
        _signal(processes, signal.SIGCONT)


def _server_processes(url: str) -> list[int]:
    """Return the server's first process, and those that it has started."""
    with psycopg.connect(url) as connection:
        row = connection.execute("show data_directory").fetchone()
    assert row
    first = int(Path(row[0], "postmaster.pid").read_text().split()[0])
    return [first, *map(int, Path(f"/proc/{first}/task/{first}/children").read_text().split())]


def _signal(processes: list[int], number: int) -> None:
    for process in processes:
        with suppress(ProcessLookupError):  # the session of this test has ended meanwhile
            os.kill(process, number)
