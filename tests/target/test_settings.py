"""Settings that end the run before its first write."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fieldpulse_sandbox.sandbox import Sandbox
from tests.harness.messages import record_message, singer_lines
from tests.harness.target_runner import run_target
from tests.target.shared import CUSTOMERS, write_requests

Config = dict[str, Any]


@pytest.mark.parametrize(
    "settings",
    [
        {"max_creates": "nan"},
        {"max_updates": "1e400"},
        {"report_path": "/proc/none/r.json"},
        {"plan_path": "/", "dry_run": True},
    ],
    ids=str,
)
def test_an_unusable_setting_ends_the_run_before_the_first_write(
    sandbox: Sandbox, target_config: Config, tmp_path: Path, settings: Config
) -> None:
    """Exit status 2. The error names the setting."""
    text = singer_lines(CUSTOMERS, record_message("customers", external_id="s", first_name="S"))
    result = run_target(target_config | settings, text, tmp_path)
    assert result.status == 2
    assert next(iter(settings)) in result.stderr
    assert write_requests(sandbox) == []
