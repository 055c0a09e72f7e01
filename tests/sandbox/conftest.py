"""Running sandboxes and their clients."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from fieldpulse_sandbox.sandbox import Sandbox
from tests.sandbox.client import SandboxClient


@pytest.fixture(scope="module")
def shared() -> Iterator[Sandbox]:
    """Run a sandbox that the tests of a module only read."""
    with Sandbox(customers=120) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """Run a sandbox for one test."""
    with Sandbox(customers=50) as sandbox:
        yield sandbox


@pytest.fixture
def client(sandbox: Sandbox) -> SandboxClient:
    """Return a client of the test's sandbox."""
    return SandboxClient(sandbox)


@pytest.fixture(scope="module")
def read(shared: Sandbox) -> SandboxClient:
    """Return a client of the shared sandbox."""
    return SandboxClient(shared)
