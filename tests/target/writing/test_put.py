"""PUT requests: those without a response, which may be applied after a newer one, and their required fields."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

from fieldpulse_sandbox.faults.fault import Fault
from fieldpulse_sandbox.sandbox import Sandbox
from tests.harness.messages import record_message, singer_lines
from tests.harness.target_runner import run_target
from tests.target.shared import CUSTOMERS, JOBS, PRICE_UPDATES, price_update, running_target, wait_until, write_requests

Config = dict[str, Any]


def test_a_put_that_is_applied_late_is_repaired(sandbox: Sandbox, target_config: Config, tmp_path: Path) -> None:
    """The server applies a PUT without a response after its repetition. The target reads the row and writes again."""
    row = sandbox.rows("customers")[0]
    sandbox.add_fault(Fault("error_status", method="PUT", status=504))
    is_applied_late = threading.Event()

    def apply_late_put(request: Any) -> None:
        if request.method == "GET" and request.path == f"/customers/{row['id']}" and not is_applied_late.is_set():
            is_applied_late.set()
            sandbox.store.patch("customers", row["id"], {"notes": "old"})

    sandbox.on_request = apply_late_put
    text = singer_lines(CUSTOMERS, record_message("customers", id=row["id"], notes="new"))
    assert run_target(target_config, text, tmp_path).counts == {"updated": 1}
    assert is_applied_late.is_set()
    assert sandbox.rows("customers")[0]["notes"] == "new"


def test_a_price_update_without_a_response_is_sent_once_more(
    sandbox: Sandbox, target_config: Config, tmp_path: Path
) -> None:
    """The first request may be applied late, so that the target repeats the update after the retry."""
    sandbox.add_fault(Fault("error_status", method="PUT", status=504))
    assert run_target(target_config, singer_lines(PRICE_UPDATES, price_update(sandbox)), tmp_path).status == 0
    assert [line.split("/")[-1] for line in write_requests(sandbox)] == ["price-update"] * 3


def test_a_late_put_of_a_killed_run_does_not_undo_an_update(target_config: Config, tmp_path: Path) -> None:
    """Updates wait only as long as the server may still apply the PUT of the killed run."""
    with Sandbox(customers=30) as sandbox:
        config = target_config | {"api_url": sandbox.url, "api_key": sandbox.key, "uncertain_create_timeout_seconds": 3}
        row = sandbox.rows("customers")[0]["id"]
        sandbox.add_fault(Fault("slow_response", method="PUT", after_commit=False, seconds=1.5))
        old = singer_lines(CUSTOMERS, record_message("customers", id=row, notes="old"))
        with running_target(config, old, tmp_path) as process:
            wait_until(lambda: write_requests(sandbox))
            process.kill()
        text = singer_lines(CUSTOMERS, record_message("customers", id=row, notes="new"))
        assert run_target(config, text, tmp_path).counts == {"updated": 1}
        assert sandbox.rows("customers")[0]["notes"] == "new"
        newer = singer_lines(CUSTOMERS, record_message("customers", id=row, notes="newer"))
        long_timeout = config | {
            "uncertain_create_timeout_seconds": 3600
        }  # a wait would exceed the time limit of the test
        assert run_target(long_timeout, newer, tmp_path).counts == {"updated": 1}


def test_a_put_repeats_required_fields_from_the_row(sandbox: Sandbox, target_config: Config, tmp_path: Path) -> None:
    """PUT /jobs requires customer_id, job_type and billing, which the target reads from the row."""
    job = sandbox.rows("jobs")[0]
    assert (
        run_target(
            target_config, singer_lines(JOBS, record_message("jobs", id=job["id"], notes="Bring a ladder")), tmp_path
        ).status
        == 0
    )
    assert sandbox.rows("jobs")[0]["notes"] == "Bring a ladder"
    assert sandbox.rows("jobs")[0]["job_type"] == job["job_type"]
