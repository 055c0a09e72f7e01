"""What a run keeps counts once the state that names it came back; until then it is as if the run had not been."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from fieldpulse_api.errors import ConfigError, RunLocked
from tap_fieldpulse.changes.snapshot import Snapshot, StreamSnapshot


@pytest.fixture
def snapshot(url: str, request: pytest.FixtureRequest) -> Iterator[Snapshot]:
    """Open a store for an account of the test's own."""
    one = Snapshot(url, request.node.name[:60])
    yield one
    one.close()


def begin(snapshot: Snapshot, token: int | None, *, has_state: bool = False) -> StreamSnapshot:
    return snapshot.open_stream("jobs", token, has_state=has_state)


def finish(one: StreamSnapshot, *, whole: bool = True, left: bool = True) -> int:
    one.commit(is_full_list=whole)
    if left:
        one.on_state_emitted()
    one.close()
    return one.generation


def test_a_generation_counts_when_its_token_comes_back(snapshot: Snapshot) -> None:
    """Rows, changed rows and gone rows."""
    one = begin(snapshot, None)
    one.upsert({1: b"a", 2: b"b", 3: None})
    token = finish(one)
    one = begin(snapshot, token)
    assert one.row_ids() == {1, 2, 3}
    assert one.read_bodies([1, 2, 3, 4]) == {1: b"a", 2: b"b", 3: None}
    assert one.has_baseline
    one.upsert({1: b"A", 4: b"d"})
    one.mark_deleted([2])
    assert one.row_ids() == {1, 3, 4}
    assert one.read_bodies([1, 2]) == {1: b"A"}
    later = finish(one)
    one = begin(snapshot, later)
    assert one.read_bodies(range(9)) == {1: b"A", 3: None, 4: b"d"}
    finish(one)


def test_what_the_state_does_not_name_never_was(snapshot: Snapshot) -> None:
    """The target died before it stored the state: everything is as it was before that run."""
    one = begin(snapshot, None)
    one.upsert({1: b"a", 2: b"b"})
    token = finish(one)
    one = begin(snapshot, token)
    one.upsert({1: b"A", 3: b"c"})
    one.mark_deleted([2])
    finish(one)
    one = begin(snapshot, token)
    assert one.read_bodies(range(9)) == {1: b"a", 2: b"b"}
    assert one.generation == token + 1
    finish(one)


def test_a_run_that_was_killed_never_was(snapshot: Snapshot) -> None:
    """It did not finish."""
    token = finish(begin(snapshot, None))
    one = begin(snapshot, token)
    one.upsert({1: b"a"})
    one.close()
    one = begin(snapshot, token)
    assert one.row_ids() == set()
    one.close()


def test_without_a_token_the_last_that_left_counts(snapshot: Snapshot) -> None:
    """A run that ended, but whose state never left, does not."""
    one = begin(snapshot, None)
    one.upsert({1: b"a"})
    finish(one)
    one = begin(snapshot, None)
    assert one.row_ids() == {1}
    one.upsert({2: b"b"})
    finish(one, left=False)
    one = begin(snapshot, None)
    assert one.row_ids() == {1}
    finish(one)


def test_a_state_that_names_no_generation_takes_none_for_granted(snapshot: Snapshot) -> None:
    """The run before was the first with a snapshot, and the target died before it stored the state."""
    one = begin(snapshot, None, has_state=True)
    one.upsert({1: b"a"})
    finish(one)
    one = begin(snapshot, None, has_state=True)
    assert one.row_ids() == set()
    assert not one.has_baseline
    finish(one)


@pytest.mark.parametrize("token", [0, 1, 10**9, -5])
def test_a_token_of_another_time_takes_nothing_back(snapshot: Snapshot, token: int) -> None:
    """An old state, or one of another store: what was taken once stays."""
    state = None
    for number in range(3):
        one = begin(snapshot, state)
        one.upsert({number: b"x"})
        state = finish(one)
    finish(begin(snapshot, state))
    one = begin(snapshot, token)
    assert one.row_ids() == {0, 1, 2}
    finish(one)


def test_a_first_filling_that_was_not_taken_is_none(snapshot: Snapshot) -> None:
    """The list is read whole again."""
    one = begin(snapshot, None)
    one.upsert({1: b"a"})
    token = finish(one, left=False)
    again = begin(snapshot, None)
    assert not again.has_baseline
    again.close()
    assert token == again.generation


def test_rows_that_are_put_twice_are_there_once(snapshot: Snapshot) -> None:
    """A row may come again within a run, and many at once."""
    one = begin(snapshot, None)
    one.upsert(dict.fromkeys(range(1200), b"a"))
    one.mark_deleted([7])
    one.upsert({7: b"b"})
    assert len(one.row_ids()) == 1200
    assert one.read_bodies([7]) == {7: b"b"}
    finish(one)


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
