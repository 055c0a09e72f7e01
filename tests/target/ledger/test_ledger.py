"""The ledger on SQLite and on a real PostgreSQL server: entries, run markers, accounts."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from sqlalchemy import Connection, create_engine, select, text

from fieldpulse_api.errors import ConfigError, RecordInvalid, RunLocked
from fieldpulse_api.resources.catalogue import WRITABLE
from fieldpulse_sandbox.sandbox import Sandbox
from target_fieldpulse.ledger.database import LedgerDatabase
from target_fieldpulse.ledger.entry import Entry
from target_fieldpulse.ledger.ledger import Ledger
from target_fieldpulse.ledger.run_marker import RunMarkers
from target_fieldpulse.ledger.tables import AUDIT, ENTRIES, WRITTEN_ROWS
from target_fieldpulse.records.ledger_key import KeyKind, LedgerKey
from tests.harness.messages import record_message, schema_message, singer_lines
from tests.harness.target_runner import run_target
from tests.target.shared import customers_named

OpenLedger = Callable[[str], Ledger]
OpenRuns = Callable[[str], RunMarkers]
RUN = "run"


@pytest.fixture
def prefix(request: pytest.FixtureRequest) -> str:
    """Return a prefix for account names, so that tests on one server do not share accounts."""
    return str(request.node.name)[:40]


@pytest.fixture
def open_ledger(url: str, prefix: str) -> Iterator[OpenLedger]:
    """Return a function that opens the ledger of an account with its own connections, like another process."""
    databases: list[LedgerDatabase] = []

    def _open(account: str) -> Ledger:
        databases.append(LedgerDatabase(url))
        with closing(RunMarkers(databases[-1], f"{prefix}-{account}", RUN)) as runs:
            runs.start("customers")
        return Ledger(databases[-1], f"{prefix}-{account}", run_id=RUN)

    yield _open
    for database in databases:
        database.close()


@pytest.fixture
def open_runs(url: str, prefix: str) -> Iterator[OpenRuns]:
    """Return a function that opens the run markers of an account with its own connections, like another process."""
    databases: list[LedgerDatabase] = []
    runs: list[RunMarkers] = []

    def _open(account: str) -> RunMarkers:
        databases.append(LedgerDatabase(url))
        runs.append(RunMarkers(databases[-1], f"{prefix}-{account}", f"run-{len(runs)}", timeout_seconds=3))
        return runs[-1]

    yield _open
    for markers in runs:
        markers.close()
    for database in databases:
        database.close()


@contextmanager
def _connected(url: str) -> Iterator[Connection]:
    if url.startswith("sqlite"):
        Path(url.removeprefix("sqlite:///")).parent.mkdir(exist_ok=True)
    engine = create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
    with engine.begin() as connection:
        yield connection
    engine.dispose()


def lose_lock(url: str) -> None:
    """Remove the lock files, or end the connections that hold advisory locks, as an administrator could."""
    if url.startswith("sqlite"):
        for path in Path(url.removeprefix("sqlite:///")).parent.glob("*.lock"):
            path.unlink()
        return
    with _connected(url) as connection:
        connection.execute(
            text(
                "select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and pid <> pg_backend_pid()"
            )
        )


def key_of(external_id: str, stream: str = "customers") -> LedgerKey:
    return LedgerKey(stream, KeyKind.EXTERNAL_ID, external_id)


def add_pending(ledger: Ledger, key: str = "k") -> Entry:
    return ledger.add_pending(key_of(key), parent_ids={}, fingerprint={"email": "m"}, max_id_before=7)


def test_a_create_is_pending_until_its_row_is_written(open_ledger: OpenLedger) -> None:
    """The next process that opens the ledger sees the same status."""
    add_pending(open_ledger("a"))
    (entry,) = open_ledger("a").pending("customers")
    assert (entry.key, entry.status, entry.fingerprint, entry.max_id_before, entry.row_id) == (
        key_of("k"),
        "pending",
        {"email": "m"},
        7,
        None,
    )
    open_ledger("a").upsert(key_of("k"), row_id=9, parent_ids={}, property_hashes={"email": "h"})
    assert open_ledger("a").pending("customers") == []
    linked = open_ledger("a").find(key_of("k"))
    assert linked
    assert (linked.status, linked.row_id, linked.property_hashes, linked.fingerprint) == (
        "written",
        9,
        {"email": "h"},
        {},
    )


def test_a_pending_create_can_be_discarded_and_sent_again(open_ledger: OpenLedger) -> None:
    """A rejected create may be sent again. A written entry is not discarded, only deleted."""
    ledger = open_ledger("a")
    assert ledger.discard(add_pending(ledger))
    assert ledger.find(key_of("k")) is None
    pending = add_pending(ledger)
    ledger.upsert(key_of("k"), row_id=9, parent_ids={})
    assert not ledger.discard(pending)
    assert ledger.find(key_of("k"))
    ledger.delete(key_of("k"))
    assert ledger.find(key_of("k")) is None


def test_a_key_can_be_pending_once(open_ledger: OpenLedger) -> None:
    """A database constraint stops the second process that creates the same record."""
    add_pending(open_ledger("a"))
    with pytest.raises(RecordInvalid, match="Another process"):
        add_pending(open_ledger("a"))


def test_an_entry_is_settled_only_as_it_was_read(open_ledger: OpenLedger) -> None:
    """Two runs look for one create, because a lock was lost: the second one must not undo what the first one found."""
    first, second = open_ledger("a"), open_ledger("a")
    seen = add_pending(first)
    assert second.link(seen, 9)
    assert not first.discard(seen)
    assert not first.link(seen, 10)
    linked = first.find(key_of("k"))
    assert linked
    assert (linked.status, linked.row_id) == ("linked", 9)
    first.delete(key_of("k"))
    add_pending(first)
    assert not second.discard(seen)  # pending again, and not the same create


def test_a_run_that_lost_its_lock_creates_nothing(url: str, open_runs: OpenRuns, prefix: str) -> None:
    """Its lock file was removed, or its connection dropped; another run has begun meanwhile."""
    first = open_runs("a")
    first.start("customers")
    with closing(LedgerDatabase(url)) as database:
        ledger = Ledger(database, f"{prefix}-a", run_id="run-0")
        add_pending(ledger, "before")
        lose_lock(url)
        second = open_runs("a")
        second.start("customers")
        assert second.killed_before is not None
        with pytest.raises(RunLocked, match="lost its lock"):
            add_pending(ledger, "after")
        with pytest.raises(RunLocked, match="lost its lock"):
            ledger.upsert(key_of("before"), row_id=9, parent_ids={})
        with pytest.raises(RunLocked, match="lost its lock"):
            ledger.link(ledger.pending("customers")[0], 9)
        link = Ledger(database, f"{prefix}-a", run_id="run-1")
        link.upsert(key_of("link"), row_id=None, parent_ids={})
        with pytest.raises(RunLocked, match="lost its lock"):
            ledger.add_pending(
                key_of("link"), parent_ids={}, fingerprint={}, max_id_before=0, replaces=link.find(key_of("link"))
            )
        assert link.find(key_of("link"))
        first.end()
        add_pending(Ledger(database, f"{prefix}-a", run_id="run-1"), "after")


def test_a_run_that_was_suspended_looks_for_its_marker_before_it_sends(
    url: str, open_runs: OpenRuns, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Within the lease it does not look: the run that replaced the marker waits for that long."""
    now = 1000.0
    monkeypatch.setattr("time.clock_gettime", lambda _: now)
    first = open_runs("a")
    first.start("customers")
    first.renew_lease()
    lose_lock(url)
    second = open_runs("a")
    second.start("customers")
    first.renew_lease()
    now += 1
    with pytest.raises(RunLocked, match="lost its lock"):
        first.renew_lease()
    second.renew_lease()


