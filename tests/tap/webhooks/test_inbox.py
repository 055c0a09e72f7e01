"""The inbox: it stores each delivery once, under a sequence number below which nothing is committed later."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from fieldpulse_api.errors import ConfigError
from tap_fieldpulse.singer.webhook_event_stream import WEBHOOK_SCHEMA
from tap_fieldpulse.webhooks.inbox import Inbox
from tests.harness.receiver import age_deliveries, created_delivery, parse_delivery, status_delivery


@pytest.fixture
def account(request: pytest.FixtureRequest) -> str:
    """Return an account that only this test uses, because PostgreSQL is shared."""
    return str(abs(hash(request.node.nodeid)) % 10**12 + 1)


@pytest.fixture
def inbox(url: str) -> Iterator[Inbox]:
    """Open an inbox."""
    store = Inbox(url)
    yield store
    store.close()


def test_deliveries_are_read_in_the_order_of_their_sequence_numbers(inbox: Inbox, account: str) -> None:
    """All columns of a delivery are read back."""
    assert inbox.append([parse_delivery(created_delivery(row_id, account=account)) for row_id in (3, 1)]) == 2
    assert inbox.append([parse_delivery(status_delivery(2, 5, account=account))]) == 1
    rows = list(inbox.read_after(account, 0))
    assert [row["object_id"] for row in rows] == [3, 1, 2]
    numbers = [row["sequence"] for row in rows]
    assert numbers == sorted(set(numbers))
    values = {
        name: value
        for name, value in vars(parse_delivery(status_delivery(2, 5, account=account))).items()
        if name != "account"
    }
    assert rows[2].items() >= values.items()
    assert set(rows[2]) == set(WEBHOOK_SCHEMA["properties"])
    assert [row["object_id"] for row in inbox.read_after(account, numbers[0])] == [1, 2]


def test_a_repeated_delivery_is_counted_on_the_first(inbox: Inbox, account: str) -> None:
    """The repeat may be in the same transaction or in a later one."""
    delivery = parse_delivery(created_delivery(1, account=account))
    assert inbox.append([delivery, delivery]) == 1
    assert inbox.append([delivery, parse_delivery(created_delivery(2, account=account)), delivery]) == 1
    assert [(row["object_id"], row["deliveries"]) for row in inbox.read_after(account, 0)] == [(1, 4), (2, 1)]


def test_named_rows_are_unique_and_the_last_named_is_first(inbox: Inbox, account: str) -> None:
    """They are those of one kind of object after a sequence number."""
    deliveries = [
        created_delivery(1),
        created_delivery(2),
        status_delivery(1, 5),
        created_delivery(9, noun="Invoice"),
        status_delivery(3, 5),
    ]
    inbox.append([parse_delivery(delivery | {"company": f"_{account}"}) for delivery in deliveries])
    named = inbox.named_rows(account, "job", 0, at_most=9)
    assert [row_id for row_id, _ in named] == [3, 1, 2]
    assert inbox.named_rows(account, "job", named[1][1], at_most=9) == named[:1]
    assert inbox.named_rows(account, "job", 0, at_most=2) == named[:2]
    assert inbox.named_rows(account, "job", named[0][1], at_most=9) == []


def test_accounts_are_separate(inbox: Inbox, account: str) -> None:
    """One receiver may serve several accounts."""
    inbox.append(
        [
            parse_delivery(created_delivery(1, account=account)),
            parse_delivery(created_delivery(2, account=f"9{account}")),
        ]
    )
    assert [row["object_id"] for row in inbox.read_after(account, 0)] == [1]
    assert [row_id for row_id, _ in inbox.named_rows(f"9{account}", "job", 0, at_most=9)] == [2]


def test_purge_deletes_old_confirmed_and_very_old_unread_deliveries(tmp_path: Path) -> None:
    """Confirmed deliveries are deleted after 7 days, all others after 30 days, and these are counted."""
    inbox = Inbox(f"sqlite:///{tmp_path}/store.db")
    inbox.append([parse_delivery(created_delivery(row_id)) for row_id in (1, 2, 3)])
    inbox.append([parse_delivery(created_delivery(4, account="2"))])
    numbers = [row["sequence"] for row in inbox.read_after("1", 0)]
    assert inbox.purge("1", numbers[2]) == 0
    assert len(list(inbox.read_after("1", 0))) == 3
    age_deliveries(tmp_path / "store-webhooks.db", days=29)
    assert inbox.purge("1", numbers[1]) == 0
    assert [row["object_id"] for row in inbox.read_after("1", 0)] == [3]
    assert [row["object_id"] for row in inbox.read_after("2", 0)] == [4]
    inbox.append([parse_delivery(created_delivery(5, account="2"))])
    age_deliveries(tmp_path / "store-webhooks.db", days=31, at_most=2)
    assert inbox.purge("1", numbers[1]) == 2
    assert [row["object_id"] for account in "12" for row in inbox.read_after(account, 0)] == [5]
    inbox.close()


def test_a_new_store_continues_above_the_numbers_of_a_lost_one(tmp_path: Path) -> None:
    """An earlier state hides no later delivery."""
    numbers = []
    for folder in ("one", "two"):
        inbox = Inbox(f"sqlite:///{tmp_path}/{folder}/store.db")
        inbox.append([parse_delivery(created_delivery(1)), parse_delivery(created_delivery(2))])
        numbers += [row["sequence"] for row in inbox.read_after("1", 0)]
        inbox.close()
    assert numbers == sorted(set(numbers))


def test_a_reader_misses_no_delivery_of_concurrent_writers(url: str, account: str) -> None:
    """A delivery that it has not read has a higher number, in whatever order the writers commit."""
    Inbox(url).close()

    def write(first: int) -> None:
        inbox = Inbox(url)
        for start in range(first, first + 60, 3):
            inbox.append(
                [parse_delivery(created_delivery(row_id, account=account)) for row_id in range(start, start + 3)]
            )
        inbox.close()

    writers = [threading.Thread(target=write, args=(writer_number * 1000 + 1,)) for writer_number in range(3)]
    reader, seen, last = Inbox(url), list[int](), 0
    for writer in writers:
        writer.start()
    while True:
        is_last = not any(writer.is_alive() for writer in writers)
        for row in reader.read_after(account, last):
            seen.append(row["object_id"])
            last = row["sequence"]
        if is_last:
            break
        time.sleep(0.01)  # leave the processor to the writers
    reader.close()
    for writer in writers:
        writer.join()
    assert sorted(seen) == sorted(start * 1000 + row_number for start in range(3) for row_number in range(1, 61))


def test_several_processes_may_create_a_store_at_once(url: str, account: str) -> None:
    """A receiver and a tap may start together, for the first time."""
    if url.startswith("postgresql"):
        with psycopg.connect(url) as connection:
            connection.execute(f"create schema fresh_{account}")
        url = f"{url}{'&' if '?' in url else '?'}options=-csearch_path%3Dfresh_{account}"
    together = threading.Barrier(6)

    def open_and_append(number: int) -> int:
        together.wait()
        inbox = Inbox(url)
        new = inbox.append([parse_delivery(created_delivery(number, account=account))])
        inbox.close()
        return new

    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(open_and_append, range(1, 7))) == 6


def test_a_run_that_writes_the_snapshot_does_not_block_deliveries(tmp_path: Path) -> None:
    """SQLite allows one writer at a time, so the inbox has a file of its own."""
    url = f"sqlite:///{tmp_path}/store.db"
    run = sqlite3.connect(tmp_path / "store.db", isolation_level=None)
    run.execute("create table t (a)")
    run.execute("begin immediate")
    run.execute("insert into t values (1)")
    inbox = Inbox(url)
    assert inbox.append([parse_delivery(created_delivery(1))]) == 1
    inbox.close()
    run.close()


@pytest.mark.parametrize("url", ["sqlite://", "nonsense", "mysql+nothing://x/y", "sqlite:////proc/nowhere/s.db"])
def test_a_store_that_cannot_be_opened_is_a_configuration_error(url: str) -> None:
    """The error names the setting, and not the URL, which may contain a password."""
    with pytest.raises(ConfigError) as caught:
        Inbox(url)
    assert "snapshot_url" in caught.value.where
