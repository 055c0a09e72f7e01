"""Open rejects: each waits until its key is written, in whatever run, and a kill loses none."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from fieldpulse_sandbox.faults.fault import Fault
from fieldpulse_sandbox.sandbox import Sandbox
from target_fieldpulse.reporting.open_rejects import RejectEntry, read_open_entries
from tests.harness.messages import record_message, singer_lines, state_message
from tests.harness.target_runner import run_target
from tests.target.reporting.test_replay import CUSTOMER, asset
from tests.target.shared import CUSTOMERS, PIPELINE_MOVES, running_target, wait_until

Config = dict[str, Any]


def customer(key: str = "c", **values: Any) -> str:
    """Return the input of a customer, who is invalid without a name."""
    return singer_lines(CUSTOMERS, record_message("customers", external_id=key, **values))


def open_entries(config: Config) -> list[RejectEntry]:
    """Return the open entries of the ledger."""
    return read_open_entries(config["ledger_url"])


def test_each_run_says_how_many_records_are_open(target_config: Config, tmp_path: Path) -> None:
    """Those of earlier runs are included: before the last line, in the report, and in runs without any input."""
    report = tmp_path / "report.json"
    config = target_config | {"report_path": str(report)}
    first = run_target(config, asset("A") + asset("B"), tmp_path)
    assert "2 records are open, the oldest since 2" in first.stderr.splitlines()[-2]
    later = run_target(config, CUSTOMER, tmp_path)
    assert (later.status, later.counts) == (0, {"created": 1})
    assert "2 records are open" in later.stderr.splitlines()[-2]
    assert json.loads(report.read_text())["rejects_waiting"] == 2
    Path(target_config["rejects_path"]).rename(tmp_path / "replay.singer")
    for text in (CUSTOMER, ""):
        assert "2 records are open" in run_target(config, text, tmp_path).stderr
    replayed = run_target(config, (tmp_path / "replay.singer").read_text(), tmp_path)
    assert replayed.counts == {"created": 1, "updated": 1}
    assert "records are open" not in replayed.stderr


def test_an_entry_holds_the_key_and_no_value(target_config: Config, tmp_path: Path) -> None:
    """It counts how often the record came, and has the first and the last time."""
    for _ in range(3):
        run_target(target_config, customer(email="ada@example.com", notes="Private words"), tmp_path)
    (entry,) = open_entries(target_config)
    assert (entry.key.text, entry.outcome, entry.times) == ("c", "rejected", 3)
    assert entry.first_at < entry.last_at
    assert "one of first_name" in entry.reason
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as connection:
        assert not any("Private" in line or "@" in line for line in connection.iterdump())


@pytest.mark.parametrize("mended", [{"first_name": "Ann"}, {"first_name": "Ann", "notes": "New"}])
def test_a_record_that_was_mended_closes_its_entry(target_config: Config, tmp_path: Path, mended: Config) -> None:
    """In an ordinary run; its line stays in the rejects file, and opens no entry again."""
    invalid = customer(status="no status")
    run_target(target_config, invalid + customer("other"), tmp_path)
    assert run_target(target_config, customer(**mended), tmp_path).status == 0
    assert [entry.key.text for entry in open_entries(target_config)] == ["other"]
    run_target(target_config, customer("next", first_name="N"), tmp_path)
    assert [entry.key.text for entry in open_entries(target_config)] == ["other"]
    assert len(Path(target_config["rejects_path"]).read_text().splitlines()) == 3
    assert run_target(target_config, invalid, tmp_path).status == 1
    assert [(entry.key.text, entry.times) for entry in open_entries(target_config)] == [("other", 1), ("c", 1)]


def test_of_two_versions_each_has_an_entry(target_config: Config, tmp_path: Path) -> None:
    """A replay of the older one leaves the newer one open."""
    run_target(target_config, asset("Old") + asset("Newer"), tmp_path)
    lines = Path(target_config["rejects_path"]).read_text().splitlines(keepends=True)
    run_target(target_config, CUSTOMER, tmp_path)
    assert len(open_entries(target_config)) == 2
    run_target(target_config, "".join(lines[:2]), tmp_path)
    assert len(open_entries(target_config)) == 1
    run_target(target_config, "".join(lines), tmp_path)
    assert open_entries(target_config) == []


def test_a_record_without_a_key_closes_by_its_content(sandbox: Sandbox, target_config: Config, tmp_path: Path) -> None:
    """A pipeline move has the key of its customer's row, which it does not find yet."""
    email = next(row["email"] for row in sandbox.rows("customers") if row["email"])
    moves = [
        singer_lines(
            PIPELINE_MOVES, record_message("pipeline_statuses", customer_external_id="late", pipeline_status=status)
        )
        for status in ("Won", "New Lead")
    ]
    run_target(target_config, moves[0] + moves[1], tmp_path)
    assert [entry.key.value for entry in open_entries(target_config)] == ["", ""]
    run_target(target_config, customer("late", email=email, first_name="L"), tmp_path)
    assert run_target(target_config, moves[1], tmp_path).status == 0
    assert len(open_entries(target_config)) == 1
    assert run_target(target_config, Path(target_config["rejects_path"]).read_text(), tmp_path).status == 0
    assert open_entries(target_config) == []


