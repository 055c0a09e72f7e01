"""Agents for the tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from fieldpulse_sandbox.sandbox import Sandbox

from .agent import Agent


@pytest.fixture(scope="session")
def reader(shared: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Agent:
    """Return an agent of an account that tests only read."""
    return Agent(shared, tmp_path_factory.mktemp("agent"))


@pytest.fixture
def writer(sandbox: Sandbox, tmp_path: Path) -> Agent:
    """Return an agent of an account of its own."""
    return Agent(sandbox, tmp_path)
