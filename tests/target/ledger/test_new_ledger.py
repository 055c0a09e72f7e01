"""A new ledger on an account that has rows: a warning, before records are created twice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fieldpulse_sandbox.sandbox import Sandbox
from tests.harness.messages import record_message, singer_lines
from tests.harness.target_runner import run_target
from tests.target.shared import CUSTOMERS

WARNING = "The ledger is new, and FieldPulse has rows of customers"


def customers(*keys: str) -> str:
    return singer_lines(
        CUSTOMERS, *(record_message("customers", external_id=key, first_name=f"Ann {key}") for key in keys)
    )


@pytest.mark.parametrize("dry_run", [False, True])
def test_a_new_ledger_is_warned_of_once(
    sandbox: Sandbox, target_config: dict[str, Any], tmp_path: Path, dry_run: bool
) -> None:
    """With what to do. A dry run warns too: it is what people look at first."""
    config = {**target_config, "dry_run": dry_run}
    log = run_target(config, customers("a", "b"), tmp_path).stderr
    assert log.count(WARNING) == 1
    assert "set ledger_url to that one" in log
    run_target(target_config, customers("a", "b"), tmp_path)
    assert WARNING not in run_target(config, customers("c"), tmp_path).stderr
    assert len([row for row in sandbox.rows("customers") if str(row["first_name"]).startswith("Ann")]) >= 2


def test_an_empty_account_is_not_warned_of(target_config: dict[str, Any], tmp_path: Path) -> None:
    """It has nothing that could come twice."""
    with Sandbox(customers=0) as sandbox:
        config = {**target_config, "api_key": sandbox.key, "api_url": sandbox.url}
        assert WARNING not in run_target(config, customers("a"), tmp_path).stderr
        assert len(sandbox.rows("customers")) == 1


def test_a_run_that_creates_nothing_is_not_warned_of(
    sandbox: Sandbox, target_config: dict[str, Any], tmp_path: Path
) -> None:
    """All records match rows."""
    email = next(row["email"] for row in sandbox.rows("customers") if row["email"])
    text = singer_lines(CUSTOMERS, record_message("customers", external_id="a", email=email))
    result = run_target({**target_config, "match": {"customers": [["email"]]}}, text, tmp_path)
    assert WARNING not in result.stderr
    assert "0 created" in result.stderr
