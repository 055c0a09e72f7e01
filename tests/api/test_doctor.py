"""`fieldpulse doctor` finds what is wrong with an account, in at most 60 requests that only read."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from fieldpulse_api.client import Client
from fieldpulse_api.doctor import findings
from fieldpulse_sandbox.faults import Fault
from fieldpulse_sandbox.server import Sandbox


def grades(client: Client) -> dict[str, str]:
    return {one.about: one.grade for one in findings(client)}


def test_a_sound_account_is_found_sound(box: Sandbox, client: Client) -> None:
    """Every list is asked, nothing is written, the budget of requests is kept."""
    found = grades(client)
    assert set(found.values()) == {"ok"}
    assert len(found) == 32
    assert len(box.requests) <= 60
    assert {request.method for request in box.requests} == {"GET"}


def test_a_list_that_is_not_there_fails_with_what_to_do(box: Sandbox, client: Client) -> None:
    """A plan without contracts is not a broken key."""
    box.fail(Fault("error200", path="/contracts", times=9))
    (wrong,) = [one for one in findings(client) if one.grade == "FAIL"]
    assert wrong.about == "contracts"
    assert "deselect" in wrong.do


def test_a_list_that_does_not_sort_is_a_warning(box: Sandbox, client: Client) -> None:
    """It is read right all the same, and costs more."""
    box.behaviour.honour_sort = False
    assert grades(client)["jobs"] == "warn"


@pytest.mark.parametrize(
    ("key", "status", "said"), [("", 0, "accepted"), ("wrong-canary", 1, "FAIL"), (None, 2, "no API key")]
)
def test_the_command_says_it_with_its_exit_status(box: Sandbox, key: str | None, status: int, said: str) -> None:
    """With the settings of either plugin, from the environment."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("TAP_F", "TARGET_F"))}
    environment["TARGET_FIELDPULSE_API_URL"] = box.url
    if key is not None:
        environment["TARGET_FIELDPULSE_API_KEY"] = key or box.key
    line = [sys.executable, "-m", "fieldpulse_api.cli", "doctor"]
    ended = subprocess.run(line, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == status, ended.stderr
    assert said in ended.stdout + ended.stderr
    assert "wrong-canary" not in ended.stdout + ended.stderr
