"""Uncertain creates: the target links the row of a create, or sends it again, and never both."""

from __future__ import annotations

import json
import os
import random
import time
from pathlib import Path
from typing import Any

import pytest

from fieldpulse_sandbox.faults.fault import Fault
from fieldpulse_sandbox.sandbox import Sandbox
from fieldpulse_sandbox.server.recorded_request import RecordedRequest
from tests.harness.messages import record_message, schema_message, singer_lines, state_message
from tests.harness.target_runner import run_target
from tests.target.shared import numbered_customer, numbered_customers, posts, running_target, wait_until

Config = dict[str, Any]

CUSTOMERS = schema_message("customers", "external_id", "first_name", "email")
JOBS = schema_message("jobs", "external_id", "customer_external_id", "customer_id", "job_type", "notes", "start_time")
JOBS_WITH_DETAILS = schema_message(
    "jobs", "external_id", "id", "customer_id", "job_type", "subtitle", "status_id", "job_status", "team"
)


@pytest.mark.parametrize("after_commit", [True, False], ids=["committed", "not committed"])
@pytest.mark.parametrize("kind", ["dropped_connection", "error_status", "not_json", "empty_body"])
def test_a_lost_response_creates_no_second_customer(
    sandbox: Sandbox,
    target_config: Config,
    tmp_path: Path,
    kind: str,
    after_commit: bool,
) -> None:
    """With or without a row of the first create, each record has one row and counts as created."""
    sandbox.add_fault(Fault(kind, method="POST", after_commit=after_commit, status=500, skip=2, times=3))  # type: ignore[arg-type]
    text = singer_lines(CUSTOMERS, *(numbered_customer(number) for number in range(8)), state_message(1))
    result = run_target(target_config, text, tmp_path)
    assert result.counts == {"created": 8}
    assert result.states == [{"bookmarks": 1}]
    assert numbered_customers(sandbox) == [f"New{number}" for number in range(8)]


@pytest.mark.parametrize("seed", range(3))
def test_similar_creates_keep_their_own_values(
    sandbox: Sandbox, target_config: Config, tmp_path: Path, seed: int
) -> None:
    """Jobs of one type for one customer lose ten responses. Each key still has its own row."""
    chance = random.Random(seed)
    for _ in range(10):
        sandbox.add_fault(
            Fault(
                "dropped_connection",
                method="POST",
                path="/jobs",
                after_commit=chance.random() < 0.7,
                skip=chance.randrange(3),
            )
        )
    customer = sandbox.rows("customers")[0]["id"]
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
    stored = sorted((row["notes"], row["start_time"]) for row in sandbox.rows("jobs") if row["job_type"] == "Visit")
    assert stored == sorted((f"n{n}", f"2026-05-{n + 1:02} 10:00:00") for n in range(20))
    assert run_target(target_config, singer_lines(JOBS, *visits), tmp_path).counts == {"unchanged": 20}


def test_a_repeated_schema_links_no_create_in_flight(sandbox: Sandbox, target_config: Config, tmp_path: Path) -> None:
    """A changed schema makes the SDK build a new sink. Creates in flight are not uncertain then."""
    sandbox.add_fault(Fault("dropped_connection", method="POST", after_commit=True, times=3))
    wider_schema = schema_message("customers", "external_id", "first_name", "email", "notes")
    messages = [message for n in range(6) for message in (CUSTOMERS if n % 2 else wider_schema, numbered_customer(n))]
    assert run_target(target_config, singer_lines(*messages), tmp_path).counts == {"created": 6}
    assert numbered_customers(sandbox) == [f"New{n}" for n in range(6)]


def test_a_create_that_never_happens_ends_the_run_after_three_attempts(
    sandbox: Sandbox, target_config: Config, tmp_path: Path
) -> None:
    """No state acknowledges the record."""
    sandbox.add_fault(Fault("dropped_connection", method="POST", times=99))
    result = run_target(target_config, singer_lines(CUSTOMERS, numbered_customer(1), state_message(1)), tmp_path)
    assert (result.status, result.states) == (1, [])
    assert "neither carried out nor rejected this create in 3 attempts" in result.stderr
    assert len(posts(sandbox)) == 3


def test_several_matching_rows_leave_the_record_uncertain(
    sandbox: Sandbox, target_config: Config, tmp_path: Path
) -> None:
    """Another client creates the same job at the same time. The rejects file keeps the record, the exit status is 1."""
    create = sandbox.store.create

    def create_twice(name: str, values: dict[str, Any]) -> dict[str, Any]:
        create(name, dict(values))
        return create(name, values)

    sandbox.store.create = create_twice  # type: ignore[method-assign]  # another client of the server
    sandbox.add_fault(Fault("dropped_connection", method="POST", path="/jobs", after_commit=True))
    customer = sandbox.rows("customers")[0]["id"]
    text = singer_lines(
        schema_message("jobs", "external_id", "customer_id", "job_type"),
        record_message("jobs", external_id="u", customer_id=customer, job_type="Twin"),
        state_message(1),
    )
    result = run_target(target_config, text, tmp_path)
    assert (result.counts, result.status, result.states) == ({"uncertain": 1}, 1, [{"bookmarks": 1}])
    assert json.loads(Path(target_config["rejects_path"]).read_text().splitlines()[1])["record"]["external_id"] == "u"
    second = run_target(target_config, text, tmp_path)
    assert second.counts == {"uncertain": 1}
    assert sum(row["job_type"] == "Twin" for row in sandbox.rows("jobs")) == 2