def test_a_run_may_write_all_streams(open_runs: OpenRuns) -> None:
    """Each lock of PostgreSQL occupies a connection while the run lasts."""
    runs = open_runs("a")
    for stream in WRITABLE:
        runs.start(stream)
    runs.end()


def test_a_symbolic_link_leads_to_the_same_lock(tmp_path: Path) -> None:
    """The second run names the ledger by another path."""
    (tmp_path / "link.db").symlink_to(tmp_path / "ledger.db")
    databases = [LedgerDatabase(f"sqlite:///{tmp_path}/{name}.db") for name in ("ledger", "link")]
    first, second = (RunMarkers(database, "a", str(number)) for number, database in enumerate(databases))
    first.start("customers")
    with pytest.raises(RunLocked):
        second.start("customers")
    first.close()
    for database in databases:
        database.close()


def test_addresses_of_one_postgresql_database_lead_to_the_same_lock(postgres: str) -> None:
    """A socket in a folder that has two names, a parameter, another search path: the lock is the database's."""
    with tempfile.TemporaryDirectory() as folder:  # short, since the path of a socket is
        link = Path(folder) / "link"
        link.symlink_to(postgres.partition("host=")[2])
        other = postgres.replace("postgresql:", "postgresql+psycopg:").partition("host=")[0] + f"host={link}"
        databases = [LedgerDatabase(url) for url in (postgres, other, f"{other}&options=-csearch_path%3Dpublic")]
        first, *others = (RunMarkers(database, "same", str(number)) for number, database in enumerate(databases))
        first.start("customers")
        for runs in others:
            with pytest.raises(RunLocked):
                runs.start("customers")
        for runs in (first, *others):
            runs.close()
        for database in databases:
            database.close()


