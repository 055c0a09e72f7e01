"""Tap and target do not try what `fieldpulse doctor` found not to work on an account."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from fieldpulse_api.account_profile import AccountProfile, ListFacts, WriteFacts
from fieldpulse_api.errors import ConfigError
from fieldpulse_api.resources.catalogue import BY_NAME
from fieldpulse_sandbox.sandbox import Sandbox
from tests.harness.messages import record_message, schema_message, singer_lines
from tests.harness.tap_runner import run_tap
from tests.harness.target_runner import run_target


def profile(folder: Path, **facts: Any) -> dict[str, str]:
    """Write a profile and return the setting that names it."""
    (folder / "profile.json").write_bytes(AccountProfile(**facts).to_json())
    return {"profile_path": str(folder / "profile.json")}


def test_an_unavailable_list_is_not_read(
    sandbox: Sandbox, config: dict[str, Any], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """One request checks whether it is still unavailable; the run logs it and reads the other lists."""
    sandbox.behaviour.unavailable_resources = ("contracts", "estimates")
    lists = {name: ListFacts(is_available=False) for name in sandbox.behaviour.unavailable_resources}
    emitted = run_tap(config | profile(tmp_path, lists=lists))
    assert not emitted.records["contracts"]
    assert len(emitted.records["jobs"]) == len(sandbox.rows("jobs"))
    assert "contracts: skipped, because this account does not have the list" in caplog.text
    assert len([request for request in sandbox.requests if request.path in ("/contracts", "/estimates")]) == 2


def test_a_list_that_has_become_available_is_read(sandbox: Sandbox, config: dict[str, Any], tmp_path: Path) -> None:
    """An outdated profile, or one of another account, changes no result."""
    wrong = {name: ListFacts(is_available=False, sorts_by={"updated_at": False, "id": False}) for name in BY_NAME}
    plain, misled = run_tap(config), run_tap(config | profile(tmp_path, lists=wrong))
    assert {name: set(map(str, rows)) for name, rows in misled.records.items()} == {
        name: set(map(str, rows)) for name, rows in plain.records.items()
    }


def test_a_sort_without_effect_is_not_requested(sandbox: Sandbox, config: dict[str, Any], tmp_path: Path) -> None:
    """The full scan starts at once: fewer requests, same rows."""
    sandbox.behaviour.honour_sort = False
    state = run_tap(config, "jobs").state
    request_counts = []
    for setting in ({}, profile(tmp_path, lists={"jobs": ListFacts(sorts_by={"updated_at": False})})):
        before = len(sandbox.requests)
        emitted = run_tap(config | {"page_size": 10, "lookback_seconds": 3e7} | setting, "jobs", state=state)
        assert set(emitted.ids("jobs")) == {row["id"] for row in sandbox.rows("jobs")}
        request_counts.append(len(sandbox.requests) - before)
    assert request_counts[1] < request_counts[0]


@pytest.mark.parametrize("null_clears", [None, False])
def test_a_null_that_clears_nothing_is_not_sent(
    sandbox: Sandbox, target_config: dict[str, Any], tmp_path: Path, null_clears: bool | None
) -> None:
    """The field is cleared with an empty text instead."""
    setting = profile(tmp_path, writes=WriteFacts(null_clears=null_clears))
    row_id = sandbox.rows("customers")[0]["id"]
    fields = ("id", "notes")
    for notes in ("old", None):
        text = singer_lines(schema_message("customers", *fields), record_message("customers", id=row_id, notes=notes))
        run_target(target_config | setting | {"null_policy": "clear"}, text, tmp_path)
    assert sandbox.rows("customers")[0]["notes"] in (None, "")
    puts = [request.body for request in sandbox.requests if request.method == "PUT" and request.body]
    nulls = [body for body in puts if body.get("notes", 1) is None]
    assert bool(nulls) is (null_clears is None)


def test_an_unreadable_profile_ends_the_run(config: dict[str, Any], tmp_path: Path) -> None:
    """Before the first request."""
    with pytest.raises(ConfigError, match="profile cannot be read"):
        run_tap(config | {"profile_path": str(tmp_path / "none.json")}, "jobs")


def test_a_pipe_as_profile_does_not_hang(tmp_path: Path) -> None:
    """No process writes to it, so it is empty."""
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ConfigError, match="profile cannot be read"):
        AccountProfile.read(str(tmp_path / "pipe"))
