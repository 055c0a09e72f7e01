"""Ends of a run: killed, stopped by a signal, locked out, or without a reader of its states."""

from __future__ import annotations

import json
import random
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from fieldpulse_sandbox.faults.fault import Fault
from fieldpulse_sandbox.sandbox import Sandbox
from tests.harness.messages import record_message, singer_lines, state_message
from tests.harness.processes import plugin_command
from tests.harness.target_runner import run_target
from tests.target.shared import CUSTOMERS, numbered_customer, numbered_customers, wait_until

Config = dict[str, Any]


def _feed(process: subprocess.Popen[str], text: str, *, close: bool = True) -> None:
    """Write the input from a thread, as a tap would: the target does not read faster than it writes."""
    import threading  # noqa: PLC0415

    def write() -> None:
        assert process.stdin
        try:
            process.stdin.write(text)
            process.stdin.flush()
            if close:
                process.stdin.close()
        except (BrokenPipeError, ValueError):
            pass

    threading.Thread(target=write, daemon=True).start()


def test_a_run_stopped_with_an_uncertain_create_emits_no_later_state(
    sandbox: Sandbox, target_config: Config, tmp_path: Path
) -> None:
    """The record comes again with the old state, and is created then."""
    sandbox.add_fault(Fault("dropped_connection", method="POST", after_commit=False))
    line = plugin_command("target_fieldpulse", target_config | {"uncertain_create_timeout_seconds": 60}, tmp_path)
    text = singer_lines(CUSTOMERS, numbered_customer(1), state_message(1), numbered_customer(2), state_message(2))
    with subprocess.Popen(
        line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        _feed(process, text, close=False)
        wait_until(lambda: numbered_customers(sandbox) == ["New2"])
        process.send_signal(signal.SIGTERM)
        output, log = process.communicate(timeout=30)
    assert process.returncode == 128 + signal.SIGTERM
    assert output == ""
    assert "1 uncertain" in log
    assert run_target(target_config, text, tmp_path).counts == {"created": 1, "unchanged": 1}
    assert numbered_customers(sandbox) == ["New1", "New2"]


def test_a_second_target_is_locked_out(target_config: Config, tmp_path: Path) -> None:
    """Its error names the process that has the ledger, and it sends nothing."""
    with Sandbox(customers=30, latency_ms=15) as sandbox:
        config = target_config | {"api_url": sandbox.url, "api_key": sandbox.key}
        line = plugin_command("target_fieldpulse", config, tmp_path)
        with subprocess.Popen(
            line, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True
        ) as process:
            _feed(process, singer_lines(CUSTOMERS, *(numbered_customer(number) for number in range(200))), close=False)
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
    """The runner would keep the old state and believe that all is well."""
    line = " ".join(plugin_command("target_fieldpulse", target_config, tmp_path))
    shell = f"{line} > {output}" if output != "closed" else f"{line} >&-"
    text = singer_lines(CUSTOMERS, numbered_customer(1), state_message(1))
    result = subprocess.run(["bash", "-c", shell], input=text, capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode != 0
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("seed", range(3))
def test_kill_9_at_any_moment_neither_loses_nor_doubles_a_record(
    target_config: Config, tmp_path: Path, seed: int
) -> None:
    """Killed and started from the last state until done: each key once, no state ahead of the account."""
    chance = random.Random(seed)
    total = 90
    print(f"seed {seed}")  # noqa: T201
    parts = [part for number in range(total) for part in (numbered_customer(number), state_message(number))]
    with Sandbox(customers=30, latency_ms=15) as sandbox:
        config = target_config | {"api_url": sandbox.url, "api_key": sandbox.key}
        done, kills = -1, 0
        while done < total - 1:
            text = singer_lines(CUSTOMERS, *parts[2 * (done + 1) :])
            line = plugin_command("target_fieldpulse", config, tmp_path)
            with subprocess.Popen(
                line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
            ) as process:
                begun = len(sandbox.requests)
                deadline = chance.randrange(3, 40) if kills < 4 else 10_000
                _feed(process, text)
                wait_until(
                    lambda p=process, b=begun, d=deadline: p.poll() is not None or len(sandbox.requests) - b >= d
                )  # type: ignore[misc]
                process.kill()
                kills += 1
                assert process.stdout
                for state_line in process.stdout:
                    done = max(done, json.loads(state_line)["bookmarks"])
            present = set(numbered_customers(sandbox))
            assert {f"New{number}" for number in range(done + 1)} <= present
        assert kills > 2
        assert numbered_customers(sandbox) == sorted(f"New{number}" for number in range(total))


def test_sigterm_lets_requests_in_flight_finish(target_config: Config, tmp_path: Path) -> None:
    """Status 143, states only behind written records, and a last line that adds up."""
    parts = [part for number in range(400) for part in (numbered_customer(number), state_message(number))]
    with Sandbox(customers=30, latency_ms=15) as sandbox:
        line = plugin_command(
            "target_fieldpulse", target_config | {"api_url": sandbox.url, "api_key": sandbox.key}, tmp_path
        )
        with subprocess.Popen(
            line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            _feed(process, singer_lines(CUSTOMERS, *parts), close=False)
            wait_until(lambda: len(numbered_customers(sandbox)) > 20)
            process.send_signal(signal.SIGTERM)
            output, log = process.communicate(timeout=30)
        states = [json.loads(line)["bookmarks"] for line in output.splitlines()]
        assert process.returncode == 128 + signal.SIGTERM
        assert "read " in log.splitlines()[-1]
        assert {f"New{number}" for number in range(max(states) + 1)} <= set(numbered_customers(sandbox))
        assert "Traceback" not in log


def test_a_spent_quota_ends_the_run_and_holds_back_its_state(
    sandbox: Sandbox, target_config: Config, tmp_path: Path
) -> None:
    """Exit status 3. Records that were not written are not acknowledged, and the counts still add up."""
    sandbox.add_fault(Fault("quota_exceeded", method="POST", skip=3))
    leads = [
        part
        for n in range(9)
        for part in (record_message("customers", external_id=f"q{n}", first_name="Q"), state_message(n))
    ]
    written = run_target(target_config, singer_lines(CUSTOMERS, *leads), tmp_path)
    assert written.status == 3
    assert written.counts["created"] <= 8
    assert all(each["bookmarks"] < written.counts["created"] for each in written.states)
    assert run_target(target_config, singer_lines(CUSTOMERS, *leads), tmp_path).status == 0
    assert sum(row["first_name"] == "Q" for row in sandbox.rows("customers")) == 9


def test_a_wrong_api_key_ends_the_run(target_config: Config, tmp_path: Path) -> None:
    """Exit status 2, instead of one rejected record after the other."""
    text = singer_lines(CUSTOMERS, record_message("customers", external_id="k", first_name="K"))
    written = run_target(target_config | {"api_key": "canary-wrong-key"}, text, tmp_path)
    assert written.status == 2
    assert "canary-wrong-key" not in written.stderr
