"""Where a run may say that it ended: what was emitted, never later than the server's clock, never back."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from fieldpulse_api.errors import ConfigError
from tap_fieldpulse.reading.bookmark import Bookmark

NOON = datetime(2026, 3, 9, 12, tzinfo=timezone.utc)
STATE = {"replication_key": "updated_at", "replication_key_value": "2026-03-09T12:00:00.000000Z"}


def bookmark(*emitted: str, old: datetime | None = None) -> Bookmark:
    result = Bookmark("updated_at", old)
    for value in emitted:
        result.observe(datetime.fromisoformat(value.replace("Z", "+00:00")))
    return result


def test_a_bookmark_is_the_newest_time_in_any_order() -> None:
    """Newest-first and by id, the result is the same."""
    newest = bookmark("2026-03-09T10:00:00.500000Z", "2026-03-09T11:00:00.000000Z", "2026-03-09T09:00:00.000000Z")
    assert newest.next_state(NOON)["replication_key_value"] == "2026-03-09T11:00:00.000000Z"


def test_a_bookmark_is_never_later_than_the_servers_clock_when_the_walk_began() -> None:
    """A row that changed during the walk is read again; so is one from a clock that runs ahead."""
    assert bookmark("2026-03-09T18:00:00.000000Z").next_state(NOON) == STATE


def test_a_bookmark_never_moves_back() -> None:
    """The newest row may have been deleted: a lookback then reads older rows only."""
    assert bookmark("2026-03-09T11:00:00.000000Z", old=NOON).next_state(NOON + timedelta(days=1)) == STATE


def test_nothing_emitted_keeps_the_bookmark_and_makes_none() -> None:
    """An empty list has no newest row."""
    assert bookmark(old=NOON).next_state(NOON) == STATE
    assert bookmark().next_state(NOON) == {}


def test_a_bookmark_at_the_beginning_of_time_can_be_looked_behind() -> None:
    """Some tool wrote the year 1 for `everything`."""
    first = datetime(1, 1, 1, tzinfo=timezone.utc)
    assert Bookmark("updated_at", first).since(None, 60) == first


@pytest.mark.parametrize(
    ("old", "start_date", "since"),
    [
        (None, None, None),
        (None, NOON, NOON),
        (NOON, None, NOON - timedelta(seconds=60)),
        (NOON, NOON - timedelta(days=9), NOON - timedelta(seconds=60)),
        (NOON, NOON + timedelta(days=9), NOON + timedelta(days=9)),
    ],
)
def test_reading_starts_at_the_bookmark_less_the_lookback_but_not_before_the_start_date(
    old: datetime | None, start_date: datetime | None, since: datetime | None
) -> None:
    """The start date is a floor, not a bookmark."""
    assert Bookmark("updated_at", old).since(start_date, 60) == since


def test_the_bookmark_of_another_column_does_not_count() -> None:
    """Somebody changed the replication key: what was read by the old one proves nothing."""
    assert Bookmark.from_state(STATE | {"replication_key": "created_at"}, "updated_at", "jobs").previous is None
    assert Bookmark.from_state(STATE, "updated_at", "jobs").previous == NOON


def test_a_state_that_cannot_be_read_is_the_users_turn() -> None:
    """A state of another tap is refused, and not taken for none."""
    with pytest.raises(ConfigError) as caught:
        Bookmark.from_state(STATE | {"replication_key_value": "page 7"}, "updated_at", "jobs")
    assert "state" in caught.value.where
