"""Statuses that are not documented: they concern one record, and prove nothing about a create that moves money."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fieldpulse_sandbox.faults.fault import Fault
from fieldpulse_sandbox.sandbox import Sandbox
from tests.harness.messages import record_message, singer_lines, state_message
from tests.harness.target_runner import run_target
from tests.target.shared import CUSTOMERS, PAYMENTS, numbered_customer, numbered_customers, payment, posts

Config = dict[str, Any]


@pytest.mark.parametrize("status", [402, 409, 410, 418, 423, 451])
def test_a_refused_update_does_not_end_the_run(
    sandbox: Sandbox, target_config: Config, tmp_path: Path, status: int
) -> None:
    """The record is named and stored, the others are written, and the STATE passes."""
    rows = sandbox.rows("customers")[:5]
    sandbox.add_fault(Fault("error_status", method="PUT", path=f"/customers/{rows[0]['id']}", status=status, times=99))
    records = [record_message("customers", id=row["id"], notes="New") for row in rows]
    result = run_target(target_config, singer_lines(CUSTOMERS, *records, state_message(1)), tmp_path)
    assert (result.counts, result.status) == ({"failed": 1, "updated": 4}, 1)
    assert result.states == [{"bookmarks": 1}]
    assert f"id:{rows[0]['id']}" in result.stderr
    assert Path(target_config["rejects_path"]).read_text().count('"type":"RECORD"') == 1


def test_refusals_of_all_records_end_the_run(sandbox: Sandbox, target_config: Config, tmp_path: Path) -> None:
    """Something between here and FieldPulse refuses every write: no STATE passes the records that were not stored."""
    sandbox.add_fault(Fault("error_status", method="POST", status=418, times=999))
    text = singer_lines(CUSTOMERS, *map(numbered_customer, range(120)), state_message(1))
    result = run_target(target_config, text, tmp_path)
    assert (result.status, result.states) == (1, [])
    assert result.counts.keys() <= {"failed", "unsent", "uncertain"}
    assert Path(target_config["rejects_path"]).read_text().count('"type":"RECORD"') == 10
    assert len(posts(sandbox)) < 120


@pytest.mark.parametrize("after_commit", [True, False], ids=["carried out", "not carried out"])
@pytest.mark.parametrize("status", [408, 425, 499])
def test_a_proxy_that_gave_up_leaves_a_create_in_doubt(
    sandbox: Sandbox, target_config: Config, tmp_path: Path, status: int, after_commit: bool
) -> None:
    """The row is looked for before the create is sent again."""
    sandbox.add_fault(Fault("error_status", method="POST", status=status, after_commit=after_commit, skip=1))
    result = run_target(target_config, singer_lines(CUSTOMERS, *map(numbered_customer, range(4))), tmp_path)
    assert result.counts == {"created": 4}
    assert numbered_customers(sandbox) == [f"New{number}" for number in range(4)]


@pytest.mark.parametrize("status", [409, 418, 499])
def test_money_is_in_doubt_after_any_undocumented_status(
    sandbox: Sandbox, target_config: Config, tmp_path: Path, status: int
) -> None:
    """It was carried out, and is found. Where it was not, it is not sent again."""
    before = len(sandbox.rows("payments"))
    sandbox.add_fault(Fault("error_status", method="POST", path="/payments", status=status, after_commit=True))
    sandbox.add_fault(Fault("error_status", method="POST", path="/payments", status=status))
    for key, outcome in (("p1", "created"), ("p2", "uncertain"), ("p2", "uncertain")):
        text = singer_lines(PAYMENTS, payment(sandbox, key, notes=key))
        assert run_target(target_config, text, tmp_path).counts == {outcome: 1}
    assert len(sandbox.rows("payments")) == before + 1
    assert len(posts(sandbox)) == 2
