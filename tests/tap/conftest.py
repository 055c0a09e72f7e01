"""Fixtures of tests that run the tap with a snapshot."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.harness.event_receiver import EventReceiver, run_event_receiver


@pytest.fixture
def snapshot_config(config: dict[str, Any], tmp_path: Path) -> dict[str, Any]:
    """Return a configuration with a snapshot that only this test uses."""
    return config | {"snapshot_url": f"sqlite:///{tmp_path}/snapshot.db"}


@pytest.fixture
def event_receiver() -> Iterator[EventReceiver]:
    """Run a receiver of pushed events for one test."""
    with run_event_receiver() as receiver:
        yield receiver
