"""The ledger on SQLite and on a real PostgreSQL: what was intended, what was done, what is in doubt."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, create_engine, text

from fieldpulse_api.errors import ConfigError, RecordInvalid, RunLocked
from fieldpulse_sandbox.sandbox import Sandbox
from target_fieldpulse.ledger.ledger import Ledger
from target_fieldpulse.records.ledger_key import KeyKind, LedgerKey
from tests.harness.messages import record_message, schema_message, singer_lines
from tests.harness.target_runner import run_target

Make = Callable[[str], Ledger]


@pytest.fixture
def make(url: str, request: pytest.FixtureRequest) -> Iterator[Make]:
    """Open ledgers of accounts that are the test's own."""
    opened: list[Ledger] = []

    def open_one(account: str) -> Ledger:
        opened.append(Ledger(url, f"{request.node.name[:40]}-{account}"))
        return opened[-1]

    yield open_one
    for one in opened:
        one.close()


@contextmanager
def _connected(url: str) -> Iterator[Connection]:
    if url.startswith("sqlite"):
        Path(url.removeprefix("sqlite:///")).parent.mkdir(exist_ok=True)
    engine = create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
    with engine.begin() as connection:
        yield connection
    engine.dispose()


def key_of(external_id: str, stream: str = "customers") -> LedgerKey:
    return LedgerKey(stream, KeyKind.EXTERNAL_ID, external_id)


def intend(ledger: Ledger, key: str = "k") -> None:
    ledger.add_pending(key_of(key), parent_ids={}, fingerprint={"email": "m"}, max_id_before=7)


def test_what_was_intended_is_in_doubt_until_it_is_done(make: Make) -> None:
    """Also for the next process that opens the ledger."""
    intend(make("a"))
    (entry,) = make("a").pending("customers")
    assert (entry.source_key, entry.status, entry.fingerprint, entry.max_id_before, entry.row_id) == (
        "k",
        "pending",
        {"email": "m"},
        7,
        None,
    )
    make("a").upsert(key_of("k"), row_id=9, parent_ids={}, property_hashes={"email": "h"})
    assert make("a").pending("customers") == []
    found = make("a").find(key_of("k"))
    assert found
    assert (found.status, found.row_id, found.property_hashes, found.fingerprint) == ("written", 9, {"email": "h"}, {})


def test_what_did_not_happen_is_forgotten(make: Make) -> None:
    """A refused create may be tried anew."""
    ledger = make("a")
    intend(ledger)
    ledger.forget(key_of("k"))
    assert ledger.find(key_of("k")) is None


def test_a_key_can_be_intended_once(make: Make) -> None:
    """Two processes that create the same record are stopped by the store, not by luck."""
    intend(make("a"))
    with pytest.raises(RecordInvalid, match="Another process"):
        intend(make("a"))


def test_accounts_and_streams_are_kept_apart(make: Make) -> None:
    """Key 1 of one company is not key 1 of another."""
    make("a").upsert(key_of("1"), row_id=5, parent_ids={})
    assert make("b").find(key_of("1")) is None
    assert make("a").find(key_of("1", "jobs")) is None
    assert make("a").is_claimed("customers", 5)
    assert not make("b").is_claimed("customers", 5)


def test_one_run_at_a_time_has_a_stream_of_an_account(make: Make) -> None:
    """A second one is told who has it; another stream's, or another account's, is not in the way."""
    first, second = make("a"), make("a")
    first.lock_stream("customers")
    with pytest.raises(RunLocked, match=f"The ledger is locked by another run .process {os.getpid()}") as caught:
        second.lock_stream("customers")
    assert caught.value.exit_status == 4
    assert "customers" in caught.value.where
    second.lock_stream("jobs")
    make("b").lock_stream("customers")
    first.close()
    second.lock_stream("customers")


def test_a_ledger_of_a_newer_version_is_refused(url: str, request: pytest.FixtureRequest) -> None:
    """What an older target does not know it must not write into."""
    with _connected(url) as connection:
        connection.execute(text("create table fieldpulse_ledger_9 (account varchar(64))"))
    try:
        with pytest.raises(ConfigError, match="newer version"):
            Ledger(url, request.node.name[:50])
    finally:
        with _connected(url) as connection:
            connection.execute(text("drop table fieldpulse_ledger_9"))


def test_what_was_kept_before_the_account_was_known_is_taken_over(url: str, request: pytest.FixtureRequest) -> None:
    """A list that shows the company's id one day must not make the ledger forget."""
    name = request.node.name[:40]
    early = Ledger(url, f"{name}-address")
    early.upsert(key_of("k"), row_id=9, parent_ids={})
    early.close()
    late = Ledger(url, f"{name}-200001", former_account=f"{name}-address")
    assert late.find(key_of("k"))
    late.close()


def test_the_file_is_private_and_holds_neither_key_nor_record(
    box: Sandbox, target_config: dict[str, Any], tmp_path: Path
) -> None:
    """Ids and hashes only."""
    given = singer_lines(
        schema_message("customers", "external_id", "first_name", "email", "phone"),
        record_message(
            "customers", external_id="lead-1", first_name="Canaryname", email="canary@example.com", phone="+12145550199"
        ),
    )
    run_target(target_config, given, tmp_path)
    content = b"".join(path.read_bytes() for path in tmp_path.glob("ledger.db*"))
    assert b"lead-1" in content
    for secret in ("Canaryname", "canary@example.com", "2145550199", box.key):
        assert secret.encode() not in content
    assert (tmp_path / "ledger.db").stat().st_mode & 0o777 == 0o600


def test_a_run_works_on_postgresql(postgres: str, box: Sandbox, target_config: dict[str, Any], tmp_path: Path) -> None:
    """The same target, another ledger_url, the same end: nothing is written twice."""
    given = singer_lines(
        schema_message("customers", "external_id", "first_name"),
        record_message("customers", external_id="pg", first_name="P"),
    )
    config = target_config | {"ledger_url": postgres}
    assert run_target(config, given, tmp_path).counts == {"created": 1}
    assert run_target(config, given, tmp_path).counts == {"unchanged": 1}


@pytest.mark.parametrize(
    "wrong", ["nonsense", "sqlite:////proc/nowhere/ledger.db", "postgresql://127.0.0.1:1/x", "oracle9://x"]
)
def test_a_ledger_that_cannot_be_opened_is_explained(wrong: str) -> None:
    """The setting is named, its value (it may hold a password) is not."""
    with pytest.raises(ConfigError) as caught:
        Ledger(wrong, "a")
    assert "ledger_url" in caught.value.where
    assert wrong not in str(caught.value)
