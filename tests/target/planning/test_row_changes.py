"""Streams that change rows of another stream, such as moves of customers in the pipeline."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fieldpulse_sandbox.sandbox import Sandbox
from tests.harness.messages import record_message, schema_message, singer_lines
from tests.harness.target_runner import run_target
from tests.target.shared import PIPELINE_MOVES

Config = dict[str, Any]


def test_a_move_is_repeated_after_another_stream_reverted_it(
    sandbox: Sandbox, target_config: Config, tmp_path: Path
) -> None:
    """A write of the customer invalidates the earlier move."""
    customers = schema_message("customers", "external_id", "first_name", "pipeline_status_id")
    ids = {row["name"]: row["id"] for row in sandbox.rows("pipeline_statuses")}
    move = singer_lines(
        PIPELINE_MOVES, record_message("pipeline_statuses", customer_external_id="m", pipeline_status="Won")
    )
    run_target(
        target_config, singer_lines(customers, record_message("customers", external_id="m", first_name="M")), tmp_path
    )
    run_target(target_config, move, tmp_path)
    back = record_message("customers", external_id="m", first_name="M", pipeline_status_id=ids["Lost"])
    run_target(target_config, singer_lines(customers, back), tmp_path)
    assert run_target(target_config, move, tmp_path).counts == {"updated": 1}
    assert sandbox.rows("customers")[-1]["pipeline_status_id"] == ids["Won"]


def test_a_move_is_repeated_after_a_partial_write_of_the_row(
    sandbox: Sandbox, target_config: Config, tmp_path: Path
) -> None:
    """A record of the customer changes the pipeline status, and is rejected for a null that clears nothing."""
    statuses = {row["name"]: row["id"] for row in sandbox.rows("pipeline_statuses")}
    customer, user = sandbox.rows("customers")[0]["id"], sandbox.rows("users")[0]["id"]
    schema = schema_message("customers", "id", "assigned_to", "pipeline_status_id")
    moves = schema_message("pipeline_statuses", "customer_id", "pipeline_status")
    move = singer_lines(moves, record_message("pipeline_statuses", customer_id=customer, pipeline_status="Won"))
    config = target_config | {"null_policy": "clear"}
    run_target(config, singer_lines(schema, record_message("customers", id=customer, assigned_to=user)), tmp_path)
    run_target(config, move, tmp_path)
    partial = record_message("customers", id=customer, assigned_to=None, pipeline_status_id=statuses["Lost"])
    assert run_target(config, singer_lines(schema, partial), tmp_path).counts == {"rejected": 1}
    assert run_target(config, move, tmp_path).counts == {"updated": 1}
    assert sandbox.rows("customers")[0]["pipeline_status_id"] == statuses["Won"]
