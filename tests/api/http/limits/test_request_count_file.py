"""Tests of the file that counts requests: several processes, months, reboots, damage, and a holder that is stopped."""

from __future__ import annotations

import logging
import os
import pwd
import signal
import struct
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from fieldpulse_api.errors import ConfigError, QuotaExceeded
from fieldpulse_api.http.limits.monthly_quota import MonthlyQuota, MonthUse
from fieldpulse_api.http.limits.rate_limit_file import SharedFileRateLimiter
from fieldpulse_api.http.limits.request_count_file import request_count_path
from tests.api.http.limits.test_monthly_quota import epoch
from tests.api.http.limits.test_rate_limiter import Clock
from tests.harness.quota_spender import spend_in_three_processes

NOVEMBER, DECEMBER = epoch(2026, 11, 1), epoch(2026, 12, 1)


def limiter_in(folder: Path, now: float = NOVEMBER + 1000, clock: Clock | None = None, **options: Any):
    """Return a limiter whose clocks only sleeping advances. `now` is the time of the calendar at the start."""
    clock = clock or Clock()
    began_at = clock.now
    return SharedFileRateLimiter(
        10,
        folder / "slots",
        counts=folder / "counts",
        clock=clock,
        sleep=clock.sleep,
        epoch_clock=lambda: now + clock.now - began_at,
        **options,
    )


def use_of(limiter: SharedFileRateLimiter) -> MonthUse:
    use = limiter.look_up_month()
    assert use
    return use


def test_three_processes_together_send_what_the_quota_allows(tmp_path: Path) -> None:
    """None is sent above it, and none is left."""
    quota = MonthlyQuota(40, reserve=10)
    sent = spend_in_three_processes(
        partial(SharedFileRateLimiter, 20, tmp_path / "slots", counts=tmp_path / "counts", quota=quota)
    )
    assert sum(sent) == 30
    assert min(sent) > 0


def test_the_error_says_what_was_used_and_when_to_run_again(tmp_path: Path) -> None:
    """It takes no slot, and does not count."""
    limiter = limiter_in(tmp_path, quota=MonthlyQuota(5, reserve=3))
    limiter.acquire()
    limiter.acquire()
    for _ in range(2):
        with pytest.raises(QuotaExceeded) as caught:
            limiter.acquire()
        assert str(caught.value) == (
            "The requests that monthly_quota allows in 2026-11 are used up: 2 of 5 were counted, and 3 of them are the "
            f"reserve.\n  where: setting monthly_quota · count in {tmp_path}/counts\n"
            "  do:    run again from 2026-12-01 00:00 UTC, or raise monthly_quota if FieldPulse allows more; state is "
            "kept"
        )
    assert caught.value.exit_status == 3
    assert use_of(limiter).requests == 2


def test_a_run_without_a_quota_counts_for_runs_with_one(tmp_path: Path) -> None:
    """And a lower quota than what was used lets nothing through."""
    limiter = limiter_in(tmp_path)
    for _ in range(7):
        limiter.acquire()
    with pytest.raises(QuotaExceeded, match="7 of 5"):
        limiter_in(tmp_path, quota=MonthlyQuota(5), clock=limiter._clock).acquire()


def test_the_next_month_begins_at_0_without_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A process that runs over the end of the month goes on."""
    clock = Clock()
    limiter = limiter_in(tmp_path, DECEMBER - 2, clock, quota=MonthlyQuota(5))
    caplog.clear()
    for _ in range(5):
        limiter.acquire()
    with pytest.raises(QuotaExceeded):
        limiter.acquire()
    caplog.clear()
    clock.now += 2
    limiter.acquire()
    assert (use_of(limiter).requests, use_of(limiter).since) == (1, DECEMBER)
    assert not caplog.records


def test_a_request_counts_in_the_month_of_its_slot(tmp_path: Path) -> None:
    """Not in that in which it was queued."""
    limiter = limiter_in(tmp_path, DECEMBER - 0.5)
    limiter.acquire()  # the first slot is a second ahead
    assert use_of(limiter).month == "2026-12"


def test_an_older_version_shares_the_slots(tmp_path: Path) -> None:
    """It reads four numbers, and takes another file for damaged."""
    limiter_in(tmp_path).acquire()
    assert (tmp_path / "slots").stat().st_size == 4 * 8


def test_a_reboot_keeps_the_count(tmp_path: Path) -> None:
    """The slots are in memory, the count is on a disk."""
    limiter_in(tmp_path).acquire()
    (tmp_path / "slots").unlink()
    limiter = limiter_in(tmp_path, NOVEMBER + 5000, Clock(3.0))
    limiter.acquire()
    assert use_of(limiter).requests == 2


@pytest.mark.parametrize(
    "content", [None, b"", b"text", b"\0" * 16, b"\xff" * 16, struct.pack("<dq", NOVEMBER, 7) + b"more"]
)
def test_a_lost_count_begins_at_0_and_it_is_logged(
    tmp_path: Path, content: bytes | None, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever relies on the quota learns that it may end a run too late."""
    clock = Clock()
    limiter = limiter_in(tmp_path, clock=clock, quota=MonthlyQuota(5))
    for _ in range(4):
        limiter.acquire()
    caplog.clear()
    if content is None:
        (tmp_path / "counts").unlink()
    else:
        (tmp_path / "counts").write_bytes(content)
    for _ in range(2):
        limiter.acquire()
    assert use_of(limiter).requests == 2
    assert use_of(limiter).since > NOVEMBER + 1000
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "begins at 0, because none was found" in record.message
    assert str(tmp_path / "counts") in record.message


