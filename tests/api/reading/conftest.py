"""An account whose lists have several pages."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from fieldpulse_sandbox.sandbox import Sandbox


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """Start an account whose lists have several pages of ten."""
    with Sandbox(customers=60) as sandbox:
        yield sandbox
