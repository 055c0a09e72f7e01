"""A store that does not answer: deliveries are refused in time, and accepted as soon as it answers again."""

from __future__ import annotations

import http.client
import os
import signal
import sqlite3
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import psycopg

from tap_fieldpulse.webhooks.inbox import Inbox
from tests.harness.receiver import ReceiverProcess, created_delivery, post_delivery, run_receiver

ACCOUNT = "61007"


@contextmanager
def mute(url: str) -> Iterator[None]:
    """Let the store answer nothing: SQLite is locked by another program, all processes of PostgreSQL are stopped."""
    if url.startswith("sqlite"):
        path = Path(url.removeprefix("sqlite:///"))
        with closing(sqlite3.connect(path.with_name(f"{path.stem}-webhooks.db"), isolation_level=None)) as other:
            other.execute("begin exclusive")
            yield
        return
    with closing(psycopg.connect(url)) as connection:
        row = connection.execute("show data_directory").fetchone()
    assert row
    server = int(Path(row[0], "postmaster.pid").read_text().split()[0])
    processes = [server, *children(server)]
    try:
        for process in processes:
            with suppress(ProcessLookupError):  # that of the connection above may have ended
                os.kill(process, signal.SIGSTOP)
        yield
    finally:
        for process in processes:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGCONT)


def children(parent: int) -> list[int]:
    """Return the processes that a process has started."""
    text = Path(f"/proc/{parent}/task/{parent}/children").read_text()
    return [int(number) for number in text.split()]


def post_all(receiver: ReceiverProcess, ids: range) -> list[int]:
    """Post deliveries side by side and return the statuses, 0 for those that got no answer."""

    def post(number: int) -> int:
        try:
            return post_delivery(receiver.url, created_delivery(number, account=ACCOUNT))
        except (OSError, http.client.HTTPException):
            return 0

    with ThreadPoolExecutor(len(ids)) as pool:
        return list(pool.map(post, ids))


def test_a_mute_store_holds_neither_deliveries_nor_the_end(url: str) -> None:
    """What is confirmed is stored, before the pause and after it. A signal ends the receiver during the pause too."""
    with run_receiver(url) as receiver:
        assert post_all(receiver, range(1, 6)) == [200] * 5
        with mute(url):
            started = time.monotonic()
            assert post_all(receiver, range(6, 36)) == [503] * 30
            assert time.monotonic() - started < 15  # 4 s as a rule; SQLite itself waits for 30 s, PostgreSQL for ever
        while post_delivery(receiver.url, created_delivery(36, account=ACCOUNT)) != 200:
            pass
        with mute(url), ThreadPoolExecutor(1) as pool:
            refused = pool.submit(post_all, receiver, range(37, 67))
            while receiver.count_sockets() < 30:
                time.sleep(0.01)
            started = time.monotonic()
            assert receiver.stop(signal.SIGTERM) == 143
            assert time.monotonic() - started < 20
            assert set(refused.result()) <= {503, 0}  # 0: the signal came before the request
        log = receiver.log()
    assert "store does not answer" in log
    assert "Traceback" not in log
    inbox = Inbox(url)
    stored = [row["object_id"] for row in inbox.read_after(ACCOUNT, 0)]
    inbox.close()
    assert {1, 2, 3, 4, 5, 36} <= set(stored)
    assert len(stored) == len(set(stored))
