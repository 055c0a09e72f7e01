"""Fields that FieldPulse accepts and does not write."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fieldpulse_sandbox.sandbox import Sandbox
from tests.harness.messages import record_message, schema_message, singer_lines
from tests.harness.target_runner import run_target
from tests.target.shared import CUSTOMERS

LINES = [{"line_components": [{"title": "Filter", "quantity": "2", "unit_price": "10.00"}]}]


def _invoice(sandbox: Sandbox, **values: Any) -> str:
    customer = sandbox.rows("customers")[0]["id"]
    record = record_message("invoices", external_id="i1", customer_id=customer, title="Filters", **values)
    return singer_lines(schema_message("invoices", *record["record"]), record)


@pytest.mark.parametrize("is_new", [True, False], ids=["created", "updated"])
def test_ignored_line_items_are_rejected_and_sent_again(
    sandbox: Sandbox, target_config: dict[str, Any], tmp_path: Path, *, is_new: bool
) -> None:
    """No invoice without its lines counts as written. It is one row, which the next run completes."""
    if not is_new:
        assert run_target(target_config, _invoice(sandbox), tmp_path).counts == {"created": 1}
    sandbox.behaviour.ignored_fields = ("invoices.not_optional_line_items",)
    before = len(sandbox.rows("invoices"))
    result = run_target(target_config, _invoice(sandbox, line_items=LINES), tmp_path)
    assert result.counts == {"rejected": 1}
    assert result.status == 1
    reject = json.loads(Path(target_config["rejects_path"]).read_text().splitlines()[-1])
    assert "ignored not_optional_line_items" in reject["rejected"]
    assert len(sandbox.rows("invoices")) == before + is_new
    sandbox.behaviour.ignored_fields = ()
    assert run_target(target_config, _invoice(sandbox, line_items=LINES), tmp_path).counts == {"updated": 1}
    rows = [row for row in sandbox.rows("invoices") if row["title"] == "Filters"]
    assert [row["total"] for row in rows] == ["20.00"]
    assert run_target(target_config, _invoice(sandbox, line_items=LINES), tmp_path).counts == {"unchanged": 1}


NOTES = singer_lines(
    schema_message("customers", "external_id", "first_name", "notes"),
    record_message("customers", external_id="c1", first_name="Ada", notes="Gate 7"),
)


@pytest.mark.parametrize("is_new", [True, False], ids=["created", "updated"])
def test_a_documented_field_without_an_effect_is_rejected(
    sandbox: Sandbox, target_config: dict[str, Any], tmp_path: Path, *, is_new: bool
) -> None:
    """The response shows an empty column, and so does the row: the value is nowhere, and must not count as written."""
    if not is_new:
        without = singer_lines(CUSTOMERS, record_message("customers", external_id="c1", first_name="Ada"))
        assert run_target(target_config, without, tmp_path).counts == {"created": 1}
    sandbox.behaviour.ignored_fields = ("customers.notes",)
    result = run_target(target_config, NOTES, tmp_path)
    assert (result.status, result.counts) == (1, {"rejected": 1})
    reject = json.loads(Path(target_config["rejects_path"]).read_text().splitlines()[-1])
    assert "ignored notes" in reject["rejected"]
    sandbox.behaviour.ignored_fields = ()
    assert run_target(target_config, NOTES, tmp_path).counts == {"updated": 1}
    assert [row["first_name"] for row in sandbox.rows("customers") if row["notes"] == "Gate 7"] == ["Ada"]
