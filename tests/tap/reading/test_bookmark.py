"""The bookmark: the newest time that was emitted, never later than the server's clock, and never moved back."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from fieldpulse_api.errors import ConfigError
from fieldpulse_api.values.scalars import to_utc
from tap_fieldpulse.reading.bookmark import Bookmark

NOON = datetime(2026, 3, 9, 12, tzinfo=timezone.utc)
STATE = {"replication_key": "updated_at", "replication_key_value": "2026-03-09T12:00:00.000000Z"}


def bookmark(*emitted: str, old: datetime | None = None) -> Bookmark:
    result = Bookmark("updated_at", old)
    for value in emitted:
        result.observe(datetime.fromisoformat(value.replace("Z", "+00:00")))
    return result


def test_a_bookmark_is_the_newest_time_in_any_order() -> None:
    """The order in which rows are read does not matter."""
    newest = bookmark("2026-03-09T10:00:00.500000Z", "2026-03-09T11:00:00.000000Z", "2026-03-09T09:00:00.000000Z")
    assert newest.next_state(NOON)["replication_key_value"] == "2026-03-09T11:00:00.000000Z"


def test_a_bookmark_is_never_later_than_the_servers_clock_at_the_start_of_the_scan() -> None:
    """A row that changed during the scan is read again, and so is a row of a clock that runs ahead."""
    assert bookmark("2026-03-09T18:00:00.000000Z").next_state(NOON) == STATE


def test_a_bookmark_never_moves_back() -> None:
    """If the newest row was deleted, the lookback reads only older rows."""
    assert bookmark("2026-03-09T11:00:00.000000Z", old=NOON).next_state(NOON + timedelta(days=1)) == STATE


def test_a_run_without_records_leaves_the_bookmark_as_it_was() -> None:
    """An empty list has no newest row."""
    assert bookmark(old=NOON).next_state(NOON) == STATE
    assert bookmark().next_state(NOON) == {}


def test_the_lookback_before_the_year_1_is_the_year_1() -> None:
    """Some tools write the year 1 to request everything."""
    first = datetime(1, 1, 1, tzinfo=timezone.utc)
    for zone in (timezone.utc, ZoneInfo("America/Chicago")):
        assert Bookmark("updated_at", first).since(None, 60, zone) == first


@pytest.mark.parametrize(
    ("bookmark_time", "hours"),
    [("2026-11-01T05:59:00", 0), ("2026-11-01T06:20:00", 1), ("2026-11-01T07:20:00", 1), ("2026-11-01T08:00:00", 0)],
)
def test_a_bookmark_in_the_repeated_hour_of_autumn_reads_that_hour_again(bookmark_time: str, hours: int) -> None:
    """In Chicago, 01:20 comes twice: at 06:20 and at 07:20 UTC. A row at the second one seems to be of the first."""
    chicago, previous = ZoneInfo("America/Chicago"), datetime.fromisoformat(f"{bookmark_time}+00:00")
    since = Bookmark("updated_at", previous).since(None, 0, chicago)
    assert since == previous - timedelta(hours=hours)
    second = to_utc("2026-11-01 01:20:00", chicago)
    assert second == datetime(2026, 11, 1, 6, 20, tzinfo=timezone.utc)
    assert hours == 0 or (since and second and since <= second)


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
    """The start date is a lower limit, not a bookmark."""
    assert Bookmark("updated_at", old).since(start_date, 60) == since


def test_the_bookmark_of_another_replication_key_is_ignored() -> None:
    """After a change of the replication key, the old bookmark proves nothing."""
    assert Bookmark.from_state(STATE | {"replication_key": "created_at"}, "updated_at", "jobs").previous is None
    assert Bookmark.from_state(STATE, "updated_at", "jobs").previous == NOON


def test_an_unreadable_bookmark_is_a_configuration_error() -> None:
    """The state of another tap is rejected. It is not treated as a missing state."""
    with pytest.raises(ConfigError) as caught:
        Bookmark.from_state(STATE | {"replication_key_value": "page 7"}, "updated_at", "jobs")
    assert "state" in caught.value.where
