"""What a run keeps counts once the state that names it came back; until then it is as if the run had not been."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from fieldpulse_api.errors import ConfigError, RunLocked
from tap_fieldpulse.changes.snapshot import Snapshot, StreamSnapshot


@pytest.fixture
def snapshot(url: str, request: pytest.FixtureRequest) -> Iterator[Snapshot]:
    """Open a store for an account of the test's own."""
    store = Snapshot(url, request.node.name[:60])
    yield store
    store.close()


def begin(snapshot: Snapshot, token: int | None, *, has_state: bool = False) -> StreamSnapshot:
    return snapshot.open_stream("jobs", token, has_state=has_state)


def finish(stream: StreamSnapshot, *, whole: bool = True, left: bool = True) -> int:
    stream.commit(is_full_list=whole)
    if left:
        stream.on_state_emitted()
    stream.close()
    return stream.generation


def test_a_generation_counts_when_its_token_comes_back(snapshot: Snapshot) -> None:
    """Rows, changed rows and gone rows."""
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


def test_what_the_state_does_not_name_never_was(snapshot: Snapshot) -> None:
    """The target died before it stored the state: everything is as it was before that run."""
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


def test_a_run_that_was_killed_never_was(snapshot: Snapshot) -> None:
    """It did not finish."""
    token = finish(begin(snapshot, None))
    stream = begin(snapshot, token)
    stream.upsert({1: b"a"})
    stream.close()
    stream = begin(snapshot, token)
    assert stream.row_ids() == set()
    stream.close()


def test_without_a_token_the_last_that_left_counts(snapshot: Snapshot) -> None:
    """A run that ended, but whose state never left, does not."""
    stream = begin(snapshot, None)
    stream.upsert({1: b"a"})
    finish(stream)
    stream = begin(snapshot, None)
    assert stream.row_ids() == {1}
    stream.upsert({2: b"b"})
    finish(stream, left=False)
    stream = begin(snapshot, None)
    assert stream.row_ids() == {1}
    finish(stream)


def test_a_state_that_names_no_generation_takes_none_for_granted(snapshot: Snapshot) -> None:
    """The run before was the first with a snapshot, and the target died before it stored the state."""
    stream = begin(snapshot, None, has_state=True)
    stream.upsert({1: b"a"})
    finish(stream)
    stream = begin(snapshot, None, has_state=True)
    assert stream.row_ids() == set()
    assert not stream.has_baseline
    finish(stream)


@pytest.mark.parametrize("token", [0, 1, 10**9, -5])
def test_a_token_of_another_time_takes_nothing_back(snapshot: Snapshot, token: int) -> None:
    """An old state, or one of another store: what was taken once stays."""
    state = None
    for number in range(3):
        stream = begin(snapshot, state)
        stream.upsert({number: b"x"})
        state = finish(stream)
    finish(begin(snapshot, state))
    stream = begin(snapshot, token)
    assert stream.row_ids() == {0, 1, 2}
    finish(stream)


def test_a_first_filling_that_was_not_taken_is_none(snapshot: Snapshot) -> None:
    """The list is read whole again."""
    stream = begin(snapshot, None)
    stream.upsert({1: b"a"})
    token = finish(stream, left=False)
    again = begin(snapshot, None)
    assert not again.has_baseline
    again.close()
    assert token == again.generation


def test_rows_that_are_put_twice_are_there_once(snapshot: Snapshot) -> None:
    """A row may come again within a run, and many at once."""
    stream = begin(snapshot, None)
    stream.upsert(dict.fromkeys(range(1200), b"a"))
    stream.mark_deleted([7])
    stream.upsert({7: b"b"})
    assert len(stream.row_ids()) == 1200
    assert stream.read_bodies([7]) == {7: b"b"}
    finish(stream)


def test_accounts_and_streams_do_not_see_each_other(url: str) -> None:
    """One database may hold them all."""
    for account, stream in (("one", "jobs"), ("one", "customers"), ("two", "jobs")):
        snapshot = Snapshot(url, f"{account}-apart")
        part = snapshot.open_stream(stream, None, has_state=False)
        assert part.row_ids() == set()
        part.upsert({1: b"a"})
        finish(part)
        snapshot.close()


def test_one_run_at_a_time_has_it(url: str) -> None:
    """Exit status 4 for the second; another account is concerned only in a file, where one can write at a time."""
    first = Snapshot(url, "held")
    with pytest.raises(RunLocked) as caught:
        Snapshot(url, "held")
    assert "snapshot" in caught.value.what
    if url.startswith("postgresql"):
        Snapshot(url, "free").close()
    first.close()
    Snapshot(url, "held").close()


@pytest.mark.parametrize("url", ["sqlite://", "nonsense", "mysql+nothing://x/y", "sqlite:////proc/nowhere/s.db"])
def test_a_store_that_cannot_be_opened_is_the_users_turn(url: str) -> None:
    """With the setting's name, and without the URL: it may hold a password."""
    with pytest.raises(ConfigError) as caught:
        Snapshot(url, "account")
    assert "snapshot_url" in caught.value.where
