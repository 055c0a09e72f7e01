"""What `fieldpulse doctor` found not to work on an account is not tried again by tap and target."""

from __future__ import annotations

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
    """Write a profile, and return the setting that names it."""
    AccountProfile(**facts).write(folder / "profile.json")
    return {"profile_path": str(folder / "profile.json")}


def test_a_list_that_the_account_lacks_is_not_read(
    box: Sandbox, config: dict[str, Any], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The run says so, after one request that asks again, and all others are read."""
    box.behaviour.unavailable_resources = ("contracts", "estimates")
    lacking = {name: ListFacts(is_available=False) for name in box.behaviour.unavailable_resources}
    emitted = run_tap(config | profile(tmp_path, lists=lacking))
    assert not emitted.records["contracts"]
    assert len(emitted.records["jobs"]) == len(box.rows("jobs"))
    assert "contracts: not read: this account lacks it" in caplog.text
    assert len([one for one in box.requests if one.path in ("/contracts", "/estimates")]) == 2


def test_a_list_that_the_account_has_by_now_is_read(box: Sandbox, config: dict[str, Any], tmp_path: Path) -> None:
    """Plans change, and profiles get old, or were another account's: nothing becomes wrong by one."""
    wrong = {name: ListFacts(is_available=False, sorts_by={"updated_at": False, "id": False}) for name in BY_NAME}
    plain, misled = run_tap(config), run_tap(config | profile(tmp_path, lists=wrong))
    assert {name: set(map(str, rows)) for name, rows in misled.records.items()} == {
        name: set(map(str, rows)) for name, rows in plain.records.items()
    }


def test_a_sort_that_does_nothing_is_not_asked_for(box: Sandbox, config: dict[str, Any], tmp_path: Path) -> None:
    """The list is read whole at once, with fewer requests, and just as right."""
    box.behaviour.honour_sort = False
    state = run_tap(config, "jobs").state
    sent = []
    for known in ({}, profile(tmp_path, lists={"jobs": ListFacts(sorts_by={"updated_at": False})})):
        before = len(box.requests)
        emitted = run_tap(config | {"page_size": 10, "lookback_seconds": 3e7} | known, "jobs", state=state)
        assert set(emitted.ids("jobs")) == {row["id"] for row in box.rows("jobs")}
        sent.append(len(box.requests) - before)
    assert sent[1] < sent[0]


@pytest.mark.parametrize("null_clears", [None, False])
def test_what_clears_a_text_is_tried_first(
    box: Sandbox, target_config: dict[str, Any], tmp_path: Path, null_clears: bool | None
) -> None:
    """A null that is known to be ignored is not sent; the field is cleared either way."""
    known = profile(tmp_path, writes=WriteFacts(null_clears=null_clears))
    number = box.rows("customers")[0]["id"]
    fields = ("id", "notes")
    for notes in ("old", None):
        text = singer_lines(schema_message("customers", *fields), record_message("customers", id=number, notes=notes))
        run_target(target_config | known | {"null_policy": "clear"}, text, tmp_path)
    assert box.rows("customers")[0]["notes"] in (None, "")
    nulls = [one for one in box.requests if one.method == "PUT" and one.body and one.body.get("notes", 1) is None]
    assert bool(nulls) is (null_clears is None)


def test_a_profile_that_cannot_be_read_ends_the_run(config: dict[str, Any], tmp_path: Path) -> None:
    """Before anything is asked."""
    with pytest.raises(ConfigError, match="profile cannot be read"):
        run_tap(config | {"profile_path": str(tmp_path / "none.json")}, "jobs")
