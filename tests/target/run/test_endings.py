"""Runs that end early: by a kill, a signal, a lock, a lost output, a used-up quota or a wrong API key."""

from __future__ import annotations

import json
import random
import signal
import sqlite3
import subprocess
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from fieldpulse_sandbox.faults.fault import Fault
from fieldpulse_sandbox.sandbox import Sandbox
from fieldpulse_sandbox.server.recorded_request import RecordedRequest
from tests.harness.messages import record_message, singer_lines, state_message
from tests.harness.processes import plugin_command
from tests.harness.target_runner import run_target
from tests.target.shared import CUSTOMERS, numbered_customer, numbered_customers, posts, running_target, wait_until

Config = dict[str, Any]


def test_a_run_stopped_with_an_uncertain_create_emits_no_later_state(
    sandbox: Sandbox, target_config: Config, tmp_path: Path
) -> None:
    """The next run receives the record again, and creates it."""

    def drop_first_record(request: RecordedRequest) -> None:  # the two creates are sent in any order
        if request.method == "POST" and request.body and request.body["first_name"] == "New1":
            sandbox.add_fault(Fault("dropped_connection", method="POST", after_commit=False))
            sandbox.on_request = None

    sandbox.on_request = drop_first_record
    text = singer_lines(CUSTOMERS, numbered_customer(1), state_message(1), numbered_customer(2), state_message(2))
    config = target_config | {"uncertain_create_timeout_seconds": 60}
    with running_target(config, text, tmp_path) as process:
        wait_until(lambda: numbered_customers(sandbox) == ["New2"])
        process.send_signal(signal.SIGTERM)
        output, log = process.communicate(timeout=30)
    assert process.returncode == 128 + signal.SIGTERM
    assert output == ""
    assert "1 uncertain" in log
    assert run_target(target_config, text, tmp_path).counts == {"created": 1, "unchanged": 1}
    assert numbered_customers(sandbox) == ["New1", "New2"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_loses_neither_the_closing_line_nor_the_audit(
    sandbox: Sandbox, target_config: Config, tmp_path: Path, number: int
) -> None:
    """The first signal lets the request in flight end, which takes a second."""
    sandbox.add_fault(Fault("slow_response", method="POST", after_commit=True, seconds=1.5))
    text = singer_lines(CUSTOMERS, numbered_customer(1), state_message(1))
    with running_target(target_config, text, tmp_path) as process:
        wait_until(lambda: posts(sandbox))
        for _ in range(3):
            process.send_signal(number)
            time.sleep(0.2)
        output, log = process.communicate(timeout=30)
    assert process.returncode == 128 + number
    assert "read 1 = 1 created" in log
    assert output == '{"bookmarks":1}\n'
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as connection:
        assert connection.execute("select outcome from fieldpulse_audit_2").fetchall() == [("created",)]


def test_an_error_ends_a_run_whose_input_stays_open(sandbox: Sandbox, target_config: Config, tmp_path: Path) -> None:
    """The tap that produces the input may wait for hours until its next line."""
    sandbox.add_fault(Fault("error_status", method="POST", status=401))
    with running_target(target_config, singer_lines(CUSTOMERS, numbered_customer(1)), tmp_path) as process:
        assert process.wait(60) == 2
        _, log = process.communicate()
    assert log.count("ERROR") == 1
    assert "read 1 = " in log.splitlines()[-1]


def test_a_second_target_is_locked_out(target_config: Config, tmp_path: Path) -> None:
    """Its error names the process that locked the ledger, and it writes nothing."""
    with Sandbox(customers=30, latency_ms=15) as sandbox:
        config = target_config | {"api_url": sandbox.url, "api_key": sandbox.key}
        text = singer_lines(CUSTOMERS, *(numbered_customer(number) for number in range(200)))
        with running_target(config, text, tmp_path) as process:
            wait_until(lambda: len(numbered_customers(sandbox)) > 5)
            second = run_target(config, singer_lines(CUSTOMERS, numbered_customer(500)), tmp_path)
            process.kill()
        assert second.status == 4
        assert str(process.pid) in second.stderr
        assert "New500" not in numbered_customers(sandbox)


@pytest.mark.parametrize("output", ["/dev/full", "closed"])
def test_a_state_that_cannot_be_written_fails_the_run(
    sandbox: Sandbox, target_config: Config, tmp_path: Path, output: str
) -> None:
    """With exit status 0, the runner would keep the old state without an error."""
    line = " ".join(plugin_command("target_fieldpulse", target_config, tmp_path))
    shell = f"{line} > {output}" if output != "closed" else f"{line} >&-"
    text = singer_lines(CUSTOMERS, numbered_customer(1), state_message(1))
    result = subprocess.run(["bash", "-c", shell], input=text, capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode != 0
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("seed", range(3))
def test_a_run_killed_at_any_moment_neither_loses_nor_duplicates_a_record(
    target_config: Config, tmp_path: Path, seed: int
) -> None:
    """The run is killed and started again from its last state until all records are written.

    Each key has one row in the end, and no state is emitted before the rows of its records exist.
    """
    chance = random.Random(seed)
    total = 90
    print(f"seed {seed}")  # noqa: T201
    messages = [message for number in range(total) for message in (numbered_customer(number), state_message(number))]
    with Sandbox(customers=30, latency_ms=15) as sandbox:
        config = target_config | {"api_url": sandbox.url, "api_key": sandbox.key}
        last_state, kills = -1, 0
        while last_state < total - 1:
            text = singer_lines(CUSTOMERS, *messages[2 * (last_state + 1) :])
            kill_at = len(sandbox.requests) + (chance.randrange(3, 40) if kills < 4 else 10_000)
            with running_target(config, text, tmp_path, ends_input=True) as process:
                wait_until(lambda p=process, n=kill_at: p.poll() is not None or len(sandbox.requests) >= n)  # type: ignore[misc]
                process.kill()
                kills += 1
                assert process.stdout
                for state_line in process.stdout:
                    last_state = max(last_state, json.loads(state_line)["bookmarks"])
            assert {f"New{number}" for number in range(last_state + 1)} <= set(numbered_customers(sandbox))
        assert kills > 2
        assert numbered_customers(sandbox) == sorted(f"New{number}" for number in range(total))


def test_sigterm_lets_requests_in_flight_finish(target_config: Config, tmp_path: Path) -> None:
    """Exit status 143. States acknowledge only written records, and the last line has the counts."""
    messages = [message for number in range(400) for message in (numbered_customer(number), state_message(number))]
    with Sandbox(customers=30, latency_ms=15) as sandbox:
        config = target_config | {"api_url": sandbox.url, "api_key": sandbox.key}
        with running_target(config, singer_lines(CUSTOMERS, *messages), tmp_path) as process:
            wait_until(lambda: len(numbered_customers(sandbox)) > 20)
            process.send_signal(signal.SIGTERM)
            output, log = process.communicate(timeout=30)
        states = [json.loads(line)["bookmarks"] for line in output.splitlines()]
        assert process.returncode == 128 + signal.SIGTERM
        assert "read " in log.splitlines()[-1]
        assert {f"New{number}" for number in range(max(states) + 1)} <= set(numbered_customers(sandbox))
        assert "Traceback" not in log


def test_a_used_up_quota_ends_the_run_without_states_of_unwritten_records(
    sandbox: Sandbox, target_config: Config, tmp_path: Path
) -> None:
    """Exit status 3. The next run writes the other records."""
    sandbox.add_fault(Fault("quota_exceeded", method="POST", skip=3))
    messages = [
        message
        for n in range(9)
        for message in (record_message("customers", external_id=f"q{n}", first_name="Q"), state_message(n))
    ]
    result = run_target(target_config, singer_lines(CUSTOMERS, *messages), tmp_path)
    assert result.status == 3
    assert result.counts["created"] <= 8
    assert all(state["bookmarks"] < result.counts["created"] for state in result.states)
    assert run_target(target_config, singer_lines(CUSTOMERS, *messages), tmp_path).status == 0
    assert sum(row["first_name"] == "Q" for row in sandbox.rows("customers")) == 9


def test_a_wrong_api_key_ends_the_run(target_config: Config, tmp_path: Path) -> None:
    """Exit status 2, instead of rejecting every record."""
    text = singer_lines(CUSTOMERS, record_message("customers", external_id="k", first_name="K"))
    result = run_target(target_config | {"api_key": "canary-wrong-key"}, text, tmp_path)
    assert result.status == 2
    assert "canary-wrong-key" not in result.stderr