def test_keys_of_different_kinds_do_not_collide(open_ledger: OpenLedger) -> None:
    """The external_id `5` and the FieldPulse id 5 are two keys."""
    ledger = open_ledger("a")
    ledger.upsert(key_of("5"), row_id=1, parent_ids={})
    row_key = LedgerKey("customers", KeyKind.ROW_ID, "5")
    ledger.upsert(row_key, row_id=5, parent_ids={})
    assert [ledger.find(key).row_id for key in (key_of("5"), row_key)] == [1, 5]  # type: ignore[union-attr]
    assert ledger.row_count("customers") == 2


def test_many_keys_are_found_at_once(open_ledger: OpenLedger) -> None:
    """They are of two kinds, some have no entry, and some that are not asked for have one, as in another stream."""
    ledger = open_ledger("a")
    keys = [key_of(str(number)) for number in range(150)]
    keys += [LedgerKey("customers", KeyKind.ROW_ID, "5"), key_of("150")]
    for number, key in enumerate(keys):
        ledger.upsert(key, row_id=number, parent_ids={})
    asked = [*keys[50:], key_of("missing"), key_of("60", "jobs"), LedgerKey("customers", KeyKind.ROW_ID, "6")]
    assert ledger.find_all(asked) == {key: ledger.find(key) for key in keys[50:]}
    assert ledger.find_all([]) == {}


def test_accounts_and_streams_are_separate(open_ledger: OpenLedger) -> None:
    """The same key in two accounts, or in two streams, belongs to two entries."""
    open_ledger("a").upsert(key_of("1"), row_id=5, parent_ids={})
    assert open_ledger("b").find(key_of("1")) is None
    assert open_ledger("a").find(key_of("1", "jobs")) is None
    assert open_ledger("a").is_claimed("customers", 5)
    assert not open_ledger("b").is_claimed("customers", 5)


def test_a_stream_of_an_account_is_locked_by_one_run_at_a_time(open_runs: OpenRuns) -> None:
    """The error names the process that locked the stream. Other streams and accounts stay unlocked."""
    first, second = open_runs("a"), open_runs("a")
    first.start("customers")
    with pytest.raises(RunLocked, match=f"The ledger is locked by another run .process {os.getpid()}") as caught:
        second.start("customers")
    assert caught.value.exit_status == 4
    assert "customers" in caught.value.where
    second.start("jobs")
    open_runs("b").start("customers")
    first.close()
    second.start("customers")


def test_a_run_knows_whether_the_one_before_it_was_killed(open_runs: OpenRuns, monkeypatch: pytest.MonkeyPatch) -> None:
    """A killed run may have left requests in flight. A run that ended has left none."""
    now = 1000.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    killed = open_runs("a")
    killed.start("customers")
    killed.close()
    after_kill = open_runs("a")
    after_kill.lock("customers")
    assert after_kill.killed_before is None
    after_kill.start("customers")
    assert after_kill.killed_before is not None
    now += 60
    after_kill.end()
    after_kill.close()
    after_end = open_runs("a")
    after_end.start("customers")
    assert after_end.killed_before is None


