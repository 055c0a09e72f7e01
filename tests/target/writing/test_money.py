"""Payments: a create that moves money is never sent twice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fieldpulse_sandbox.faults.fault import Fault
from fieldpulse_sandbox.sandbox import Sandbox
from tests.harness.messages import singer_lines
from tests.harness.target_runner import run_target
from tests.target.shared import PAYMENTS, payment, posts, run_ledger_command

Config = dict[str, Any]


def payment_count(sandbox: Sandbox) -> int:
    """Return the number of rows with the amount of `payment`."""
    return sum(row["amount"] == "12.50" for row in sandbox.rows("payments"))


def test_a_payment_whose_response_is_lost_is_linked(sandbox: Sandbox, target_config: Config, tmp_path: Path) -> None:
    """The row exists, so the target links it and sends no second request."""
    sandbox.add_fault(Fault("dropped_connection", method="POST", after_commit=True))
    text = singer_lines(PAYMENTS, payment(sandbox, payment_date="2026-03-01T10:00:00Z"))
    assert run_target(target_config, text, tmp_path).counts == {"created": 1}
    assert run_target(target_config, text, tmp_path).counts == {"unchanged": 1}
    assert payment_count(sandbox) == 1


@pytest.mark.parametrize("is_created_by_hand", [True, False], ids=["created by hand", "not created"])
def test_a_payment_that_is_not_found_is_never_sent_again(
    sandbox: Sandbox, target_config: Config, tmp_path: Path, is_created_by_hand: bool
) -> None:
    """The payment stays uncertain in every run until the user settles it with `fieldpulse ledger settle`."""
    sandbox.add_fault(Fault("dropped_connection", method="POST", after_commit=False))
    text = singer_lines(PAYMENTS, payment(sandbox))
    for _ in range(2):
        result = run_target(target_config, text, tmp_path)
        assert (result.counts, result.status) == ({"uncertain": 1}, 1)
        assert "fieldpulse ledger settle" in result.stderr
    assert len(posts(sandbox)) == 1
    assert "payments" in run_ledger_command(target_config, "list", "--pending").stdout
    if is_created_by_hand:
        values = {"invoice_id": sandbox.rows("invoices")[0]["id"], "amount": "12.50", "method": "card"}
        row = sandbox.store.create("payments", values)
        settled = run_ledger_command(
            target_config, "settle", "--stream", "payments", "--key", "p", "--created", str(row["id"])
        )
    else:
        settled = run_ledger_command(target_config, "settle", "--stream", "payments", "--key", "p", "--not-created")
    assert settled.returncode == 0, settled.stderr
    assert run_target(target_config, text, tmp_path).counts == {"created": 1}
    assert payment_count(sandbox) == 1
    assert next(row["method"] for row in sandbox.rows("payments") if row["amount"] == "12.50") == "cash"
