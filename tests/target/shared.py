"""Schemas and queries that several tests of the target use."""

from __future__ import annotations

from typing import Any

from fieldpulse_sandbox.sandbox import Sandbox
from tests.harness.messages import schema_message

CUSTOMERS = schema_message(
    "customers", "external_id", "id", "first_name", "last_name", "email", "phone", "display_name", "status", "notes"
)
JOBS = schema_message("jobs", "external_id", "customer_id", "customer_external_id", "job_type", "notes", "id")
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
