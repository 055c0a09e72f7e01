"""External ids that are stored in a field of the row."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fieldpulse_sandbox.sandbox import Sandbox
from tests.harness.messages import record_message, schema_message, singer_lines
from tests.harness.target_runner import run_target
from tests.target.shared import CUSTOMERS, customers_named

Config = dict[str, Any]


def test_stored_external_ids_are_compared_exactly(sandbox: Sandbox, target_config: Config, tmp_path: Path) -> None:
    """`a1` differs from `A1`. A row that matches by e-mail address keeps its external_id."""
    config = target_config | {"external_id_fields": {"customers": "Gate code"}}
    for key, name in (("a1", "Low"), ("A1", "Up"), ("b  1", "Wide"), ("b 1", "Slim")):
        run_target(
            config, singer_lines(CUSTOMERS, record_message("customers", external_id=key, first_name=name)), tmp_path
        )
    assert len(customers_named(sandbox, "Low", "Up", "Wide", "Slim")) == 4
    shared = {"email": "one@example.com"}
    first = singer_lines(CUSTOMERS, record_message("customers", external_id="s1", first_name="S", **shared))
    second = singer_lines(CUSTOMERS, record_message("customers", external_id="s2", first_name="S", **shared))
    assert run_target(config, first, tmp_path).counts == {"created": 1}
    assert run_target(config, second, tmp_path).counts == {"rejected": 1}
    (row,) = customers_named(sandbox, "S")
    assert [field["value"] for field in row["customfields"]] == ["s1"]
    clash = record_message("customers", external_id="s1", first_name="S", custom_fields={"Gate code": "mine"}, **shared)
    schema = schema_message("customers", "external_id", "first_name", "email", "custom_fields")
    assert run_target(config, singer_lines(schema, clash), tmp_path).counts == {"rejected": 1}


def test_a_new_external_id_field_is_filled_for_rows_in_the_ledger(
    sandbox: Sandbox, target_config: Config, tmp_path: Path
) -> None:
    """The next record after the change of the setting updates its row once."""
    text = singer_lines(CUSTOMERS, record_message("customers", external_id="late", first_name="Late"))
    run_target(target_config, text, tmp_path)
    config = target_config | {"external_id_fields": {"customers": "Gate code"}}
    assert run_target(config, text, tmp_path).counts == {"updated": 1}
    assert [field["value"] for field in customers_named(sandbox, "Late")[0]["customfields"]] == ["late"]
    assert run_target(config, text, tmp_path).counts == {"unchanged": 1}
