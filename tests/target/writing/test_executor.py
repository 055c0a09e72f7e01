"""Rows that are created because records refer to them by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fieldpulse_sandbox.sandbox import Sandbox
from tests.harness.messages import record_message, schema_message, singer_lines
from tests.harness.target_runner import run_target

Config = dict[str, Any]


def test_a_tag_that_was_created_by_name_is_updated_by_its_record(
    sandbox: Sandbox, target_config: Config, tmp_path: Path
) -> None:
    """Jobs refer to the tag before its own record is read. There is one row in the end."""
    customer = sandbox.rows("customers")[0]["id"]
    jobs = [
        record_message("jobs", external_id=f"j{n}", customer_id=customer, job_type="T", tags=["Hot"]) for n in range(5)
    ]
    tag = record_message("tags", external_id="t1", title="Hot", type="job", color="#ff0000")
    text = singer_lines(
        schema_message("jobs", "external_id", "customer_id", "job_type", "tags"),
        *jobs,
        schema_message("tags", *tag["record"]),
        tag,
    )
    counts = run_target(target_config | {"create_missing_references": ["tags"]}, text, tmp_path).counts
    assert counts in ({"created": 5, "updated": 1}, {"created": 6})
    assert [row["color"] for row in sandbox.rows("tags") if row["title"] == "Hot"] == ["#ff0000"]
