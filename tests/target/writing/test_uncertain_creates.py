"""Creates whose outcome is unknown: found, or sent again, and never both."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from fieldpulse_sandbox.faults.fault import Fault
from fieldpulse_sandbox.sandbox import Sandbox
from tests.harness.messages import record_message, schema_message, singer_lines, state_message
from tests.harness.processes import plugin_command
from tests.harness.target_runner import run_target

Config = dict[str, Any]

CUSTOMERS = schema_message("customers", "external_id", "first_name", "email")
JOBS = schema_message("jobs", "external_id", "customer_external_id", "customer_id", "job_type", "notes", "start_time")


def lead(number: int) -> dict[str, Any]:
    return record_message(
        "customers", external_id=f"d{number}", first_name=f"Doubt{number}", email=f"doubt{number}@example.com"
    )


def doubted(box: Sandbox) -> list[str]:
    return sorted(row["first_name"] for row in box.rows("customers") if str(row["first_name"]).startswith("Doubt"))


@pytest.mark.parametrize("after_commit", [True, False], ids=["committed", "not committed"])
@pytest.mark.parametrize("kind", ["dropped_connection", "error_status", "not_json", "empty_body"])
def test_an_answer_that_is_lost_makes_no_second_customer(
    box: Sandbox,
    target_config: Config,
    tmp_path: Path,
    kind: str,
    after_commit: bool,
) -> None:
    """Whether the create happened or not, there is one customer at the end, counted as created."""
    box.add_fault(Fault(kind, method="POST", after_commit=after_commit, status=500, skip=2, times=3))  # type: ignore[arg-type]
    text = singer_lines(CUSTOMERS, *(lead(number) for number in range(8)), state_message(1))
    written = run_target(target_config, text, tmp_path)
    assert written.counts == {"created": 8}
    assert written.states == [{"bookmarks": 1}]
    assert doubted(box) == [f"Doubt{number}" for number in range(8)]


@pytest.mark.parametrize("seed", range(3))
def test_creates_that_look_alike_keep_their_own_content(
    box: Sandbox, target_config: Config, tmp_path: Path, seed: int
) -> None:
    """Visits of one kind to one customer, every third answer lost: each key has a row of its own."""
    chance = random.Random(seed)
    for _ in range(10):
        box.add_fault(
            Fault(
                "dropped_connection",
                method="POST",
                path="/jobs",
                after_commit=chance.random() < 0.7,
                skip=chance.randrange(3),
            )
        )
    customer = box.rows("customers")[0]["id"]
    visits = [
        record_message(
            "jobs",
            external_id=f"v{n}",
            customer_id=customer,
            job_type="Visit",
            notes=f"n{n}",
            start_time=f"2026-05-{n + 1:02}T10:00:00Z",
        )
        for n in range(20)
    ]
    assert run_target(target_config, singer_lines(JOBS, *visits), tmp_path).counts == {"created": 20}
    there = sorted((row["notes"], row["start_time"]) for row in box.rows("jobs") if row["job_type"] == "Visit")
    assert there == sorted((f"n{n}", f"2026-05-{n + 1:02} 10:00:00") for n in range(20))
    assert run_target(target_config, singer_lines(JOBS, *visits), tmp_path).counts == {"unchanged": 20}


def test_a_schema_that_comes_again_takes_no_create_under_way(
    box: Sandbox, target_config: Config, tmp_path: Path
) -> None:
    """A tap whose schema changes between records makes a new sink; what is in flight is not in doubt for that."""
    box.add_fault(Fault("dropped_connection", method="POST", after_commit=True, times=3))
    more = schema_message("customers", "external_id", "first_name", "email", "notes")
    parts = [part for n in range(6) for part in (CUSTOMERS if n % 2 else more, lead(n))]
    assert run_target(target_config, singer_lines(*parts), tmp_path).counts == {"created": 6}
    assert doubted(box) == [f"Doubt{n}" for n in range(6)]


def test_a_server_that_never_creates_ends_the_run(box: Sandbox, target_config: Config, tmp_path: Path) -> None:
    """Not sent for ever: after the third time it is FieldPulse's turn, and no state has left."""
    box.add_fault(Fault("dropped_connection", method="POST", times=99))
    written = run_target(target_config, singer_lines(CUSTOMERS, lead(1), state_message(1)), tmp_path)
    assert (written.status, written.states) == (1, [])
    assert "neither made nor refused this create in 3 attempts" in written.stderr
    assert sum(request.method == "POST" for request in box.requests) == 3


