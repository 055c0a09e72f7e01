"""When a pipeline counts as late: by the times at which it usually runs."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone

import pytest

from fieldpulse_cli.history.lateness import is_late

MONDAY = datetime(2026, 11, 2, tzinfo=timezone.utc)
FRIDAY, SATURDAY = 4, 5


def every(
    pause: timedelta, *, weeks: float = 4, runs_at: Callable[[datetime], bool] = lambda _: True
) -> Callable[[datetime], list[datetime]]:
    """Return a schedule: the begins until a time, the latest first, from that many weeks before 30 November on."""
    start = MONDAY + timedelta(weeks=4) - timedelta(weeks=weeks)

    def begins(until: datetime) -> list[datetime]:
        count = int((until - start) / pause) + 1
        return [time for time in (start + number * pause for number in reversed(range(count))) if runs_at(time)]

    return begins


def is_weekday(time: datetime) -> bool:
    return time.weekday() <= FRIDAY


def is_office_time(time: datetime) -> bool:
    return is_weekday(time) and 8 <= time.hour < 18


NIGHTLY = every(timedelta(days=1))
WEEKDAYS = every(timedelta(days=1), runs_at=is_weekday)
OFFICE_TIMES = every(timedelta(minutes=5), runs_at=is_office_time)
HOURLY = every(timedelta(hours=1))
WEEKLY = every(timedelta(weeks=1), weeks=8)
MONTHLY = every(timedelta(days=30), weeks=26)
NEW = every(timedelta(days=1), weeks=1)


@pytest.mark.parametrize("schedule", [NIGHTLY, WEEKDAYS, OFFICE_TIMES, HOURLY, WEEKLY, MONTHLY, NEW])
@pytest.mark.parametrize("delay", [timedelta(0), timedelta(minutes=4), timedelta(minutes=20)])
def test_a_pipeline_that_runs_as_usual_is_never_late(
    schedule: Callable[[datetime], list[datetime]], delay: timedelta
) -> None:
    """Not at night, not on a weekend, and not where the next run begins a little later than the others did."""
    pause = schedule(MONDAY + timedelta(weeks=4))[0] - schedule(MONDAY + timedelta(weeks=4))[1]
    delay = min(delay, 4 * pause)
    for hours in range(0, 24 * 14, 5):
        at = MONDAY + timedelta(weeks=4, hours=hours, minutes=59)
        assert not is_late(schedule(at - delay), at), at


@pytest.mark.parametrize(
    ("schedule", "last", "late_after_hours"),
    [
        (NIGHTLY, timedelta(weeks=4), 27),
        (WEEKDAYS, timedelta(weeks=4, days=FRIDAY), 3 * 24 + 3),
        (OFFICE_TIMES, timedelta(weeks=4, hours=9), 2),
        (OFFICE_TIMES, timedelta(weeks=4, hours=17, minutes=55), 16),
        (HOURLY, timedelta(weeks=4, days=1), 6),
        (WEEKLY, timedelta(weeks=4), 7 * 24 + 3),
        (NEW, timedelta(weeks=4), 4 * 24 + 1),
    ],
)
def test_a_pipeline_that_stops_is_late(
    schedule: Callable[[datetime], list[datetime]], last: timedelta, late_after_hours: float
) -> None:
    """Soon after its next run was due, and until it has been given up."""
    begins = schedule(MONDAY + last)
    hours = [*range(int(late_after_hours) + 1), *range(int(late_after_hours) + 1, 24 * 40, 7)]
    late = [each for each in hours if is_late(begins, begins[0] + timedelta(hours=each))]
    assert late[0] <= late_after_hours
    assert late == [each for each in hours if late[0] <= each <= 24 * 30]


def test_runs_by_hand_are_never_late() -> None:
    """Their times are not regular: there is nothing to expect."""
    minutes = [0, 2, 5, 40, 300, 301, 2000]
    begins = [MONDAY + timedelta(minutes=each) for each in reversed(minutes)]
    assert not any(is_late(begins, MONDAY + timedelta(days=days)) for days in range(2, 40))


def test_a_change_of_the_clocks_makes_nothing_late() -> None:
    """A nightly run that begins an hour later than a week ago, in UTC, is awaited."""
    begins = [MONDAY + timedelta(days=day, hours=1) for day in reversed(range(28))]
    assert not is_late(begins, MONDAY + timedelta(days=28, hours=2, minutes=10))
