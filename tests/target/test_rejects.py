"""Rejected records, whose reason names the field and the rule."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fieldpulse_sandbox.faults.fault import Fault
from fieldpulse_sandbox.sandbox import Sandbox
from tests.harness.messages import record_message, singer_lines, state_message
from tests.harness.target_runner import run_target
from tests.target.shared import CUSTOMERS, JOBS, PIPELINE_MOVES

Config = dict[str, Any]


@pytest.mark.parametrize(
    ("message", "values", "reason"),
    [
        (CUSTOMERS, {"external_id": "x", "email": "a@example.com"}, "one of first_name, last_name, display_name"),
        (CUSTOMERS, {"external_id": "x", "first_name": "A" * 256}, "256 characters; the maximum is 255"),
        (CUSTOMERS, {"external_id": "x", "first_name": "A", "status": "custommer"}, "allowed: lead"),
        (CUSTOMERS, {"external_id": "x", "first_name": "A", "email": "no address"}, "an e-mail address is expected"),
        (CUSTOMERS, {"external_id": "x", "first_name": ["A"]}, "text is expected"),
        (CUSTOMERS, {"id": "abc", "first_name": "A"}, "whole numbers"),
        (CUSTOMERS, {"id": -1, "first_name": "A"}, "whole numbers"),
        (CUSTOMERS, {"first_name": "A"}, "external_id"),
        (
            JOBS,
            {"external_id": "x", "customer_external_id": "unknown", "job_type": "T"},
            "send the record of `customers`",
        ),
        (JOBS, {"external_id": "x", "job_type": "T"}, "customer_id is required"),
        (JOBS, {"external_id": "x", "customer_id": 1, "job_type": "T"}, "FieldPulse"),
        (
            PIPELINE_MOVES,
            {"customer_email": "unknown@example.com", "pipeline_status": "Won"},
            "no row of `customers` has this e-mail",
        ),
        (PIPELINE_MOVES, {"pipeline_status": "Won"}, "one of customer_id, customer_external_id, customer_email"),
        (PIPELINE_MOVES, {"customer_id": 1, "pipeline_status": "Wonn"}, "did you mean 'Won'"),
        (PIPELINE_MOVES, {"customer_id": 1}, "one of pipeline_status_id, pipeline_status"),
    ],
)
def test_an_invalid_record_is_stored_with_its_reason(
    target_config: Config, tmp_path: Path, message: Config, values: Config, reason: str
) -> None:
    """The records after it are written, its state is emitted, and the exit status is 1."""
    stream = message["stream"]
    text = singer_lines(
        message,
        record_message(stream, **values),
        state_message(1),
        CUSTOMERS,
        record_message("customers", external_id="ok", first_name="Ok"),
    )
    result = run_target(target_config, text, tmp_path)
    assert result.counts == {"rejected": 1, "created": 1}
    assert result.status == 1
    assert result.states == [{"bookmarks": 1}]
    rejects_lines = [json.loads(line) for line in Path(target_config["rejects_path"]).read_text().splitlines()]
    assert [line["type"] for line in rejects_lines] == ["SCHEMA", "RECORD"]
    assert rejects_lines[1]["record"] == values
    assert reason in rejects_lines[1]["rejected"] + result.stderr


@pytest.mark.parametrize("status", [400, 422, 500])
def test_people_in_the_servers_words_stay_out_of_the_log(
    sandbox: Sandbox, target_config: Config, tmp_path: Path, status: int
) -> None:
    """The rejects file, which holds the record, has the whole message, but for the API key."""
    words = f"Customer Ada Byron ({sandbox.key}) already exists: ada byron, 214 555 0100, owner Grace Hopper"
    sandbox.add_fault(Fault("error_status", method="POST", times=9, status=status, message=words))
    ada = record_message("customers", external_id="ada", first_name="Ada", last_name="Byron", phone="+12145550100")
    result = run_target(target_config | {"max_failed": 0}, singer_lines(CUSTOMERS, ada), tmp_path)
    assert result.status == 1
    assert "Customer […]" in result.stderr
    assert "already exists" in result.stderr
    people = ("Ada", "ada ", "Byron", "byron", "Grace", "Hopper", "0100", sandbox.key)
    assert not [name for name in people if name in result.stderr + result.stdout]
    rejects = Path(target_config["rejects_path"])
    if status != 500:
        assert words.replace(sandbox.key, "[…]") in json.loads(rejects.read_text().splitlines()[1])["rejected"]


def test_a_number_in_the_servers_words_makes_no_new_line(
    sandbox: Sandbox, target_config: Config, tmp_path: Path
) -> None:
    """A record that is rejected every five minutes takes one line; another record of the same words has its own."""
    for number in range(3):
        for key in ("a", "b"):
            words = f"Ada is not valid, request {number}{key}"
            sandbox.add_fault(Fault("error_status", method="POST", status=400, message=words))
            run_target(
                target_config,
                singer_lines(
                    CUSTOMERS, record_message("customers", external_id=key, first_name="Ada", notes=words[:20])
                ),
                tmp_path,
            )
    lines = [json.loads(line) for line in Path(target_config["rejects_path"]).read_text().splitlines()]
    assert [line["record"]["external_id"] for line in lines if line["type"] == "RECORD"] == ["a", "b"]


def test_the_rejects_file_can_be_replayed_after_the_cause_is_fixed(
    sandbox: Sandbox, target_config: Config, tmp_path: Path
) -> None:
    """A record that is rejected again stands in the file once. Only the owner can read the file."""
    job = record_message("jobs", external_id="j", customer_external_id="late", job_type="T")
    rejects = Path(target_config["rejects_path"])
    run_target(target_config, singer_lines(JOBS, job), tmp_path)
    run_target(target_config, rejects.read_text(), tmp_path)
    assert len(rejects.read_text().splitlines()) == 2
    assert rejects.stat().st_mode & 0o777 == 0o600
    run_target(
        target_config,
        singer_lines(CUSTOMERS, record_message("customers", external_id="late", first_name="L")),
        tmp_path,
    )
    assert run_target(target_config, rejects.read_text(), tmp_path).counts == {"created": 1}
    assert sandbox.rows("jobs")[-1]["job_type"] == "T"


def test_rejects_can_be_ignored_in_the_exit_status(target_config: Config, tmp_path: Path) -> None:
    """Rejected records still count, and the rejects file still has them."""
    text = singer_lines(CUSTOMERS, record_message("customers", external_id="x"))
    result = run_target(target_config | {"on_reject": "ignore"}, text, tmp_path)
    assert (result.counts, result.status) == ({"rejected": 1}, 0)
