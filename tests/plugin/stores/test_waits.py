"""Waits for stores that do not answer: bounded, logged, and not repeated by each thread."""

from __future__ import annotations

import threading
import time
from contextlib import closing

import pytest
from sqlalchemy import text

from fieldpulse_api.errors import ConfigError
from fieldpulse_plugin.stores.waits import LOCK_SECONDS
from target_fieldpulse.ledger.database import LedgerDatabase
from tests.harness.fast_clock import FastClock
from tests.harness.silent_stores import silent_store

THREADS = 20


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> FastClock:
    """Let the time pass faster."""
    clock = FastClock()
    monkeypatch.setattr(time, "monotonic", clock)
    return clock


def write(database: LedgerDatabase) -> None:
    with database.begin() as connection:
        connection.execute(text("update fieldpulse_ledger_1 set status = 'written'"))


def test_a_store_that_does_not_answer_fails_all_threads_together(
    url: str, clock: FastClock, caplog: pytest.LogCaptureFixture
) -> None:
    """The first thread waits for the whole limit, and no other does. Later, the store is tried again."""
    errors: list[ConfigError] = []

    def try_to_write() -> None:
        try:
            write(database)
        except ConfigError as error:
            errors.append(error)

    if url.startswith("postgresql"):
        url += "&connect_timeout=2"  # of the real clock
    with closing(LedgerDatabase(url)) as database:
        write(database)
        threads = [threading.Thread(target=try_to_write) for _ in range(THREADS)]
        began_at = clock()
        with silent_store(url):
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            seconds = clock() - began_at
        reason = "another program has locked it" if url.startswith("sqlite") else "it does not answer"
        assert [error.what for error in errors] == [f"The ledger cannot be read or written ({reason})."] * THREADS
        assert LOCK_SECONDS < seconds < THREADS * LOCK_SECONDS
        waits = [record for record in caplog.records if "Waiting for the ledger" in record.getMessage()]
        assert len(waits) == 1
        clock.skipped_seconds += 3600
        write(database)


def test_a_lock_of_another_session_is_named(postgres: str) -> None:
    """A session that somebody left open is a common cause. PostgreSQL ends this wait itself."""
    with (
        closing(LedgerDatabase(postgres)) as database,
        closing(LedgerDatabase(postgres)) as other,
        other.begin() as connection,
    ):
        connection.execute(text("lock table fieldpulse_ledger_1"))
        with pytest.raises(ConfigError, match="another session has locked its tables"):
            _lock_soon(database)


def _lock_soon(database: LedgerDatabase) -> None:
    with database.begin() as connection:
        connection.execute(text("set local lock_timeout = 50"))
        connection.execute(text("lock table fieldpulse_ledger_1"))
