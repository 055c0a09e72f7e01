"""The permissions of the rejects file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.harness.messages import record_message, singer_lines
from tests.harness.target_runner import run_target
from tests.target.shared import CUSTOMERS

Config = dict[str, Any]


def test_a_rejects_file_that_others_could_read_becomes_private(target_config: Config, tmp_path: Path) -> None:
    """It holds personal data, so that only its owner may read it."""
    path = Path(target_config["rejects_path"])
    path.write_text("")
    path.chmod(0o644)
    run_target(target_config, singer_lines(CUSTOMERS, record_message("customers", external_id="r")), tmp_path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert json.loads(path.read_text().splitlines()[-1])["record"] == {"external_id": "r"}
