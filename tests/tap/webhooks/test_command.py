"""The receiver as a process: it keeps every delivery that it confirmed with 200, however it ends."""

from __future__ import annotations

import http.client
import signal
import socket
import subprocess
import threading
from collections import Counter
from datetime import datetime, timezone
from pathlib import Path

import pytest

from tap_fieldpulse.webhooks.inbox import Inbox
from tests.harness.receiver import COMMAND, TOKEN, created_delivery, environment, post_delivery, run_receiver


def count_stored_ids(url: str, account: str) -> Counter[int]:
    """Return how often each id is stored."""
    inbox = Inbox(url)
    counts = Counter(row["object_id"] for row in inbox.read_after(account, 0))
    inbox.close()
    return counts


class Burst:
    """Deliveries that threads post until the receiver ends. `confirmed` holds the ids answered with 200."""

    def __init__(self, url: str, account: str) -> None:
        self.confirmed: list[int] = []
        self.are_many = threading.Event()
        self._url, self._account = url, account
        self._threads = [
            threading.Thread(target=self._post, args=(thread_number * 10_000 + 1,)) for thread_number in range(4)
        ]
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        """Wait until all threads have stopped."""
        for thread in self._threads:
            thread.join()

    def _post(self, number: int) -> None:
        while True:
            try:
                status = post_delivery(self._url, created_delivery(number, account=self._account))
            except (OSError, http.client.HTTPException):
                return
            if status == 200:
                self.confirmed.append(number)
            if len(self.confirmed) >= 40:
                self.are_many.set()
            number += 1


@pytest.mark.parametrize("signal_number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_confirmed_deliveries_are_stored_once_after_any_end(url: str, signal_number: signal.Signals) -> None:
    """A signal ends the receiver during a burst. The next receiver stores no repeated delivery twice."""
    account = str(7000 + signal_number)
    with run_receiver(url) as receiver:
        burst = Burst(receiver.url, account)
        assert burst.are_many.wait(60)
        status = receiver.stop(signal_number)
        burst.end()
    assert status == (-signal_number if signal_number == signal.SIGKILL else 128 + signal_number)
    stored = count_stored_ids(url, account)
    assert set(burst.confirmed) <= set(stored)
    assert set(stored.values()) == {1}
    with run_receiver(url) as receiver:
        assert {
            post_delivery(receiver.url, created_delivery(row_id, account=account)) for row_id in burst.confirmed
        } == {200}
        assert receiver.stop(signal.SIGTERM) == 143
    assert count_stored_ids(url, account) == stored


def test_the_log_contains_no_token_and_no_contents_of_a_delivery(tmp_path: Path) -> None:
    """It contains only counts."""
    with run_receiver(f"sqlite:///{tmp_path}/store.db") as receiver:
        assert post_delivery(receiver.url, created_delivery(7, notes="canary")) == 200
        assert post_delivery(f"{receiver.address}/canary", created_delivery(7)) == 404
        assert post_delivery(receiver.url, {"trigger": "canary"}) == 400
        receiver.stop(signal.SIGTERM)
        log = receiver.log()
    counts, _, last = log.splitlines()[-2].partition("; last delivery at ")
    assert counts == "fieldpulse webhooks: 1 malformed (keys), 1 stored, 1 wrong path"
    assert abs(datetime.now(timezone.utc) - datetime.fromisoformat(last.replace("Z", "+00:00"))).total_seconds() < 300
    assert TOKEN not in log
    assert "canary" not in log
    assert "Acme" not in log


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({}, "secrets.token_urlsafe"),
        ({"webhook_token": "canary-short"}, "secrets.token_urlsafe"),
        ({"webhook_token": "canary/" * 10}, "secrets.token_urlsafe"),
        ({"webhook_token": TOKEN, "webhook_secrt": "canary"}, "webhook_secret"),
        ({"webhook_token": TOKEN, "webhook_secret": ""}, "webhook_secret"),
        ({"webhook_token": TOKEN, "snapshot_url": "sqlite://"}, "snapshot_url"),
    ],
)
def test_a_wrong_setting_is_reported_in_three_lines(wrong: dict[str, str], message: str) -> None:
    """The receiver does not start to listen, and the message does not contain the value."""
    ended = subprocess.run(COMMAND, env=environment(**wrong), capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 2
    assert message in ended.stderr
    assert "  where: " in ended.stderr
    assert "  do:    " in ended.stderr
    assert "canary" not in ended.stderr
    assert "Traceback" not in ended.stderr


def test_settings_are_read_from_a_dotenv_file(tmp_path: Path) -> None:
    """Meltano stores settings there, and environment variables take precedence."""
    (tmp_path / ".env").write_text(f"TAP_FIELDPULSE_WEBHOOK_TOKEN={TOKEN}\nTAP_FIELDPULSE_SNAPSHOT_URL=nonsense\n")
    ended = subprocess.run(
        COMMAND, env=environment(), cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 2
    assert "setting snapshot_url" in ended.stderr


def test_a_port_in_use_is_reported_with_the_option(tmp_path: Path) -> None:
    """The message names `--port`."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        variables = environment(webhook_token=TOKEN, snapshot_url=f"sqlite:///{tmp_path}/store.db")
        line = [*COMMAND[:-1], str(other.getsockname()[1])]
        ended = subprocess.run(line, env=variables, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 2
    assert "--port" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("package", ["uvicorn", "starlette"])
def test_a_receiver_without_its_packages_names_what_to_install(tmp_path: Path, package: str) -> None:
    """All other commands work without the extra."""
    (tmp_path / f"{package}.py").write_text(f"raise ModuleNotFoundError(name={package!r})")
    variables = environment(webhook_token=TOKEN) | {"PYTHONPATH": str(tmp_path)}
    ended = subprocess.run(
        COMMAND, env=variables, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 2
    assert "singer-fieldpulse[webhooks]" in ended.stderr
    assert "Traceback" not in ended.stderr
    helped = subprocess.run(
        [*COMMAND[:-3], "--help"], env=variables, capture_output=True, text=True, timeout=60, check=False
    )
    assert "webhooks" in helped.stdout
