"""References that contradict each other, belong to unwritten records, or share a name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fieldpulse_sandbox.sandbox import Sandbox
from tests.harness.messages import record_message, schema_message, singer_lines
from tests.harness.target_runner import run_target
from tests.target.shared import CUSTOMERS, customers_named, write_requests

Config = dict[str, Any]


@pytest.mark.parametrize(
    "values",
    [
        {"status_id": 1, "job_status": "Completed"},
        {"customer_id": 1, "customer_external_id": "c"},
        {"assignments": [{"user_id": 1}], "team": "North Crew"},
    ],
    ids="+".join,
)
def test_contradicting_references_reject_the_record(
    sandbox: Sandbox, target_config: Config, tmp_path: Path, values: Config
) -> None:
    """None of them is dropped silently. Two references to the same row are accepted."""
    run_target(
        target_config, singer_lines(CUSTOMERS, record_message("customers", external_id="c", first_name="C")), tmp_path
    )
    job = sandbox.rows("jobs")[0]
    text = singer_lines(schema_message("jobs", "id", *values), record_message("jobs", id=job["id"], **values))
    result = run_target(target_config, text, tmp_path)
    assert result.counts == {"rejected": 1}
    assert "refer to different rows" in result.stderr
    consistent = record_message(
        "jobs", id=job["id"], customer_id=customers_named(sandbox, "C")[0]["id"], customer_external_id="c"
    )
    text = singer_lines(schema_message("jobs", "id", "customer_id", "customer_external_id"), consistent)
    assert run_target(target_config, text, tmp_path).counts == {"updated": 1}


def test_a_record_that_is_not_written_creates_no_referenced_row(
    sandbox: Sandbox, target_config: Config, tmp_path: Path
) -> None:
    """Neither a skipped nor a rejected record creates its tag."""
    schema = schema_message("customers", "external_id", "first_name", "tags", "status")
    config = target_config | {"create_missing_references": ["tags"]}
    skipped = singer_lines(schema, record_message("customers", external_id="g", first_name="G", tags=["Ghost"]))
    run_target(config | {"write_mode": "update_only"}, skipped, tmp_path)
    run_target(config, singer_lines(schema, record_message("customers", external_id="g", tags=["Ghost"])), tmp_path)
    assert write_requests(sandbox) == []


def test_equal_names_in_two_streams_are_two_rows(sandbox: Sandbox, target_config: Config, tmp_path: Path) -> None:
    """A tag and an asset category of the same name are created separately."""
    item = record_message("items", external_id="i", name="I", tags=["Boiler"])
    asset = record_message("assets", external_id="a", title="A", asset_category="Boiler")
    category = record_message("asset_categories", external_id="c", title="Boiler")
    text = singer_lines(
        *(
            message
            for record in (item, asset, category)
            for message in (schema_message(record["stream"], *record["record"]), record)
        )
    )
    config = target_config | {"create_missing_references": ["tags", "asset_categories"]}
    assert run_target(config, text, tmp_path).status == 0
    (tag,) = [row["id"] for row in sandbox.rows("tags") if row["title"] == "Boiler"]
    (kind,) = [row["id"] for row in sandbox.rows("asset_categories") if row["title"] == "Boiler"]
    assert max(sandbox.rows("items"), key=lambda row: int(row["id"]))["tags"] == [tag]
    assert max(sandbox.rows("assets"), key=lambda row: int(row["id"]))["asset_category_id"] == kind
