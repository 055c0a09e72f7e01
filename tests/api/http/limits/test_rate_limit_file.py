"""Tests of the rate limiter's file: several processes, reboots, damage, deletion, and a holder that is stopped."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import struct
import subprocess
import sys
import time
from itertools import chain, pairwise
from pathlib import Path

import pytest

from fieldpulse_api.errors import ConfigError
from fieldpulse_api.http.api_key import ApiKey
from fieldpulse_api.http.limits.rate_limit_file import SharedFileRateLimiter, key_hash, rate_limit_path
from fieldpulse_api.http.limits.request_count_file import request_count_path
from fieldpulse_api.http.settings import ClientSettings
from tests.api.http.limits.test_rate_limiter import Clock

NAN, INF = float("nan"), float("inf")


def test_a_file_from_before_a_reboot_delays_by_a_second(tmp_path: Path) -> None:
    """The monotonic clock restarts at a reboot, so the times in the file are days ahead of it."""
    before, after = Clock(500_000.0), Clock(10.0)
    SharedFileRateLimiter(10, tmp_path / "b", clock=before, sleep=before.sleep).pause(50)
    SharedFileRateLimiter(10, tmp_path / "b", clock=after, sleep=after.sleep).acquire()
    assert after.now == 11.0


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
    return [limiter._reserve(0.001).slot for _ in range(50)]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"text",
        struct.pack("<dd", 999, 0),
        struct.pack("<ddddd", 999, 0, 999, 1, 0),
        *(
            struct.pack("<dddd", *values)
            for values in (
                *((NAN, 0, 999, 1), (999, NAN, 999, 1), (999, 0, NAN, NAN)),
                *((INF, 0, 999, 1), (999, INF, 999, 1), (INF, INF, INF, INF)),
                *((-1, 0, -1, -1), (999, -1, 999, 1), (998, 0, 999, 1)),
                *((9e9, 0, 999, 1), (9e9, 0, 9e9, 1), (999, 1061, 999, 1)),
            )
        ),
    ],
    ids=bytes.hex,
)
def test_a_damaged_file_delays_by_a_second_and_allows_no_burst(tmp_path: Path, content: bytes) -> None:
    """Requests that the file does not count any more may have started just now. Earlier reservations do not count."""
    clock = Clock()
    path = tmp_path / "b"
    limiter, other = (SharedFileRateLimiter(10, path, clock=clock, sleep=clock.sleep) for _ in range(2))
    starts: list[float] = []

    def damage(seconds: float) -> None:
        wakes_at = clock.now + seconds
        if not starts:
            clock.sleep(0.5)
            path.write_bytes(content)
            other.acquire()
            starts.append(clock.now)
        clock.now = max(clock.now, wakes_at)

    limiter._sleep = damage
    limiter.acquire()
    starts.append(clock.now)
    assert starts == pytest.approx([1001.5, 1001.6])


def test_a_deleted_file_is_replaced_by_all_that_have_it_open(tmp_path: Path) -> None:
    """Systemd deletes files of users in /dev/shm when their last session ends."""
    clock = Clock()
    limiter = SharedFileRateLimiter(10, tmp_path / "b", clock=clock, sleep=clock.sleep)
    limiter.acquire()
    (tmp_path / "b").unlink()
    limiters = [SharedFileRateLimiter(10, tmp_path / "b", clock=clock, sleep=clock.sleep), limiter]
    times = [(limiters[index % 2].acquire(), clock.now)[1] for index in range(4)]
    assert times == pytest.approx([1002, 1002.1, 1002.2, 1002.3])


_STOP = """
import os, signal, sys, time
from pathlib import Path
from fieldpulse_api.http.limits.rate_limit_file import SharedFileRateLimiter
limiter = SharedFileRateLimiter(10, Path(sys.argv[1]))
with limiter._locked_state() as state:
    state.reserve(time.monotonic() + 7, 0.1)
    os.kill(os.getpid(), signal.SIGSTOP)
limiter.acquire()
print(time.monotonic())
"""


def test_a_stopped_process_that_has_the_lock_does_not_stop_others(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """They wait for five seconds, log it, and go on with another file, which the process uses when it is continued."""
    path = tmp_path / "b"
    command = [sys.executable, "-c", _STOP, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            os.waitpid(process.pid, os.WUNTRACED)
            limiter = SharedFileRateLimiter(10, path)
            started = time.monotonic()
            limiter.acquire()
            assert 6 <= time.monotonic() - started < 30
            starts = [limiter._reserve(0.1).slot for _ in range(20)]
            process.send_signal(signal.SIGCONT)
            starts.append(float(process.communicate(timeout=60)[0]))
        finally:
            process.kill()
    assert [record.message.split(":")[0] for record in caplog.records] == [
        "Waiting for the rate limiter",
        "The rate limiter goes on without that process, with another file.",
    ]
    assert min(after - before for before, after in pairwise(starts)) >= 0.1 - 1e-6


def test_killed_processes_leave_a_file_that_works(tmp_path: Path) -> None:
    """They are killed at any instruction, also while they have the lock."""
    path = tmp_path / "b"
    limiter = SharedFileRateLimiter(1000, path)
    began_at = limiter._reserve(0.001).began_at
    context = multiprocessing.get_context("fork")
    for seconds in (0.1, 0.13, 0.17):
        processes = [context.Process(target=_reserve_for_ever, args=(str(path),)) for _ in range(6)]
        for process in processes:
            process.start()
        time.sleep(seconds)  # they reserve
        for process in processes:
            process.kill()
            process.join()
    assert limiter._reserve(0.001).began_at == began_at


def _reserve_for_ever(path: str) -> None:
    limiter = SharedFileRateLimiter(100_000, Path(path))
    while True:
        limiter._reserve(0.00001)


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
    request_count_path(key_hash("private-test")).unlink()


def test_a_key_with_spaces_around_is_the_same_key() -> None:
    """Files and environment variables often end with a newline."""
    assert ApiKey.from_config({"api_key": " the-key\n"}).value == "the-key"


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
    request_count_path(key_hash("private-test")).unlink()


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
    with pytest.raises(ConfigError, match="cannot be used"):
        SharedFileRateLimiter(10, folder / "rate-limit")
    assert ledger.read_text() == "SQLite format 3"
