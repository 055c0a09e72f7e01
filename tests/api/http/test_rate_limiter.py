"""Tests of the rate limiter: any sliding second, several processes, pauses, suspensions and reboots."""

from __future__ import annotations

import logging
import multiprocessing
import os
from collections.abc import Callable, Iterator
from itertools import chain, pairwise
from pathlib import Path

import pytest

from fieldpulse_api.errors import ConfigError
from fieldpulse_api.http.api_key import ApiKey
from fieldpulse_api.http.rate_limiter import ProcessRateLimiter, RateLimiter, SharedFileRateLimiter, rate_limit_path
from fieldpulse_api.http.settings import ClientSettings


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
    """A container whose CPU is throttled for 100 ms does not wait for ever."""
    clock = Clock()
    limiter = make_limiter(45, clock)
    limiter._sleep = lambda seconds: clock.sleep(seconds + 0.1)
    for _ in range(5):
        limiter.acquire()
    assert clock.now < 1005


def test_a_file_from_before_a_reboot_delays_no_request(tmp_path: Path) -> None:
    """The monotonic clock restarts at a reboot, so the times in the file are days ahead of it."""
    before, after = Clock(500_000.0), Clock(10.0)
    SharedFileRateLimiter(10, tmp_path / "b", clock=before, sleep=before.sleep).pause(50)
    SharedFileRateLimiter(10, tmp_path / "b", clock=after, sleep=after.sleep).acquire()
    assert after.now == 10.0


def test_two_limiters_with_the_same_file_share_its_slots(tmp_path: Path) -> None:
    """FieldPulse applies the limit to the key, whether the tap or the target sends."""
    clock = Clock()
    pair = [SharedFileRateLimiter(10, tmp_path / "b", clock=clock, sleep=clock.sleep) for _ in range(2)]
    times = []
    for index in range(20):
        pair[index % 2].acquire()
        times.append(clock.now)
    gaps = [after - before for before, after in pairwise(times)]
    assert min(gaps) == pytest.approx(0.1)


def test_processes_share_the_slots(tmp_path: Path) -> None:
    """Three processes that reserve at full speed get distinct slots, an interval apart."""
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
    """The file and its folder are private, because other users can list the parent folder."""
    path = rate_limit_path("the-key")
    assert "the-key" not in str(path)
    assert path != rate_limit_path("another-key")
    ClientSettings(api_key=ApiKey("private-test")).rate_limiter()
    created = rate_limit_path("private-test")
    assert created.stat().st_mode & 0o777 == 0o600
    assert created.parent.stat().st_mode & 0o777 == 0o700
    created.unlink()


@pytest.mark.parametrize("name", ["TMPDIR", "HOME", "XDG_RUNTIME_DIR"])
def test_a_key_has_the_same_file_in_every_environment(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Cron jobs, services and shells differ in these variables, and configurations in the spelling of the URL."""
    caplog.set_level(logging.DEBUG)
    for url in ("https://api.test/stage", "https://API.test:443/stage/"):
        ClientSettings(api_key=ApiKey("private-test"), api_url=url).rate_limiter()
        monkeypatch.setenv(name, str(tmp_path))
    paths = {record.getMessage().split()[-1] for record in caplog.records}
    assert paths == {str(rate_limit_path("private-test"))}
    rate_limit_path("private-test").unlink()


def test_a_file_that_cannot_be_opened_is_a_config_error(tmp_path: Path) -> None:
    """The error names the setting."""
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError) as caught:
        SharedFileRateLimiter(10, tmp_path / "file" / "rate-limit")
    assert "rate_limit_store" in caught.value.where


def test_a_symbolic_link_is_not_followed(tmp_path: Path) -> None:
    """Every user can write to the parent folder, so a link could lead to any file."""
    (tmp_path / "victim").write_text("untouched")
    (tmp_path / "rate-limit").symlink_to(tmp_path / "victim")
    with pytest.raises(ConfigError):
        SharedFileRateLimiter(10, tmp_path / "rate-limit")
    assert (tmp_path / "victim").read_text() == "untouched"


@pytest.mark.parametrize("trap", ["folder link", "open folder", "hard link", "pipe", "open file"])
def test_nothing_that_others_prepared_is_used(tmp_path: Path, trap: str) -> None:
    """The name of the folder is predictable: the file behind it may be the user's own ledger."""
    ledger, folder = tmp_path / "ledger.db", tmp_path / "fieldpulse-0"
    ledger.write_text("SQLite format 3")
    ledger.chmod(0o600)
    (tmp_path / "own").mkdir(mode=0o700)
    if trap == "folder link":
        folder.symlink_to(tmp_path / "own")
    else:
        folder.mkdir(mode=0o700)
    if trap == "open folder":
        folder.chmod(0o770)
    if trap == "hard link":
        (folder / "rate-limit").hardlink_to(ledger)
    if trap == "pipe":
        os.mkfifo(folder / "rate-limit", 0o600)
    if trap == "open file":
        (folder / "rate-limit").touch(mode=0o600)
        (folder / "rate-limit").chmod(0o666)
    with pytest.raises(ConfigError, match="cannot be opened"):
        SharedFileRateLimiter(10, folder / "rate-limit")
    assert ledger.read_text() == "SQLite format 3"


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