def test_failed_records_have_entries(sandbox: Sandbox, target_config: Config, tmp_path: Path) -> None:
    """FieldPulse failed for the record, and wrote another."""
    sandbox.add_fault(Fault("error_status", method="POST", times=1, status=409, message="Conflict"))
    run_target(target_config, customer(first_name="Ann") + customer("d", first_name="Bea"), tmp_path)
    (entry,) = open_entries(target_config)
    assert entry.outcome == "failed"
    run_target(target_config, customer("c", first_name="Ann") + customer("d", first_name="Bea"), tmp_path)
    assert open_entries(target_config) == []


def test_a_record_that_keeps_failing_fails_one_run(sandbox: Sandbox, target_config: Config, tmp_path: Path) -> None:
    """`fail_once`: another content, another reason, and a record that was mended in between fail again."""
    config = target_config | {"on_reject": "fail_once"}
    assert run_target(config, customer(status="no"), tmp_path).status == 1
    for _ in range(2):
        again = run_target(config, customer(status="no"), tmp_path)
        assert (again.status, again.counts) == (0, {"rejected": 1})
        assert "1 record is open" in again.stderr
    assert run_target(config, customer(status="no", notes="Other"), tmp_path).status == 1
    words = [singer_lines(CUSTOMERS, record_message("customers", external_id="w", first_name="W"))]
    for reason in ("Wrong", "Wrong", "Forbidden"):
        sandbox.add_fault(Fault("error_status", method="POST", times=1, status=400, message=reason))
        words.append(str(run_target(config, words[0], tmp_path).status))
    assert words[1:] == ["1", "0", "1"]
    assert run_target(config, customer(first_name="Ann"), tmp_path).status == 0
    assert run_target(config, customer(status="no"), tmp_path).status == 1
    assert run_target(target_config, customer(status="no"), tmp_path).status == 1


def test_a_dry_run_changes_no_entry(target_config: Config, tmp_path: Path) -> None:
    """It says how many are open."""
    run_target(target_config, customer(), tmp_path)
    dry = run_target(target_config | {"dry_run": True}, customer(first_name="Ann") + customer("d"), tmp_path)
    assert "1 record is open" in dry.stderr
    assert [entry.key.text for entry in open_entries(target_config)] == ["c"]


def test_a_corrected_line_takes_over_its_entry(target_config: Config, tmp_path: Path) -> None:
    """Somebody edits the record in the rejects file: it is one reject, which began when it came first."""
    run_target(target_config, customer(), tmp_path)
    (before,) = open_entries(target_config)
    path = Path(target_config["rejects_path"])
    path.write_text(path.read_text().replace('"external_id":"c"}', '"external_id": "c", "first_name": "Ann"}'))
    run_target(target_config, customer("other", first_name="O"), tmp_path)
    (after,) = open_entries(target_config)
    assert (after.number, after.first_at) == (before.number, before.first_at)
    assert after.content != before.content
    run_target(target_config, path.read_text(), tmp_path)
    assert open_entries(target_config) == []


def test_lines_without_entries_are_found(target_config: Config, tmp_path: Path) -> None:
    """As after a kill: those of records that were written meanwhile do not count, and no line counts twice."""
    nan = '{"type":"RECORD","stream":"customers","record":{"external_id":"n","first_name":NaN}}\n'
    run_target(target_config, customer() + customer("written") + nan, tmp_path)
    run_target(target_config, customer("written", first_name="W"), tmp_path)
    before = open_entries(target_config)
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as connection:
        connection.execute("delete from fieldpulse_reject_1")
        connection.commit()
    for _ in range(2):
        run_target(target_config, customer("other", first_name="O"), tmp_path)
        found = open_entries(target_config)
        assert {(each.key, each.content, each.reason, each.first_at) for each in found} == {
            (each.key, each.content, each.reason, each.first_at) for each in before
        }
    assert sorted(each.key.text for each in found) == ["c", "n"]


def test_a_killed_run_loses_no_reject(target_config: Config, tmp_path: Path) -> None:
    """What its STATE passed is an entry; what it did not pass is a line, an entry, or comes again with its input."""
    with Sandbox(customers=5, latency_ms=10) as sandbox:
        config = target_config | {"api_url": sandbox.url, "api_key": sandbox.key}
        messages = [
            message
            for number in range(300)
            for message in (
                record_message("customers", external_id=f"bad{number}", email="no address"),
                record_message("customers", external_id=f"good{number}", first_name="Good"),
                state_message(number),
            )
        ]
        text = singer_lines(CUSTOMERS, *messages)
        path = Path(config["rejects_path"])
        with running_target(config, text, tmp_path) as process:
            wait_until(lambda: path.exists() and len(path.read_text().splitlines()) > 5)
            process.kill()
            states = [json.loads(line)["bookmarks"] for line in process.stdout or ()]
        keys = {entry.key.text for entry in open_entries(config)}
        assert {f"bad{number}" for number in range(max(states, default=-1) + 1)} <= keys
        run_target(config, singer_lines(CUSTOMERS), tmp_path)
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        rejected = {line["record"]["external_id"] for line in lines if line["type"] == "RECORD"}
        assert {entry.key.text for entry in open_entries(config)} == rejected
