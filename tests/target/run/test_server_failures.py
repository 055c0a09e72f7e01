"""Records for which the server fails with HTTP 5xx, and servers that are down."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fieldpulse_sandbox.faults.fault import Fault
from fieldpulse_sandbox.sandbox import Sandbox
from tests.fault_matrix.plugins import run_target
from tests.harness.messages import record_message, singer_lines, state_message
from tests.target.shared import CUSTOMERS, posts, row_by_id

Config = dict[str, Any]


@pytest.fixture
def report_config(target_config: Config, tmp_path: Path) -> Config:
    """Return the configuration of a target that writes a report and waits for no late create."""
    return target_config | {"report_path": str(tmp_path / "report.json"), "uncertain_create_timeout_seconds": 0.01}


def counts(config: Config) -> dict[str, int]:
    """Return the counts of customers in the last report that are not zero."""
    report = json.loads(Path(config["report_path"]).read_text())
    return {name: count for name, count in report["streams"]["customers"].items() if count and name != "read"}


def updates(sandbox: Sandbox, number: int) -> tuple[str, list[int]]:
    """Return an input that changes the notes of the first customers, and their ids."""
    ids = [row["id"] for row in sandbox.rows("customers")[:number]]
    messages = [
        message
        for row_id in ids
        for message in (record_message("customers", id=row_id, notes=f"Note {row_id}"), state_message(row_id))
    ]
    return singer_lines(CUSTOMERS, *messages), ids


def test_one_record_that_breaks_the_server_does_not_end_the_run(sandbox: Sandbox, report_config: Config) -> None:
    """It is `failed`, the others are written, the last state is emitted, and the rejects file replays it."""
    text, ids = updates(sandbox, 20)
    fault = Fault("error_status", method="PUT", path=f"/customers/{ids[3]}", times=99)
    sandbox.add_fault(fault)
    result = run_target(report_config, text)
    assert (result.status, counts(report_config)) == (1, {"updated": 19, "failed": 1})
    assert result.states[-1] == {"bookmarks": ids[-1]}
    fault.times = 0
    rejects = Path(report_config["rejects_path"]).read_text()
    assert "HTTP 500" in json.loads(rejects.splitlines()[-1])["rejected"]
    assert run_target(report_config, rejects).status == 0
    assert row_by_id(sandbox, "customers", ids[3])["notes"] == f"Note {ids[3]}"


def test_a_newer_record_is_written_after_one_that_failed(sandbox: Sandbox, report_config: Config) -> None:
    """The replay of the failed one does not overwrite it, and the newer one is unchanged when it comes again."""
    row_id = sandbox.rows("customers")[0]["id"]
    sandbox.add_fault(Fault("error_status", method="PUT", path=f"/customers/{row_id}", times=5))
    older, newer = (record_message("customers", id=row_id, notes=notes) for notes in ("Older", "Newer"))
    result = run_target(report_config, singer_lines(CUSTOMERS, older, newer, state_message(1)))
    assert (counts(report_config), result.states) == ({"updated": 1, "failed": 1}, [{"bookmarks": 1}])
    run_target(report_config, Path(report_config["rejects_path"]).read_text())
    assert counts(report_config) == {"superseded": 1}
    since = len(sandbox.requests)
    run_target(report_config, singer_lines(CUSTOMERS, newer))
    assert counts(report_config) == {"unchanged": 1}
    assert not any(request.path.startswith(f"/customers/{row_id}") for request in sandbox.requests[since:])
    assert row_by_id(sandbox, "customers", row_id)["notes"] == "Newer"


def test_an_update_that_failed_after_it_was_carried_out_is_set_back(sandbox: Sandbox, report_config: Config) -> None:
    """The source has the old value again: the ledger no longer claims that the row has it."""
    text, ids = updates(sandbox, 20)
    run_target(report_config, text)
    changed = text.replace(f"Note {ids[3]}", "Carried out").replace(f"Note {ids[4]}", "Written")
    fault = Fault("error_status", method="PUT", path=f"/customers/{ids[3]}", times=5, after_commit=True)
    sandbox.add_fault(fault)
    run_target(report_config, changed)
    assert counts(report_config) == {"updated": 1, "failed": 1, "unchanged": 18}
    assert row_by_id(sandbox, "customers", ids[3])["notes"] == "Carried out"
    run_target(report_config, text)
    assert row_by_id(sandbox, "customers", ids[3])["notes"] == f"Note {ids[3]}"


@pytest.mark.parametrize("number", [3, 30])
def test_a_server_that_is_down_ends_the_run(sandbox: Sandbox, report_config: Config, number: int) -> None:
    """No state is emitted and nothing is rejected: the next run gets the records again, and writes them."""
    text, ids = updates(sandbox, number)
    fault = Fault("error_status", method="PUT", status=503, times=999)
    sandbox.add_fault(fault)
    result = run_target(report_config, text)
    assert (result.status, result.states) == (1, [])
    assert "HTTP 503" in result.stderr
    assert "where: PUT /customers/" in result.stderr
    assert ("11 of the last 11 records" in result.stderr) == (number > 10)
    assert not Path(report_config["rejects_path"]).exists()
    assert set(counts(report_config)) <= {"failed", "unsent", "uncertain"}
    fault.times = 0
    assert run_target(report_config, text).status == 0
    assert counts(report_config) == {"updated": len(ids)}


@pytest.mark.parametrize("max_failed", [2, 3])
def test_the_share_of_failed_records_is_limited_by_a_setting(
    sandbox: Sandbox, report_config: Config, max_failed: int
) -> None:
    """Of twenty records three fail: too many for a limit of two."""
    text, ids = updates(sandbox, 20)
    for row_id in ids[5:8]:
        sandbox.add_fault(Fault("error_status", method="PUT", path=f"/customers/{row_id}", times=99))
    result = run_target(report_config | {"max_failed": max_failed}, text)
    assert (result.status, counts(report_config)["failed"]) == (1, 3)
    is_ended = "raise max_failed" in "\n".join([*result.log_lines, result.stderr])
    assert is_ended == (max_failed < 3)
    assert is_ended != (result.states[-1:] == [{"bookmarks": ids[-1]}])


def test_a_create_that_never_happens_fails_without_a_second_row(sandbox: Sandbox, report_config: Config) -> None:
    """Each POST is repeated only once it is certain that the one before was not carried out, three times in all."""
    records = [record_message("customers", external_id=f"c{n}", first_name=f"C{n}") for n in range(4)]

    def fail_first(request: Any) -> None:
        if request.method == "POST" and request.body and request.body["first_name"] == "C0":
            sandbox.add_fault(Fault("error_status", method="POST", path="/customers"))

    sandbox.on_request = fail_first
    first = singer_lines(CUSTOMERS, records[0], state_message(1))
    config = report_config | {"requests_per_second": 1}  # one thread: the others are created meanwhile or afterwards
    result = run_target(config, first + singer_lines(*records[1:], state_message(2)))
    assert (result.status, result.states[-1]) == (1, {"bookmarks": 2})
    assert counts(report_config) == {"created": 3, "failed": 1}
    assert len(posts(sandbox)) == 6
    sandbox.on_request = None
    assert run_target(config, Path(report_config["rejects_path"]).read_text()).status == 0
    assert sum(row["first_name"] == "C0" for row in sandbox.rows("customers")) == 1
