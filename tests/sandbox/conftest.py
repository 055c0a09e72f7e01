"""Running sandboxes and their clients."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from fieldpulse_sandbox.sandbox import Sandbox
from tests.sandbox.client import SandboxClient


@pytest.fixture(scope="module")
def shared() -> Iterator[Sandbox]:
    """Start a sandbox that a module's tests only read."""
    with Sandbox(customers=120) as box:
        yield box


@pytest.fixture
def box() -> Iterator[Sandbox]:
    """Start a sandbox of one test's own."""
    with Sandbox(customers=50) as box:
        yield box


@pytest.fixture
def ask(box: Sandbox) -> SandboxClient:
    """Return a client of the test's own sandbox."""
    return SandboxClient(box)


@pytest.fixture(scope="module")
def read(shared: Sandbox) -> SandboxClient:
    """Return a client of the shared sandbox."""
    return SandboxClient(shared)
