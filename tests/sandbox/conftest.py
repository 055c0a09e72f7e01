"""Running sandboxes and their clients."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from fieldpulse_sandbox.sandbox import Sandbox
from tests.sandbox.client import SandboxClient


@pytest.fixture(scope="module")
def shared() -> Iterator[Sandbox]:
    """Run a sandbox that the tests of a module only read."""
    with Sandbox(customers=120) as box:
        yield box


@pytest.fixture
def box() -> Iterator[Sandbox]:
    """Run a sandbox for one test."""
    with Sandbox(customers=50) as box:
        yield box


@pytest.fixture
def client(box: Sandbox) -> SandboxClient:
    """Return a client of the test's sandbox."""
    return SandboxClient(box)


@pytest.fixture(scope="module")
def read(shared: Sandbox) -> SandboxClient:
    """Return a client of the shared sandbox."""
    return SandboxClient(shared)
