"""PUTs whose response was lost: they may be applied late, over a newer one."""

from __future__ import annotations

import subprocess
import threading
import time
from pathlib import Path
from typing import Any

from fieldpulse_sandbox.faults.fault import Fault
from fieldpulse_sandbox.sandbox import Sandbox
from tests.harness.messages import record_message, schema_message, singer_lines
from tests.harness.processes import plugin_command
from tests.harness.target_runner import run_target
from tests.target.shared import CUSTOMERS, JOBS

Config = dict[str, Any]


def writes(sandbox: Sandbox, since: int = 0) -> list[str]:
    return [f"{request.method} {request.path}" for request in sandbox.requests[since:] if request.method != "GET"]


def test_a_put_that_is_applied_late_is_repaired(sandbox: Sandbox, target_config: Config, tmp_path: Path) -> None:
    """A PUT without a response is applied after the next one: the row is read, and written again."""
    row = sandbox.rows("customers")[0]
    sandbox.add_fault(Fault("error_status", method="PUT", status=504))
    late = threading.Event()

    def come_late(request: Any) -> None:
        if request.method == "GET" and request.path == f"/customers/{row['id']}" and not late.is_set():
            late.set()
            sandbox.store.patch("customers", row["id"], {"notes": "old"})

    sandbox.on_request = come_late
    text = singer_lines(CUSTOMERS, record_message("customers", id=row["id"], notes="new"))
    assert run_target(target_config, text, tmp_path).counts == {"updated": 1}
    assert late.is_set()
    assert sandbox.rows("customers")[0]["notes"] == "new"


def test_a_price_update_without_a_response_is_sent_once_more(
    sandbox: Sandbox, target_config: Config, tmp_path: Path
) -> None:
    """It may be applied late, over a newer one."""
    invoice = next(row for row in sandbox.rows("invoices") if row["line_items"])
    line = invoice["line_items"][0]
    part = {"id": line["line_components"][0]["id"], "unit_cost": "1.5", "unit_price": "3"}
    sandbox.add_fault(Fault("error_status", method="PUT", status=504))
    prices = record_message("invoices", id=invoice["id"], price_update=[{"id": line["id"], "line_components": [part]}])
    assert (
        run_target(
            target_config, singer_lines(schema_message("invoices", "id", "price_update"), prices), tmp_path
        ).status
        == 0
    )
    assert [line.split("/")[-1] for line in writes(sandbox)] == ["price-update"] * 3


def test_a_late_put_of_a_killed_run_does_not_undo_an_update(target_config: Config, tmp_path: Path) -> None:
    """Updates wait as long as the killed run's PUT may still be applied, and no longer."""
    with Sandbox(customers=30) as sandbox:
        config = target_config | {"api_url": sandbox.url, "api_key": sandbox.key, "uncertain_create_timeout_seconds": 3}
        row = sandbox.rows("customers")[0]["id"]
        sandbox.add_fault(Fault("slow_response", method="PUT", after_commit=False, seconds=1.5))
        with subprocess.Popen(
            plugin_command("target_fieldpulse", config, tmp_path),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            text=True,
        ) as process:
            assert process.stdin
            process.stdin.write(singer_lines(CUSTOMERS, record_message("customers", id=row, notes="old")))
            process.stdin.flush()
            deadline = time.monotonic() + 30
            while not writes(sandbox) and time.monotonic() < deadline:
                time.sleep(0.01)
            process.kill()
        text = singer_lines(CUSTOMERS, record_message("customers", id=row, notes="new"))
        assert run_target(config, text, tmp_path).counts == {"updated": 1}
        assert sandbox.rows("customers")[0]["notes"] == "new"
        again = singer_lines(
            CUSTOMERS, record_message("customers", id=row, notes="newer")
        )  # it would outlast the test if it waited now
        assert run_target(config | {"uncertain_create_timeout_seconds": 3600}, again, tmp_path).counts == {"updated": 1}


def test_a_put_repeats_required_fields_from_the_row(sandbox: Sandbox, target_config: Config, tmp_path: Path) -> None:
    """PUT /jobs requires customer_id, job_type and billing. They are read from the row."""
    job = sandbox.rows("jobs")[0]
    assert (
        run_target(
            target_config, singer_lines(JOBS, record_message("jobs", id=job["id"], notes="Bring a ladder")), tmp_path
        ).status
        == 0
    )
    assert sandbox.rows("jobs")[0]["notes"] == "Bring a ladder"
    assert sandbox.rows("jobs")[0]["job_type"] == job["job_type"]
