"""The replay of a rejects file: it writes what was rejected last, and never brings back what is older than a row."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Any

import pytest

from fieldpulse_sandbox.sandbox import Sandbox
from tests.harness.messages import record_message, schema_message, singer_lines
from tests.harness.target_runner import run_target
from tests.target.shared import CUSTOMERS, PIPELINE_MOVES, newest_row

Config = dict[str, Any]

ASSETS = schema_message("assets", "external_id", "title", "customer_external_id", "deleted_at")
CUSTOMER = singer_lines(CUSTOMERS, record_message("customers", external_id="late", first_name="L"))


def asset(title: str, customer: str = "late", **values: Any) -> str:
    """Return the input of an asset with the key `a`."""
    record = record_message("assets", external_id="a", title=title, customer_external_id=customer, **values)
    return singer_lines(ASSETS, record)


def rejected_records(config: Config) -> list[Config]:
    """Return the RECORD messages in the rejects file."""
    messages = map(json.loads, Path(config["rejects_path"]).read_text().splitlines())
    return [message for message in messages if message["type"] == "RECORD"]


def test_a_clock_that_was_ahead_makes_no_row_newer_than_what_was_rejected_later(
    sandbox: Sandbox, target_config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The row was written by a clock that was an hour ahead, and the clock was corrected since."""
    clock = time.time
    monkeypatch.setattr("time.time", lambda: clock() + 3600)
    run_target(target_config, CUSTOMER + asset("First"), tmp_path)
    monkeypatch.undo()
    assert run_target(target_config, asset("Second", "never"), tmp_path).counts == {"rejected": 1}
    rejects = Path(target_config["rejects_path"]).read_text().replace("never", "late")
    assert run_target(target_config, rejects, tmp_path).counts == {"updated": 1}
    assert newest_row(sandbox, "assets")["title"] == "Second"


@pytest.mark.parametrize("dry_run", [False, True])
def test_a_record_whose_key_was_written_since_is_superseded(
    sandbox: Sandbox, target_config: Config, tmp_path: Path, *, dry_run: bool
) -> None:
    """The replay leaves the newer row alone, and ends with exit status 0."""
    rejects = Path(target_config["rejects_path"])
    run_target(target_config, asset("Old"), tmp_path)
    run_target(target_config, CUSTOMER + asset("New"), tmp_path)
    result = run_target(target_config | {"dry_run": dry_run}, rejects.read_text(), tmp_path)
    assert (result.counts, result.status) == ({"superseded": 1}, 0)
    assert newest_row(sandbox, "assets")["title"] == "New"


def test_a_record_that_was_deleted_since_does_not_come_back(
    sandbox: Sandbox, target_config: Config, tmp_path: Path
) -> None:
    """Its row was deleted after it was rejected."""
    config = target_config | {"hard_delete": True}
    run_target(config, CUSTOMER + asset("First"), tmp_path)
    assert run_target(config, asset("Old", "never"), tmp_path).counts == {"rejected": 1}
    deletion = singer_lines(ASSETS, record_message("assets", external_id="a", deleted_at="2026-01-01"))
    assert run_target(config, deletion, tmp_path).counts == {"deleted": 1}
    rejects = Path(target_config["rejects_path"]).read_text().replace("never", "late")
    assert run_target(config, rejects, tmp_path).counts == {"superseded": 1}
    assert not any(row["title"] == "Old" for row in sandbox.rows("assets"))


def test_a_record_whose_source_was_set_back_since_is_superseded(
    sandbox: Sandbox, target_config: Config, tmp_path: Path
) -> None:
    """The source has the value of the row again: its record is unchanged, and newer than the rejected one."""
    run_target(target_config, CUSTOMER + asset("First"), tmp_path)
    assert run_target(target_config, asset("Second", "never"), tmp_path).counts == {"rejected": 1}
    assert run_target(target_config, asset("First"), tmp_path).counts == {"unchanged": 1}
    rejects = Path(target_config["rejects_path"]).read_text().replace("never", "late")
    assert run_target(target_config, rejects, tmp_path).counts == {"superseded": 1}
    assert newest_row(sandbox, "assets")["title"] == "First"


