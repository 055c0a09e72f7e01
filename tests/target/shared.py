"""Schemas, records and queries that several tests of the target use."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import pytest

from fieldpulse_sandbox.sandbox import Sandbox
from tests.harness.messages import record_message, schema_message
from tests.harness.processes import run_process

CUSTOMERS = schema_message(
    "customers", "external_id", "id", "first_name", "last_name", "email", "phone", "display_name", "status", "notes"
)
JOBS = schema_message("jobs", "external_id", "customer_id", "customer_external_id", "job_type", "notes", "id")
PAYMENTS = schema_message("payments", "external_id", "invoice_id", "amount", "method", "payment_date")
PIPELINE_MOVES = schema_message(
    "pipeline_statuses",
    "customer_id",
    "customer_external_id",
    "customer_email",
    "pipeline_status",
    "pipeline_status_id",
)


def write_requests(sandbox: Sandbox, since: int = 0) -> list[str]:
    """Return method and path of each request that was no GET."""
    return [f"{request.method} {request.path}" for request in sandbox.requests[since:] if request.method != "GET"]


def customers_named(sandbox: Sandbox, *first_names: str) -> list[dict[str, Any]]:
    """Return the customers with these first names."""
    return [row for row in sandbox.rows("customers") if row["first_name"] in first_names]


def numbered_customer(number: int) -> dict[str, Any]:
    """Return the record of a customer that has only a number."""
    return record_message(
        "customers", external_id=f"d{number}", first_name=f"New{number}", email=f"new{number}@example.com"
    )


def numbered_customers(sandbox: Sandbox) -> list[str]:
    """Return the first names of the customers that were created from `numbered_customer`, sorted."""
    return sorted(row["first_name"] for row in sandbox.rows("customers") if str(row["first_name"]).startswith("New"))


def payment(sandbox: Sandbox, key: str = "p", **values: Any) -> dict[str, Any]:
    """Return the record of a payment of the first invoice."""
    required = {"external_id": key, "invoice_id": sandbox.rows("invoices")[0]["id"], "amount": "12.5", "method": "cash"}
    return record_message("payments", **required, **values)


def run_ledger_command(config: dict[str, Any], *words: str) -> subprocess.CompletedProcess[str]:
    """Run `fieldpulse ledger` on the ledger of a configuration."""
    return run_process(
        [sys.executable, "-m", "fieldpulse_cli.main", "ledger", "--ledger-url", config["ledger_url"], *words]
    )


def wait_until(is_reached: Callable[[], bool]) -> None:
    """Wait for something that another thread or process does. Fails after 30 seconds."""
    for _ in range(6000):
        if is_reached():
            return
        time.sleep(0.005)
    pytest.fail("what was waited for did not happen within 30 s")
