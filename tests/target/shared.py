"""Schemas, records and queries that several tests of the target use."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from fieldpulse_sandbox.sandbox import Sandbox
from tests.harness.messages import record_message, schema_message
from tests.harness.processes import plugin_command, run_process

CUSTOMERS = schema_message(
    "customers", "external_id", "id", "first_name", "last_name", "email", "phone", "display_name", "status", "notes"
)
JOBS = schema_message("jobs", "external_id", "customer_id", "customer_external_id", "job_type", "notes", "id")
PAYMENTS = schema_message("payments", "external_id", "invoice_id", "amount", "method", "payment_date")
PRICE_UPDATES = schema_message("invoices", "id", "price_update")
PIPELINE_MOVES = schema_message(
    "pipeline_statuses",
    "customer_id",
    "customer_external_id",
    "customer_email",
    "pipeline_status",
    "pipeline_status_id",
)


def write_requests(sandbox: Sandbox, since: int = 0) -> list[str]:
    """Return method and path of each POST, PUT and DELETE, without the first `since` requests of the sandbox."""
    return [f"{request.method} {request.path}" for request in sandbox.requests[since:] if request.method != "GET"]


def posts(sandbox: Sandbox, since: int = 0) -> list[str]:
    """Return the path of each POST, without the first `since` requests of the sandbox."""
    return [request.path for request in sandbox.requests[since:] if request.method == "POST"]


def newest_row(sandbox: Sandbox, stream: str) -> dict[str, Any]:
    """Return the row with the highest id."""
    return max(sandbox.rows(stream), key=lambda row: int(row["id"]))


def row_by_id(sandbox: Sandbox, stream: str, row_id: int) -> dict[str, Any]:
    """Return the row with an id. Fails if the sandbox lacks it."""
    return next(row for row in sandbox.rows(stream) if row["id"] == row_id)


def customers_named(sandbox: Sandbox, *first_names: str) -> list[dict[str, Any]]:
    """Return the customers with these first names."""
    return [row for row in sandbox.rows("customers") if row["first_name"] in first_names]


def numbered_customer(number: int) -> dict[str, Any]:
    """Return the record of a customer whose key, name and e-mail address contain a number."""
    return record_message(
        "customers", external_id=f"d{number}", first_name=f"New{number}", email=f"new{number}@example.com"
    )


def numbered_customers(sandbox: Sandbox) -> list[str]:
    """Return the sorted first names of the rows that were created from `numbered_customer`."""
    return sorted(row["first_name"] for row in sandbox.rows("customers") if str(row["first_name"]).startswith("New"))


def payment(sandbox: Sandbox, key: str = "p", **values: Any) -> dict[str, Any]:
    """Return the record of a payment for the first invoice."""
    required = {"external_id": key, "invoice_id": sandbox.rows("invoices")[0]["id"], "amount": "12.5", "method": "cash"}
    return record_message("payments", **required, **values)


def price_update(sandbox: Sandbox) -> dict[str, Any]:
    """Return the record that updates a price of the first invoice with line items."""
    invoice = next(row for row in sandbox.rows("invoices") if row["line_items"])
    line_item = invoice["line_items"][0]
    component = {"id": line_item["line_components"][0]["id"], "unit_cost": "1.5", "unit_price": "3"}
    changes = [{"id": line_item["id"], "line_components": [component]}]
    return record_message("invoices", id=invoice["id"], price_update=changes)


def run_ledger_command(config: dict[str, Any], *words: str) -> subprocess.CompletedProcess[str]:
    """Run `fieldpulse ledger` in a process, with the ledger of a configuration."""
    return run_process([sys.executable, "-m", "fieldpulse_cli", "ledger", "--ledger-url", config["ledger_url"], *words])


@contextmanager
def running_target(
    config: dict[str, Any], text: str, folder: Path, *, ends_input: bool = False
) -> Iterator[subprocess.Popen[str]]:
    """Run the target in a process that receives `text`, and the end of its input only if `ends_input`.

    A thread writes the input, because the target does not read faster than it writes.
    """

    def write(process: subprocess.Popen[str]) -> None:
        assert process.stdin
        with suppress(BrokenPipeError, ValueError):  # the process ended before it had read everything
            process.stdin.write(text)
            process.stdin.flush()
            if ends_input:
                process.stdin.close()

    with subprocess.Popen(
        plugin_command("target_fieldpulse", config, folder),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        threading.Thread(target=write, args=[process], daemon=True).start()
        yield process
        with suppress(BrokenPipeError):  # what a killed process did not read
            process.stdin.close()  # type: ignore[union-attr]


def wait_until(is_reached: Callable[[], object]) -> None:
    """Wait until another thread or process makes the condition true. Fails after 30 seconds."""
    for _ in range(6000):
        if is_reached():
            return
        time.sleep(0.005)
    pytest.fail("the condition was not reached within 30 s")
