"""What tests of a run with a snapshot share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def watching(config: dict[str, Any], tmp_path: Path) -> dict[str, Any]:
    """Return a configuration with a snapshot of the test's own."""
    return config | {"snapshot_url": f"sqlite:///{tmp_path}/snapshot.db"}
