"""The definitions of custom fields, read within a request or two."""

from __future__ import annotations

from typing import Any

import pytest

from fieldpulse_api.http.client import Client
from fieldpulse_api.reading.definitions import read_definitions
from fieldpulse_api.reading.pages import ReadOptions
from fieldpulse_sandbox.sandbox import Sandbox


@pytest.mark.parametrize(("counts", "requests"), [("total_count", 1), (None, 2)])
def test_definitions_cost_a_request_or_two(sandbox: Sandbox, client: Client, counts: Any, requests: int) -> None:
    """They are read on every run, also on one that reads nothing else new."""
    sandbox.behaviour.count_key = counts
    definitions = read_definitions(client, ReadOptions())
    assert [definition.id for definition in definitions] == [row["id"] for row in sandbox.rows("custom_fields")]
    assert len(sandbox.requests) == requests
