"""Tests of the rate limiter: any sliding second, pauses, suspensions, and different rates."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from fieldpulse_api.http.limits.rate_limit_file import SharedFileRateLimiter
from fieldpulse_api.http.limits.rate_limiter import ProcessRateLimiter, RateLimiter


class Clock:
    """A clock that only `sleep` advances."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


MakeLimiter = Callable[[float, Clock], RateLimiter]


@pytest.fixture(params=["memory", "file"])
def make_limiter(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[MakeLimiter]:
    """Yield a factory of limiters with either store; the limiters of a test share a file."""
    if request.param == "memory":
        yield lambda rate, clock: ProcessRateLimiter(rate, clock=clock, sleep=clock.sleep)
    else:
        yield lambda rate, clock: SharedFileRateLimiter(rate, tmp_path / "limiter", clock=clock, sleep=clock.sleep)


def test_no_sliding_second_has_more_requests_than_the_rate(make_limiter: MakeLimiter) -> None:
    """Slots at equal distances leave no room for a burst, as fixed windows would."""
    clock = Clock()
    limiter = make_limiter(45, clock)
    times = [(limiter.acquire(), clock.now)[1] for _ in range(200)]
    assert max(sum(start <= time < start + 1 for time in times) for start in times) <= 45


def test_an_idle_limiter_accumulates_no_slots(make_limiter: MakeLimiter) -> None:
    """After an hour without requests, the slots still have equal distances."""
    clock = Clock()
    limiter = make_limiter(10, clock)
    limiter.acquire()
    clock.now += 3600
    times = [(limiter.acquire(), clock.now)[1] for _ in range(3)]
    assert [round(time - times[0], 6) for time in times] == [0.0, 0.1, 0.2]


def test_a_pause_delays_the_next_slot(make_limiter: MakeLimiter) -> None:
    """A 429 applies to all requests of the key."""
    clock = Clock()
    limiter = make_limiter(10, clock)
    limiter.pause(5)
    limiter.acquire()
    assert clock.now == pytest.approx(1005)


def test_a_pause_overrides_an_earlier_reservation() -> None:
    """A request that sleeps until its slot does not start during the pause."""
    clock = Clock()
    limiter: RateLimiter

    def sleep_through_a_pause(seconds: float) -> None:
        clock.now += seconds
        if clock.now < 1003:
            limiter.pause(3)

    limiter = ProcessRateLimiter(1, clock=clock, sleep=sleep_through_a_pause)
    limiter.acquire()
    limiter.acquire()
    assert clock.now >= 1003


def test_a_slot_that_expires_during_a_suspension_is_not_used(tmp_path: Path) -> None:
    """A SIGSTOP between reservation and request does not put two requests into one slot."""
    clock = Clock()
    other_times: list[float] = []
    other = SharedFileRateLimiter(10, tmp_path / "b", clock=clock, sleep=clock.sleep)

    def sleep_with_suspension(seconds: float) -> None:
        clock.sleep(seconds)
        if not other_times:
            clock.sleep(2.0)
            other.acquire()
            other_times.append(clock.now)

    SharedFileRateLimiter(10, tmp_path / "b", clock=clock, sleep=sleep_with_suspension).acquire()
    assert clock.now - other_times[0] == pytest.approx(0.1)


def test_a_limiter_that_always_wakes_late_makes_progress(make_limiter: MakeLimiter) -> None:
    """A container whose CPU is throttled for 300 ms does not wait for ever."""
    clock = Clock()
    limiter = make_limiter(45, clock)
    limiter._sleep = lambda seconds: clock.sleep(seconds + 0.3)
    for _ in range(5):
        limiter.acquire()
    assert clock.now < 1030


def test_a_late_start_has_room_before_the_next_slot(tmp_path: Path) -> None:
    """Slots that expired are reserved again with the time that they need, so that late starts are not a burst."""
    clock = Clock()
    limiter, other = (SharedFileRateLimiter(45, tmp_path / "b", clock=clock, sleep=clock.sleep) for _ in range(2))
    other_slots: list[float] = []

    def sleep_too_long(seconds: float) -> None:
        clock.sleep(seconds)
        other_slots.append(other._reserve(1 / 45).slot)
        clock.sleep(0.3)

    limiter._sleep = sleep_too_long
    limiter.acquire()
    assert other_slots[-1] >= clock.now


def test_hundreds_that_wait_at_a_low_rate_keep_their_distance(make_limiter: MakeLimiter) -> None:
    """Slots are reserved two minutes ahead at most; whoever comes later asks again, and the state stays valid."""
    clock = Clock()
    limiter = make_limiter(0.5, clock)
    reservations = [limiter._reserve(2.0) for _ in range(400)]
    gaps = [after.slot - before.slot for before, after in pairwise(reservations)]
    assert min(gaps) >= 2.0
    assert {reservation.began_at for reservation in reservations} == {reservations[0].began_at}
    assert reservations[-1].slot == pytest.approx(clock.now + 120)


@pytest.mark.parametrize("rates", [(45, 0.01), (0.01, 45)])
def test_limiters_with_different_rates_stay_below_the_highest(tmp_path: Path, rates: tuple[float, float]) -> None:
    """After each request, the next waits for the interval of the process that sent it."""
    clock = Clock()
    limiters = [SharedFileRateLimiter(rate, tmp_path / "b", clock=clock, sleep=clock.sleep) for rate in rates]
    times = [(limiters[index % 2].acquire(), clock.now)[1] for index in range(20)]
    gaps = [after - before for before, after in pairwise(times)]
    assert gaps == pytest.approx([1 / rates[index % 2] for index in range(19)])


def test_a_pause_that_another_process_began_is_logged_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The line explains the wait. The client logs its own 429s, and waits below a second have no line."""
    caplog.set_level(logging.INFO)
    clock = Clock()
    ours, other = (SharedFileRateLimiter(10, tmp_path / "b", clock=clock, sleep=clock.sleep) for _ in range(2))
    for limiter, seconds in ((other, 0.9), (other, 5), (ours, 7)):
        limiter.pause(seconds)
        ours.acquire()
        ours.acquire()
    assert [record.getMessage().split(":")[0] for record in caplog.records] == ["Waiting 5.0 s"]
