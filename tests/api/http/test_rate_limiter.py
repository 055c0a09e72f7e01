"""The rate limit holds in any second, among threads and processes, through pauses, suspensions and reboots."""

from __future__ import annotations

import logging
import multiprocessing
from collections.abc import Callable, Iterator
from itertools import chain, pairwise
from pathlib import Path

import pytest

from fieldpulse_api.errors import ConfigError
from fieldpulse_api.http.api_key import ApiKey
from fieldpulse_api.http.rate_limiter import ProcessRateLimiter, RateLimiter, SharedFileRateLimiter, rate_limit_path
from fieldpulse_api.http.settings import ClientSettings


class Clock:
    """A clock that only sleeping moves."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


Make = Callable[[float, Clock], RateLimiter]


@pytest.fixture(params=["memory", "file"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Make]:
    """Make limiters of either store; those of one test share their slots."""
    if request.param == "memory":
        yield lambda rate, clock: ProcessRateLimiter(rate, clock=clock, sleep=clock.sleep)
    else:
        yield lambda rate, clock: SharedFileRateLimiter(rate, tmp_path / "limiter", clock=clock, sleep=clock.sleep)


def test_no_sliding_second_holds_more_than_the_rate(make: Make) -> None:
    """Slots, unlike windows, leave no second in which a burst fits."""
    clock = Clock()
    limiter = make(45, clock)
    times = [(limiter.acquire(), clock.now)[1] for _ in range(200)]
    assert max(sum(begin <= one < begin + 1 for one in times) for begin in times) <= 45


def test_an_idle_limiter_saves_nothing_up(make: Make) -> None:
    """After an hour without requests there is no burst."""
    clock = Clock()
    limiter = make(10, clock)
    limiter.acquire()
    clock.now += 3600
    times = [(limiter.acquire(), clock.now)[1] for _ in range(3)]
    assert [round(one - times[0], 6) for one in times] == [0.0, 0.1, 0.2]


def test_a_pause_holds_for_all(make: Make) -> None:
    """A 429 for one request is a 429 for the key."""
    clock = Clock()
    limiter = make(10, clock)
    limiter.pause(5)
    limiter.acquire()
    assert clock.now == pytest.approx(1005)


def test_a_pause_overrides_a_slot_that_was_reserved_before() -> None:
    """A request that sleeps until its slot does not start inside the pause."""
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


def test_a_slot_that_expired_while_the_process_was_suspended_is_not_used(tmp_path: Path) -> None:
    """SIGSTOP between reserving and sending must not put two requests into one slot."""
    clock = Clock()
    others: list[float] = []
    other = SharedFileRateLimiter(10, tmp_path / "b", clock=clock, sleep=clock.sleep)

    def be_stopped(seconds: float) -> None:
        clock.sleep(seconds)
        if not others:
            clock.sleep(2.0)
            other.acquire()
            others.append(clock.now)

    SharedFileRateLimiter(10, tmp_path / "b", clock=clock, sleep=be_stopped).acquire()
    assert clock.now - others[0] == pytest.approx(0.1)


def test_a_machine_that_is_always_late_makes_progress(make: Make) -> None:
    """A container that loses its processor every 100 ms must not wait for ever."""
    clock = Clock()
    limiter = make(45, clock)
    limiter._sleep = lambda seconds: clock.sleep(seconds + 0.1)
    for _ in range(5):
        limiter.acquire()
    assert clock.now < 1005


def test_a_file_from_before_a_reboot_does_not_block(tmp_path: Path) -> None:
    """The monotonic clock restarts at a reboot, and the values in the file are days ahead of it."""
    late, early = Clock(500_000.0), Clock(10.0)
    SharedFileRateLimiter(10, tmp_path / "b", clock=late, sleep=late.sleep).pause(50)
    SharedFileRateLimiter(10, tmp_path / "b", clock=early, sleep=early.sleep).acquire()
    assert early.now == 10.0


def test_two_limiters_of_one_file_share_its_slots(tmp_path: Path) -> None:
    """Tap and target with one key are one client to FieldPulse."""
    clock = Clock()
    pair = [SharedFileRateLimiter(10, tmp_path / "b", clock=clock, sleep=clock.sleep) for _ in range(2)]
    times = []
    for number in range(20):
        pair[number % 2].acquire()
        times.append(clock.now)
    gaps = [after - before for before, after in pairwise(times)]
    assert min(gaps) == pytest.approx(0.1)


def test_processes_share_the_slots(tmp_path: Path) -> None:
    """Three processes that reserve as fast as they can get distinct slots, one interval apart."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(3) as pool:
        slots = sorted(chain.from_iterable(pool.map(_reserve, [str(tmp_path / "b")] * 3)))
    gaps = [after - before for before, after in pairwise(slots)]
    assert len(slots) == 150
    assert min(gaps) >= 0.001 - 1e-9


def _reserve(path: str) -> list[float]:
    limiter = SharedFileRateLimiter(1000, Path(path))
    return [limiter._reserve() for _ in range(50)]


def test_the_file_is_private_and_does_not_name_the_key() -> None:
    """Other users can list the folder that the file's folder is in."""
    path = rate_limit_path("the-key")
    assert "the-key" not in str(path)
    assert path != rate_limit_path("another-key")
    ClientSettings(api_key=ApiKey("private-test")).rate_limiter()
    created = rate_limit_path("private-test")
    assert created.stat().st_mode & 0o777 == 0o600
    assert created.parent.stat().st_mode & 0o777 == 0o700
    created.unlink()


@pytest.mark.parametrize("name", ["TMPDIR", "HOME", "XDG_RUNTIME_DIR"])
def test_one_key_has_one_file_in_every_environment(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A cron job, a service and a shell differ in these variables, and a copied configuration in the URL."""
    caplog.set_level(logging.DEBUG)
    for url in ("https://api.test/stage", "https://API.test:443/stage/"):
        ClientSettings(api_key=ApiKey("private-test"), api_url=url).rate_limiter()
        monkeypatch.setenv(name, str(tmp_path))
    paths = {record.getMessage().split()[-1] for record in caplog.records}
    assert paths == {str(rate_limit_path("private-test"))}
    rate_limit_path("private-test").unlink()


def test_a_file_that_cannot_be_opened_is_explained(tmp_path: Path) -> None:
    """The error names the setting and the path."""
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError) as caught:
        SharedFileRateLimiter(10, tmp_path / "file" / "rate-limit")
    assert "rate_limit_store" in caught.value.where


def test_a_symbolic_link_is_not_followed(tmp_path: Path) -> None:
    """The file's folder is in one that every user can write to: a link could lead to any file."""
    (tmp_path / "victim").write_text("untouched")
    (tmp_path / "rate-limit").symlink_to(tmp_path / "victim")
    with pytest.raises(ConfigError):
        SharedFileRateLimiter(10, tmp_path / "rate-limit")
    assert (tmp_path / "victim").read_text() == "untouched"


def test_a_pause_that_another_process_began_is_logged_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A run that stands still says why. Its own 429s have lines of the client, and waits below a second have none."""
    caplog.set_level(logging.INFO)
    clock = Clock()
    ours, other = (SharedFileRateLimiter(10, tmp_path / "b", clock=clock, sleep=clock.sleep) for _ in range(2))
    for limiter, seconds in ((other, 0.9), (other, 5), (ours, 7)):
        limiter.pause(seconds)
        ours.acquire()
        ours.acquire()
    assert [record.getMessage().split(":")[0] for record in caplog.records] == ["Waiting 5.0 s"]
