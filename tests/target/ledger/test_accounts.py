"""The account of a ledger, which must stay the same between runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fieldpulse_sandbox.faults.fault import Fault
from fieldpulse_sandbox.sandbox import Sandbox
from tests.harness.messages import record_message, singer_lines
from tests.harness.target_runner import run_target
from tests.target.shared import CUSTOMERS

Config = dict[str, Any]


def test_an_unavailable_account_id_does_not_start_a_new_account(
    sandbox: Sandbox, target_config: Config, tmp_path: Path
) -> None:
    """If one list that shows the account id is refused, another one serves. If all are refused, the run ends."""
    text = singer_lines(CUSTOMERS, record_message("customers", external_id="a", first_name="A"))
    run_target(target_config, text, tmp_path)
    sandbox.add_fault(Fault("error_status", method="GET", path="/users", status=404))
    assert run_target(target_config, text, tmp_path).counts == {"unchanged": 1}
    sandbox.add_fault(Fault("error_status", method="GET", status=404, times=99))
    result = run_target(target_config, text, tmp_path)
    assert result.status == 2
    assert "account of the API key cannot be determined" in result.stderr
