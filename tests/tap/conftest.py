"""Fixtures of tests that run the tap with a snapshot."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def snapshot_config(config: dict[str, Any], tmp_path: Path) -> dict[str, Any]:
    """Return a configuration with a snapshot that only this test uses."""
    return config | {"snapshot_url": f"sqlite:///{tmp_path}/snapshot.db"}