def test_the_next_run_sends_a_create_that_never_happened(
    sandbox: Sandbox, target_config: Config, tmp_path: Path
) -> None:
    """A killed run leaves a pending entry. If no row matches it, its record is created when it is read again."""
    sandbox.add_fault(Fault("slow_response", method="POST", seconds=60))
    text = singer_lines(CUSTOMERS, numbered_customer(1))
    with running_target(target_config, text, tmp_path) as process:
        wait_until(
            lambda: (
                any(request.method == "POST" for request in sandbox.requests)
                or bool(list(tmp_path.glob("ledger.db-wal")))
            )
        )
        time.sleep(0.3)
        process.kill()
    time.sleep(0.4)
    assert run_target(target_config, text, tmp_path).counts == {"created": 1}


def test_a_row_that_hides_columns_is_read_by_id(sandbox: Sandbox, target_config: Config, tmp_path: Path) -> None:
    """The list leaves out a column of the fingerprint, and the row by id shows it."""
    table = sandbox.store.tables["jobs"]
    table._hidden |= {"subtitle"}
    sandbox.add_fault(Fault("dropped_connection", method="POST", path="/jobs", after_commit=True, times=2))
    customer = sandbox.rows("customers")[0]["id"]
    jobs = [
        record_message("jobs", external_id=f"j{n}", customer_id=customer, job_type="Lean", subtitle=f"s{n}")
        for n in range(3)
    ]
    assert run_target(target_config, singer_lines(JOBS_WITH_DETAILS, *jobs), tmp_path).counts == {"created": 3}
    assert sorted(row["subtitle"] for row in table.rows.values() if row["job_type"] == "Lean") == ["s0", "s1", "s2"]


def test_a_refused_list_does_not_count_as_empty(sandbox: Sandbox, target_config: Config, tmp_path: Path) -> None:
    """The create stays uncertain, and the next run settles it."""
    sandbox.add_fault(Fault("dropped_connection", method="POST", path="/jobs", after_commit=True))
    sandbox.add_fault(Fault("error_status", method="GET", path="/jobs", status=404, skip=2))
    text = singer_lines(
        JOBS_WITH_DETAILS,
        record_message("jobs", external_id="j", customer_id=sandbox.rows("customers")[0]["id"], job_type="Once"),
    )
    assert run_target(target_config, text, tmp_path).status == 1
    assert run_target(target_config, text, tmp_path).counts == {"created": 1}
    assert sum(row["job_type"] == "Once" for row in sandbox.rows("jobs")) == 1


@pytest.mark.parametrize("committed", [True, False], ids=["carried out", "not carried out"])
def test_a_less_specific_create_does_not_link_the_row_of_another(
    sandbox: Sandbox, target_config: Config, tmp_path: Path, committed: bool
) -> None:
    """Of two payments that differ only in a date, each has a row of its own or stays uncertain.

    The response to the general create is lost. The input continues only then, so that this create is always the first.
    The specific create has a row, but no response yet, while the target looks for the row of the general one.
    """
    values = {"invoice_id": sandbox.rows("invoices")[0]["id"], "amount": "33.00", "method": "cash"}
    general = record_message("payments", external_id="p1", notes="general", **values)
    specific = record_message(
        "payments", external_id="p2", notes="specific", payment_date="2026-03-01T10:00:00Z", **values
    )
    schema = schema_message("payments", "external_id", "notes", "payment_date", *values)
    sandbox.add_fault(Fault("dropped_connection", method="POST", path="/payments", after_commit=committed))
    sandbox.add_fault(Fault("slow_response", method="POST", path="/payments", after_commit=True, seconds=2))
    read_fd, write_fd = os.pipe()
    with os.fdopen(read_fd, "rb") as target_input, os.fdopen(write_fd, "wb") as tap_output:

        def continue_input(request: RecordedRequest) -> None:
            if request.method == "POST" and not tap_output.closed:
                tap_output.write(singer_lines(specific).encode())
                tap_output.close()

        sandbox.on_request = continue_input
        tap_output.write(singer_lines(schema, general).encode())
        tap_output.flush()
        result = run_target(target_config | {"uncertain_create_timeout_seconds": 0.5}, target_input, tmp_path)
    sent = [request.body["notes"] for request in sandbox.requests if request.method == "POST" and request.body]
    stored = sorted(row["notes"] for row in sandbox.rows("payments") if row["amount"] == "33.00")
    assert sent == ["general", "specific"]
    assert stored == (["general", "specific"] if committed else ["specific"])
    assert result.counts == ({"created": 2} if committed else {"created": 1, "uncertain": 1})


def test_a_row_with_data_that_was_not_sent_is_not_linked(
    sandbox: Sandbox, target_config: Config, tmp_path: Path
) -> None:
    """The only new row has a subtitle, as if a user had created it. The record stays uncertain."""
    create = sandbox.store.create

    def create_by_hand(name: str, values: dict[str, Any]) -> dict[str, Any]:
        return create(name, {**values, "subtitle": "By hand"} if name == "jobs" else values)

    sandbox.store.create = create_by_hand  # type: ignore[method-assign]  # another client of the server
    sandbox.add_fault(Fault("dropped_connection", method="POST", path="/jobs", after_commit=True))
    text = singer_lines(
        JOBS_WITH_DETAILS,
        record_message("jobs", external_id="j", customer_id=sandbox.rows("customers")[0]["id"], job_type="Like"),
    )
    result = run_target(target_config, text, tmp_path)
    assert result.counts == {"uncertain": 1}
    assert "holds data that was not sent" in result.stderr
