"""The snapshot: a generation counts once the state that names it is returned; until then the earlier one counts."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from fieldpulse_api.errors import ConfigError, RunLocked
from tap_fieldpulse.changes.snapshot import Snapshot, StreamSnapshot


@pytest.fixture
def snapshot(url: str, request: pytest.FixtureRequest) -> Iterator[Snapshot]:
    """Open a snapshot for an account that only this test uses."""
    store = Snapshot(url, request.node.name[:60])
    yield store
    store.close()


def begin(snapshot: Snapshot, token: int | None, *, has_state: bool = False) -> StreamSnapshot:
    return snapshot.open_stream("jobs", token, has_state=has_state)


def finish(stream: StreamSnapshot, *, is_full_list: bool = True, is_emitted: bool = True) -> int:
    stream.commit(is_full_list=is_full_list)
    if is_emitted:
        stream.on_state_emitted()
    stream.close()
    return stream.generation


def test_a_generation_counts_once_the_state_names_it(snapshot: Snapshot) -> None:
    """It contains new rows, changed rows, and no deleted rows."""
    stream = begin(snapshot, None)
    stream.upsert({1: b"a", 2: b"b", 3: None})
    token = finish(stream)
    stream = begin(snapshot, token)
    assert stream.row_ids() == {1, 2, 3}
    assert stream.read_bodies([1, 2, 3, 4]) == {1: b"a", 2: b"b", 3: None}
    assert stream.has_baseline
    stream.upsert({1: b"A", 4: b"d"})
    stream.mark_deleted([2])
    assert stream.row_ids() == {1, 3, 4}
    assert stream.read_bodies([1, 2]) == {1: b"A"}
    later = finish(stream)
    stream = begin(snapshot, later)
    assert stream.read_bodies(range(9)) == {1: b"A", 3: None, 4: b"d"}
    finish(stream)


def test_a_generation_that_the_state_does_not_name_is_discarded(snapshot: Snapshot) -> None:
    """If the target fails before it stores the state, the snapshot returns to the generation before that run."""
    stream = begin(snapshot, None)
    stream.upsert({1: b"a", 2: b"b"})
    token = finish(stream)
    stream = begin(snapshot, token)
    stream.upsert({1: b"A", 3: b"c"})
    stream.mark_deleted([2])
    finish(stream)
    stream = begin(snapshot, token)
    assert stream.read_bodies(range(9)) == {1: b"a", 2: b"b"}
    assert stream.generation == token + 1
    finish(stream)


def test_a_generation_that_was_not_committed_is_discarded(snapshot: Snapshot) -> None:
    """A killed run leaves the snapshot as it was."""
    token = finish(begin(snapshot, None))
    stream = begin(snapshot, token)
    stream.upsert({1: b"a"})
    stream.close()
    stream = begin(snapshot, token)
    assert stream.row_ids() == set()
    stream.close()


def test_without_a_state_the_last_emitted_generation_counts(snapshot: Snapshot) -> None:
    """A generation whose state was never emitted does not count."""
    stream = begin(snapshot, None)
    stream.upsert({1: b"a"})
    finish(stream)
    stream = begin(snapshot, None)
    assert stream.row_ids() == {1}
    stream.upsert({2: b"b"})
    finish(stream, is_emitted=False)
    stream = begin(snapshot, None)
    assert stream.row_ids() == {1}
    finish(stream)


def test_a_state_that_names_no_generation_discards_all(snapshot: Snapshot) -> None:
    """The run before was the first with a snapshot, and the target failed before it stored the state."""
    stream = begin(snapshot, None, has_state=True)
    stream.upsert({1: b"a"})
    finish(stream)
    stream = begin(snapshot, None, has_state=True)
    assert stream.row_ids() == set()
    assert not stream.has_baseline
    finish(stream)


@pytest.mark.parametrize("token", [0, 1, 10**9, -5])
def test_an_unknown_generation_discards_no_confirmed_rows(snapshot: Snapshot, token: int) -> None:
    """Confirmed rows stay with an old state, and with the state of another snapshot."""
    state = None
    for number in range(3):
        stream = begin(snapshot, state)
        stream.upsert({number: b"x"})
        state = finish(stream)
    finish(begin(snapshot, state))
    stream = begin(snapshot, token)
    assert stream.row_ids() == {0, 1, 2}
    finish(stream)


def test_a_first_generation_that_was_not_emitted_has_no_baseline(snapshot: Snapshot) -> None:
    """The full list is read again."""
    stream = begin(snapshot, None)
    stream.upsert({1: b"a"})
    token = finish(stream, is_emitted=False)
    again = begin(snapshot, None)
    assert not again.has_baseline
    again.close()
    assert token == again.generation


def test_a_row_that_is_stored_twice_exists_once(snapshot: Snapshot) -> None:
    """A run may read a row twice, and may store many rows at once."""
    stream = begin(snapshot, None)
    stream.upsert(dict.fromkeys(range(1200), b"a"))
    stream.mark_deleted([7])
    stream.upsert({7: b"b"})
    assert len(stream.row_ids()) == 1200
    assert stream.read_bodies([7]) == {7: b"b"}
    finish(stream)


def test_accounts_and_streams_are_separate(url: str) -> None:
    """One database may contain the snapshots of several accounts."""
    for account, stream in (("one", "jobs"), ("one", "customers"), ("two", "jobs")):
        snapshot = Snapshot(url, f"{account}-apart")
        part = snapshot.open_stream(stream, None, has_state=False)
        assert part.row_ids() == set()
        part.upsert({1: b"a"})
        finish(part)
        snapshot.close()


def test_one_run_at_a_time_opens_the_snapshot_of_an_account(url: str) -> None:
    """The second run fails with RunLocked. PostgreSQL locks one account, a file is locked for all accounts."""
    first = Snapshot(url, "held")
    with pytest.raises(RunLocked) as caught:
        Snapshot(url, "held")
    assert "snapshot" in caught.value.what
    if url.startswith("postgresql"):
        Snapshot(url, "free").close()
    first.close()
    Snapshot(url, "held").close()


@pytest.mark.parametrize("url", ["sqlite://", "nonsense", "mysql+nothing://x/y", "sqlite:////proc/nowhere/s.db"])
def test_a_store_that_cannot_be_opened_is_a_configuration_error(url: str) -> None:
    """The error names the setting, and not the URL, which may contain a password."""
    with pytest.raises(ConfigError) as caught:
        Snapshot(url, "account")
    assert "snapshot_url" in caught.value.where


def test_a_run_that_lost_its_lock_stores_nothing_more(snapshot: Snapshot) -> None:
    """Another run has opened the stream: what it has seen is not stored."""
    token = finish(begin(snapshot, None))
    first = begin(snapshot, token)
    second = begin(snapshot, token)
    first.upsert({1: b"first"})
    with pytest.raises(RunLocked, match="lost its lock") as caught:
        first.commit(is_full_list=True)
    assert caught.value.exit_status == 4
    second.upsert({1: b"second"})
    second.commit(is_full_list=True)
    with pytest.raises(RunLocked):
        first.on_state_emitted()
    first.close()
    second.on_state_emitted()
    second.close()
    stream = begin(snapshot, second.generation)
    assert stream.read_bodies([1]) == {1: b"second"}
    finish(stream)