def test_a_killed_run_is_waited_for_by_every_run_that_follows_at_once(
    open_runs: OpenRuns, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run may end within a second, and the next one may be the first that gets the record of the killed run."""
    now = 1000.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    killed = open_runs("a")
    killed.start("customers")
    killed.close()
    for seconds, is_waited_for in ((1, True), (5, True), (1, False)):
        following = open_runs("a")
        following.start("customers")
        assert (following.killed_before is not None) == is_waited_for
        now += seconds
        following.end()
        following.close()


def test_a_ledger_of_a_newer_version_is_refused(url: str) -> None:
    """An older target must not write to tables of an unknown version."""
    with _connected(url) as connection:
        connection.execute(text("create table fieldpulse_ledger_9 (account varchar(64))"))
    try:
        with pytest.raises(ConfigError, match="newer version"):
            LedgerDatabase(url)
    finally:
        with _connected(url) as connection:
            connection.execute(text("drop table fieldpulse_ledger_9"))


def test_entries_and_run_markers_move_to_the_account_id_once_it_is_known(url: str, prefix: str) -> None:
    """Until the account id is known, the account is named after its address."""
    with closing(LedgerDatabase(url)) as database:
        Ledger(database, f"{prefix}-address").upsert(key_of("k"), row_id=9, parent_ids={})
        early_runs = RunMarkers(database, f"{prefix}-address", "early")
        early_runs.start("customers")
        early_runs.close()
        late = Ledger(database, f"{prefix}-200001", former_account=f"{prefix}-address")
        assert late.find(key_of("k"))
        late_runs = RunMarkers(database, f"{prefix}-200001", "late")
        late_runs.start("customers")
        late_runs.close()
        assert late_runs.killed_before is not None


def test_a_run_leaves_the_ledger_in_one_file(target_config: dict[str, Any], tmp_path: Path) -> None:
    """All connections are closed, so that SQLite merges its write-ahead log and the file can be copied alone."""
    messages = singer_lines(
        schema_message("customers", "external_id", "first_name"),
        record_message("customers", external_id="one", first_name="O"),
    )
    assert run_target(target_config, messages, tmp_path).counts == {"created": 1}
    assert not list(tmp_path.glob("ledger.db-*"))


def test_the_ledger_file_is_private_and_contains_no_api_key_or_personal_data(
    sandbox: Sandbox, target_config: dict[str, Any], tmp_path: Path
) -> None:
    """It contains ids, ledger keys and hashes."""
    messages = singer_lines(
        schema_message("customers", "external_id", "first_name", "email", "phone"),
        record_message(
            "customers", external_id="lead-1", first_name="Canaryname", email="canary@example.com", phone="+12145550199"
        ),
    )
    run_target(target_config, messages, tmp_path)
    content = b"".join(path.read_bytes() for path in tmp_path.glob("ledger.db*"))
    assert b"lead-1" in content
    for secret in ("Canaryname", "canary@example.com", "2145550199", sandbox.key):
        assert secret.encode() not in content
    assert (tmp_path / "ledger.db").stat().st_mode & 0o777 == 0o600


def test_an_older_copy_of_the_ledger_ends_the_run_before_it_sends_anything(
    sandbox: Sandbox, target_config: dict[str, Any], tmp_path: Path
) -> None:
    """Once the user has removed the file of the lock, the rows that the copy lacks are matched, not created again."""
    path, messages = tmp_path / "ledger.db", [schema_message("customers", "external_id", "first_name", "email")]
    for key in ("a", "b"):
        messages.append(record_message("customers", external_id=key, first_name="O", email=f"{key}@example.com"))
        shutil.copy(path, tmp_path / "copy.db") if path.exists() else None
        assert run_target(target_config, singer_lines(*messages), tmp_path).counts["created"] == 1
    shutil.copy(tmp_path / "copy.db", path)
    sandbox.requests.clear()
    result = run_target(target_config, singer_lines(*messages), tmp_path)
    assert (result.status, "The ledger is an older copy" in result.stderr) == (2, True)
    assert {request.method for request in sandbox.requests} == {"GET"}
    for lock in tmp_path.glob("ledger.db.*.lock"):
        lock.unlink()
    assert run_target(target_config, singer_lines(*messages), tmp_path).counts == {"unchanged": 2}


def test_a_run_that_is_killed_while_it_takes_the_marker_leaves_no_older_copy(url: str, open_runs: OpenRuns) -> None:
    """Also not a command of the user that locks the stream, and not a new ledger."""
    first = open_runs("a")
    first.start("customers")
    first.close()
    for path in Path(url.removeprefix("sqlite:///")).parent.glob("*.lock"):  # as it is before the marker is committed
        path.write_text(f"{path.read_text()}\nrun-killed")
    command = open_runs("a")
    command.lock("customers")
    command.close()
    second = open_runs("a")
    second.start("customers")
    second.close()
    open_runs("a").start("customers")


def test_a_run_works_on_postgresql(
    postgres: str, sandbox: Sandbox, target_config: dict[str, Any], tmp_path: Path
) -> None:
    """Transactions of several keys run at once, and each record has its entry, its audit row and what was sent."""
    records = [record_message("customers", external_id=f"pg{number}", first_name="Postgres") for number in range(60)]
    messages = singer_lines(schema_message("customers", "external_id", "first_name"), *records)
    config = target_config | {"ledger_url": postgres}
    assert run_target(config, messages, tmp_path).counts == {"created": 60}
    assert run_target(config, messages, tmp_path).counts == {"unchanged": 60}
    row_ids = {row["id"] for row in customers_named(sandbox, "Postgres")}
    assert len(row_ids) == 60
    with _connected(postgres) as connection:
        for table, condition in ((ENTRIES, ENTRIES.c.status == "written"), (AUDIT, AUDIT.c.outcome == "created")):
            is_own = table.c.source_key.like("pg%"), condition
            assert sorted(connection.scalars(select(table.c.row_id).where(*is_own))) == sorted(row_ids)
        sent = connection.scalars(select(WRITTEN_ROWS.c.row_id).where(WRITTEN_ROWS.c.row_id.in_(row_ids)))
        assert set(sent) == row_ids


@pytest.mark.parametrize(
    "ledger_url", ["nonsense", "sqlite:////proc/nowhere/ledger.db", "postgresql://127.0.0.1:1/x", "oracle9://x"]
)
def test_a_ledger_that_cannot_be_opened_names_its_setting(ledger_url: str) -> None:
    """The error does not show the URL, because it may contain a password."""
    with pytest.raises(ConfigError) as caught:
        LedgerDatabase(ledger_url)
    assert "ledger_url" in caught.value.where
    assert ledger_url not in str(caught.value)


def test_a_session_of_postgresql_has_limits_and_loses_no_commit(postgres: str) -> None:
    """The role's commits are asynchronous, and its sessions may not be idle, although they hold the locks of streams.

    A connection that was dropped all the same is replaced, if it was idle for a second.
    """
    role = "-csynchronous_commit=off -cidle_session_timeout=1000 -cidle_in_transaction_session_timeout=1000"
    with closing(LedgerDatabase(f"{postgres}&options={quote(role)}")) as database:
        with database.begin() as connection:
            limits_of_idleness = ("idle_session_timeout", "idle_in_transaction_session_timeout")
            assert [connection.scalar(text(f"show {name}")) for name in limits_of_idleness] == ["0", "0"]
            names = ("lock_timeout", "statement_timeout", "synchronous_commit")
            values = [connection.scalar(text(f"show {name}")) for name in names]
            process = connection.scalar(text("select pg_backend_pid()"))
        assert values == ["30s", "2min", "on"]
        with _connected(postgres) as connection:
            connection.execute(text(f"select pg_terminate_backend({process})"))
        time.sleep(1.1)
        with database.begin() as connection:
            assert connection.scalar(text("show synchronous_commit")) == "on"


def test_postgresql_looks_again_at_a_ledger_that_has_grown(postgres: str) -> None:
    """A key is looked up by the primary key, also before autovacuum has seen the entries, as after a restore."""
    with closing(LedgerDatabase(postgres)) as database, database.begin() as connection:
        connection.execute(text("alter table fieldpulse_ledger_1 set (autovacuum_enabled = off)"))
        connection.execute(text("analyze fieldpulse_ledger_1"))
        connection.execute(
            text(
                "insert into fieldpulse_ledger_1 select 'grown', 'customers', 'external_id', n::text, 'written', n, "
                "'{}', '{}', '{}', 0, 0 from generate_series(1, 5000) as n"
            )
        )
    with closing(LedgerDatabase(postgres)) as database, database.begin() as connection:
        query = "select * from fieldpulse_ledger_1 where account = 'grown' and stream = 'customers'"
        plan = connection.scalar(text(f"explain {query} and kind = 'external_id' and source_key = '7'"))
        connection.execute(text("delete from fieldpulse_ledger_1 where account = 'grown'"))
        connection.execute(text("alter table fieldpulse_ledger_1 reset (autovacuum_enabled)"))
    assert "using fieldpulse_ledger_1_pkey" in str(plan)