def test_a_run_stopped_in_doubt_lets_no_state_pass(box: Sandbox, target_config: Config, tmp_path: Path) -> None:
    """The record comes again with the old state, and is created then."""
    box.add_fault(Fault("dropped_connection", method="POST", after_commit=False))
    line = plugin_command("target_fieldpulse", target_config | {"uncertain_create_timeout_seconds": 60}, tmp_path)
    text = singer_lines(CUSTOMERS, lead(1), state_message(1), lead(2), state_message(2))
    with subprocess.Popen(
        line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        _feed(process, text, close=False)
        _wait(lambda: doubted(box) == ["Doubt2"])
        process.send_signal(signal.SIGTERM)
        output, said = process.communicate(timeout=30)
    assert process.returncode == 128 + signal.SIGTERM
    assert output == ""
    assert "1 uncertain" in said
    assert run_target(target_config, text, tmp_path).counts == {"created": 1, "unchanged": 1}
    assert doubted(box) == ["Doubt1", "Doubt2"]


def test_two_targets_at_once_do_not_write_the_same_records_twice(target_config: Config, tmp_path: Path) -> None:
    """The second is told who has the ledger, and has sent nothing."""
    with Sandbox(customers=30, latency_ms=15) as box:
        config = target_config | {"api_url": box.url, "api_key": box.key}
        line = plugin_command("target_fieldpulse", config, tmp_path)
        with subprocess.Popen(
            line, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True
        ) as process:
            _feed(process, singer_lines(CUSTOMERS, *(lead(number) for number in range(200))), close=False)
            _wait(lambda: len(doubted(box)) > 5)
            second = run_target(config, singer_lines(CUSTOMERS, lead(500)), tmp_path)
            process.kill()
        assert second.status == 4
        assert str(process.pid) in second.stderr
        assert "Doubt500" not in doubted(box)


@pytest.mark.parametrize("output", ["/dev/full", "closed"])
def test_a_state_that_cannot_leave_is_no_success(
    box: Sandbox, target_config: Config, tmp_path: Path, output: str
) -> None:
    """The runner would keep the old state and believe that all is well."""
    line = " ".join(plugin_command("target_fieldpulse", target_config, tmp_path))
    shell = f"{line} > {output}" if output != "closed" else f"{line} >&-"
    text = singer_lines(CUSTOMERS, lead(1), state_message(1))
    ended = subprocess.run(["bash", "-c", shell], input=text, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode != 0
    assert "Traceback" not in ended.stderr


def test_several_rows_that_may_be_the_one_are_left_uncertain(
    box: Sandbox, target_config: Config, tmp_path: Path
) -> None:
    """Somebody else created the same meanwhile: no guess, a report, exit status 1, and the record is safe."""
    create = box.store.create

    def create_twice(name: str, values: dict[str, Any]) -> dict[str, Any]:
        create(name, dict(values))
        return create(name, values)

    box.store.create = create_twice  # type: ignore[method-assign]  # the server's doing, not ours
    box.add_fault(Fault("dropped_connection", method="POST", path="/jobs", after_commit=True))
    customer = box.rows("customers")[0]["id"]
    text = singer_lines(
        schema_message("jobs", "external_id", "customer_id", "job_type"),
        record_message("jobs", external_id="u", customer_id=customer, job_type="Twin"),
        state_message(1),
    )
    written = run_target(target_config, text, tmp_path)
    assert (written.counts, written.status, written.states) == ({"uncertain": 1}, 1, [{"bookmarks": 1}])
    assert json.loads(Path(target_config["rejects_path"]).read_text().splitlines()[1])["record"]["external_id"] == "u"
    again = run_target(target_config, text, tmp_path)
    assert again.counts == {"uncertain": 1}
    assert sum(row["job_type"] == "Twin" for row in box.rows("jobs")) == 2


def test_a_create_that_never_happened_is_forgotten_at_the_next_start(
    box: Sandbox, target_config: Config, tmp_path: Path
) -> None:
    """A killed run leaves an intention; where nothing came of it, the record is created when it comes again."""
    box.add_fault(Fault("slow_response", method="POST", seconds=60))
    line = plugin_command("target_fieldpulse", target_config, tmp_path)
    with subprocess.Popen(
        line, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdin
        process.stdin.write(singer_lines(CUSTOMERS, lead(1)))
        process.stdin.flush()
        _wait(
            lambda: (
                any(request.method == "POST" for request in box.requests) or bool(list(tmp_path.glob("ledger.db-wal")))
            )
        )
        time.sleep(0.3)
        process.kill()
    time.sleep(0.4)
    assert run_target(target_config, singer_lines(CUSTOMERS, lead(1)), tmp_path).counts == {"created": 1}


@pytest.mark.parametrize("seed", range(3))
def test_kill_9_at_any_moment_neither_loses_nor_doubles_a_record(
    target_config: Config, tmp_path: Path, seed: int
) -> None:
    """Killed and started from the last state until done: each key once, no state ahead of the account."""
    chance = random.Random(seed)
    total = 90
    print(f"seed {seed}")  # noqa: T201
    parts = [part for number in range(total) for part in (lead(number), state_message(number))]
    with Sandbox(customers=30, latency_ms=15) as box:
        config = target_config | {"api_url": box.url, "api_key": box.key}
        done, kills = -1, 0
        while done < total - 1:
            text = singer_lines(CUSTOMERS, *parts[2 * (done + 1) :])
            line = plugin_command("target_fieldpulse", config, tmp_path)
            with subprocess.Popen(
                line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
            ) as process:
                begun = len(box.requests)
                deadline = chance.randrange(3, 40) if kills < 4 else 10_000
                _feed(process, text)
                _wait(lambda p=process, b=begun, d=deadline: p.poll() is not None or len(box.requests) - b >= d)  # type: ignore[misc]
                process.kill()
                kills += 1
                assert process.stdout
                for said in process.stdout:
                    done = max(done, json.loads(said)["bookmarks"])
            present = set(doubted(box))
            assert {f"Doubt{number}" for number in range(done + 1)} <= present
        assert kills > 2
        assert doubted(box) == sorted(f"Doubt{number}" for number in range(total))


def test_sigterm_ends_the_run_with_what_is_under_way_acknowledged(target_config: Config, tmp_path: Path) -> None:
    """Status 143, states only behind what FieldPulse has, and the last line adds up."""
    parts = [part for number in range(400) for part in (lead(number), state_message(number))]
    with Sandbox(customers=30, latency_ms=15) as box:
        line = plugin_command("target_fieldpulse", target_config | {"api_url": box.url, "api_key": box.key}, tmp_path)
        with subprocess.Popen(
            line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            _feed(process, singer_lines(CUSTOMERS, *parts), close=False)
            _wait(lambda: len(doubted(box)) > 20)
            process.send_signal(signal.SIGTERM)
            output, said = process.communicate(timeout=30)
        states = [json.loads(one)["bookmarks"] for one in output.splitlines()]
        assert process.returncode == 128 + signal.SIGTERM
        assert "read " in said.splitlines()[-1]
        assert {f"Doubt{number}" for number in range(max(states) + 1)} <= set(doubted(box))
        assert "Traceback" not in said


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


def _wait(until: Any) -> None:
    for _ in range(6000):
        if until():
            return
        time.sleep(0.005)
    pytest.fail("what was waited for did not happen within 30 s")
