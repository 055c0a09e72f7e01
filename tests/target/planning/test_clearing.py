"""Fields that a null or an empty text clears."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fieldpulse_sandbox.sandbox import Sandbox
from tests.harness.messages import record_message, schema_message, singer_lines
from tests.harness.target_runner import run_target
from tests.target.shared import CUSTOMERS, customers_named

Config = dict[str, Any]


def test_a_null_clears_references_and_flags(sandbox: Sandbox, target_config: Config, tmp_path: Path) -> None:
    """The flag becomes false. The same nulls again write nothing."""
    sandbox.behaviour.put_null = "clear"
    values = {
        "lead_source": sandbox.rows("lead_sources")[0]["name"],
        "assigned_to_email": sandbox.rows("users")[0]["email"],
    }
    values |= {"has_different_billing_address": True}
    schema = schema_message("customers", "external_id", "first_name", *values)
    config = target_config | {"null_policy": "clear"}

    def send(values: Config) -> Config:
        return run_target(
            config,
            singer_lines(schema, record_message("customers", external_id="n", first_name="N", **values)),
            tmp_path,
        ).counts

    assert send(values) == {"created": 1}
    assert send(dict.fromkeys(values)) == {"updated": 1}
    (row,) = customers_named(sandbox, "N")
    assert (row["lead_source_id"], row["assigned_to"], row["has_different_billing_address"]) == (None, None, False)
    assert send(dict.fromkeys(values)) == {"unchanged": 1}


def test_concurrent_nulls_are_cleared_while_the_clear_value_is_tested(
    sandbox: Sandbox, target_config: Config, tmp_path: Path
) -> None:
    """No record uses a clear value before it is proved."""
    sandbox.behaviour.put_null = "empty"
    config = target_config | {"null_policy": "clear"}
    keys = [f"k{number}" for number in range(120)]
    full = singer_lines(
        CUSTOMERS, *(record_message("customers", external_id=key, first_name="Nulled", notes="Text") for key in keys)
    )
    run_target(config, full, tmp_path)
    nulls = [record_message("customers", external_id=key, first_name="Nulled", notes=None) for key in keys]
    plain = [record_message("customers", external_id=f"p{key}", first_name="Plain") for key in keys]
    mixed = [record for pair in zip(nulls, plain, strict=True) for record in pair]
    assert run_target(config, singer_lines(CUSTOMERS, *mixed), tmp_path).status == 0
    assert {row["notes"] or "" for row in customers_named(sandbox, "Nulled")} == {""}


def test_an_empty_text_is_null_in_a_field_for_times(sandbox: Sandbox, target_config: Config, tmp_path: Path) -> None:
    """Sources such as CSV files have empty text for null. It clears the field only if `null_policy` is `clear`."""
    job = sandbox.rows("jobs")[0]
    schema = schema_message("jobs", "id", "due_date")
    due = singer_lines(schema, record_message("jobs", id=job["id"], due_date="2026-05-01T00:00:00Z"))
    empty = singer_lines(schema, record_message("jobs", id=job["id"], due_date=""))
    run_target(target_config, due, tmp_path)
    assert run_target(target_config, empty, tmp_path).counts == {"unchanged": 1}
    sandbox.behaviour.put_null = "clear"
    assert run_target(target_config | {"null_policy": "clear"}, empty, tmp_path).counts == {"updated": 1}
    assert sandbox.rows("jobs")[0]["due_date"] is None