@pytest.mark.parametrize("is_stopped_early", [False, True])
def test_of_two_versions_in_the_file_the_later_one_stays(
    sandbox: Sandbox, target_config: Config, tmp_path: Path, *, is_stopped_early: bool
) -> None:
    """A replay that is stopped after the first version, and repeated, writes the second all the same."""
    run_target(target_config, asset("Old") + asset("Newer"), tmp_path)
    rejects = Path(target_config["rejects_path"]).read_text()
    run_target(target_config, CUSTOMER, tmp_path)
    if is_stopped_early:
        run_target(target_config, "".join(rejects.splitlines(keepends=True)[:2]), tmp_path)
        assert newest_row(sandbox, "assets")["title"] == "Old"
    result = run_target(target_config, rejects, tmp_path)
    assert result.counts == ({"unchanged": 1, "updated": 1} if is_stopped_early else {"created": 1, "updated": 1})
    assert newest_row(sandbox, "assets")["title"] == "Newer"
    assert run_target(target_config, rejects, tmp_path).counts == {"superseded": 1, "unchanged": 1}


def test_a_record_that_is_rejected_in_every_run_takes_one_line(
    sandbox: Sandbox, target_config: Config, tmp_path: Path
) -> None:
    """Its time is that of the last run: the source says it again, after what it said in between."""
    run_target(target_config, asset("Again"), tmp_path)
    (first,) = rejected_records(target_config)
    run_target(target_config, CUSTOMER.replace("late", "other") + asset("Between", "other"), tmp_path)
    run_target(target_config, asset("Again"), tmp_path)
    (last,) = rejected_records(target_config)
    assert re.fullmatch(r"2\d{3}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", first["rejected_at"])
    assert first["rejected_at"] < last["rejected_at"]
    assert first | {"rejected_at": ""} == last | {"rejected_at": ""}
    run_target(target_config, CUSTOMER, tmp_path)
    rejects = Path(target_config["rejects_path"]).read_text()
    assert run_target(target_config, rejects, tmp_path).counts == {"updated": 1}
    assert newest_row(sandbox, "assets")["title"] == "Again"


def test_a_replay_that_is_rejected_again_makes_its_record_no_newer(target_config: Config, tmp_path: Path) -> None:
    """Neither in the same file, nor in a new one, nor for a line that is stored as it came."""
    path = Path(target_config["rejects_path"])
    line = '{"type":"RECORD","stream":"assets","record":{"external_id":"n","title":NaN}}\n'
    run_target(target_config, asset("Old") + line, tmp_path)
    before = path.read_text()
    assert run_target(target_config, before, tmp_path).counts == {"rejected": 2}
    assert path.read_text() == before
    path.unlink()
    run_target(target_config, before, tmp_path)
    assert path.read_text() == before
    path.unlink()
    run_target(target_config, re.sub(r'("rejected\w*"):', r" \1 : ", before), tmp_path)
    assert re.sub(r' ("rejected\w*") : ', r"\1:", path.read_text()) == before


def test_a_move_of_a_customer_that_was_moved_since_is_superseded(
    sandbox: Sandbox, target_config: Config, tmp_path: Path
) -> None:
    """Such a record has no key of its own: its key is the customer's row."""
    email = next(row["email"] for row in sandbox.rows("customers") if row["email"])
    record = record_message("pipeline_statuses", customer_external_id="late", pipeline_status="Won")
    run_target(target_config, singer_lines(PIPELINE_MOVES, record), tmp_path)
    matched = record_message("customers", external_id="late", email=email, first_name="L")
    assert run_target(target_config, singer_lines(CUSTOMERS, matched), tmp_path).counts == {"updated": 1}
    record["record"]["pipeline_status"] = "New Lead"
    moved = run_target(target_config, singer_lines(PIPELINE_MOVES, record), tmp_path)
    assert moved.status == 0, moved.stderr
    rejects = Path(target_config["rejects_path"]).read_text()
    assert run_target(target_config, rejects, tmp_path).counts == {"superseded": 1}