def test_a_request_that_waits_while_its_count_is_lost_is_counted_again(tmp_path: Path) -> None:
    """None is sent that was not counted."""
    limiter = limiter_in(tmp_path)
    limiter.acquire()
    sleep = limiter._sleep

    def lose_files(seconds: float) -> None:
        for path in tmp_path.iterdir():
            path.unlink()
        limiter._sleep = sleep
        sleep(seconds)

    limiter._sleep = lose_files
    limiter.acquire()
    assert use_of(limiter).requests == 1


def test_without_a_quota_a_new_count_is_not_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """It is nothing that its user asked for."""
    limiter_in(tmp_path).acquire()
    assert not caplog.records


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_rights_matters_to_a_quota_only(tmp_path: Path) -> None:
    """Runs without a quota go on, and count nothing."""
    (tmp_path / "closed").mkdir(mode=0o500)
    _assert_matters_to_a_quota_only(tmp_path, tmp_path / "closed" / "counts")


def test_a_file_that_cannot_be_used_matters_to_a_quota_only(tmp_path: Path) -> None:
    """Runs without a quota go on, and count nothing."""
    (tmp_path / "file").touch()
    _assert_matters_to_a_quota_only(tmp_path, tmp_path / "file" / "counts")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    _assert_matters_to_a_quota_only(tmp_path, tmp_path / "link")
    assert (tmp_path / "file").read_bytes() == b""


def _assert_matters_to_a_quota_only(folder: Path, counts: Path) -> None:
    clock = Clock()
    limiter = SharedFileRateLimiter(10, folder / "slots", counts=counts, clock=clock, sleep=clock.sleep)
    limiter.acquire()
    assert limiter.look_up_month() is None
    with pytest.raises(ConfigError, match="counts the month's requests cannot be used") as caught:
        SharedFileRateLimiter(10, folder / "slots", counts=counts, quota=MonthlyQuota(5))
    assert caught.value.where == f"setting monthly_quota · {counts}"


_STOP = """
import os, signal, sys, time
from pathlib import Path
from fieldpulse_api.http.limits.rate_limit_file import SharedFileRateLimiter
from fieldpulse_api.http.limits.rate_limiter import Operation
folder = Path(sys.argv[1])
limiter = SharedFileRateLimiter(10, folder / "slots", counts=folder / "counts")
with limiter._locked_state(with_month=True) as state:
    state.apply(Operation(counted=1), time.monotonic(), time.time() - time.monotonic())
    os.kill(os.getpid(), signal.SIGSTOP)
"""


def test_a_process_that_was_stopped_with_the_lock_does_not_set_the_count_back(tmp_path: Path) -> None:
    """It writes what it has read before to a file that nothing reads any more."""
    with subprocess.Popen([sys.executable, "-c", _STOP, str(tmp_path)]) as process:
        try:
            os.waitpid(process.pid, os.WUNTRACED)
            limiter = limiter_in(tmp_path, time.time(), Clock(time.monotonic()))
            for _ in range(5):
                limiter.acquire()
            process.send_signal(signal.SIGCONT)
            assert process.wait(60) == 0
            assert use_of(limiter).requests == 5
        finally:
            process.kill()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["counts", "slots"]


def test_the_file_is_private_and_does_not_name_the_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is in the user's own home, which a cron job, a service and a shell share, whatever HOME says."""
    monkeypatch.setenv("HOME", str(tmp_path))
    home = Path(pwd.getpwuid(os.getuid()).pw_dir)
    assert request_count_path("0123abcd") in (
        home / ".local/state/fieldpulse/requests-0123abcd",
        Path(f"/var/tmp/fieldpulse-{os.getuid()}/requests-0123abcd"),
    )
    limiter_in(tmp_path / "new")
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "new" / "counts").stat().st_mode & 0o777 == 0o600
