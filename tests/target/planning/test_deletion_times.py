"""Values of `deleted_at` that delete no row."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fieldpulse_sandbox.sandbox import Sandbox
from tests.harness.messages import record_message, singer_lines
from tests.harness.target_runner import run_target
from tests.target.shared import CUSTOMERS, write_requests

Config = dict[str, Any]


@pytest.mark.parametrize("value", [False, 0, "", " ", None, "0000-00-00 00:00:00"], ids=repr)
def test_an_empty_deletion_time_deletes_nothing(
    sandbox: Sandbox, target_config: Config, tmp_path: Path, value: Any
) -> None:
    """Sources use different empty values for records that are not deleted."""
    row = sandbox.rows("customers")[0]
    text = singer_lines(CUSTOMERS, record_message("customers", id=row["id"], notes="Still here", deleted_at=value))
    assert run_target(target_config | {"hard_delete": True}, text, tmp_path).counts == {"updated": 1}


@pytest.mark.parametrize("value", ["null", True, [], {}], ids=repr)
def test_an_invalid_deletion_time_rejects_the_record(
    sandbox: Sandbox, target_config: Config, tmp_path: Path, value: Any
) -> None:
    """A wrong guess would delete a customer."""
    text = singer_lines(
        CUSTOMERS, record_message("customers", id=sandbox.rows("customers")[0]["id"], notes="x", _sdc_deleted_at=value)
    )
    assert run_target(target_config | {"hard_delete": True}, text, tmp_path).counts == {"rejected": 1}
    assert write_requests(sandbox) == []
