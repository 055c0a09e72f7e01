"""Streams and schemas that the target accepts or refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fieldpulse_api.resources.catalogue import RESOURCES, WRITABLE
from fieldpulse_api.resources.model import Resource
from fieldpulse_sandbox.sandbox import Sandbox
from tests.harness.messages import record_message, schema_message, singer_lines, state_message
from tests.harness.target_runner import run_target

Config = dict[str, Any]


@pytest.mark.parametrize(
    "message",
    [
        schema_message("customers", "first_name"),
        schema_message("jobs", "job_type"),
        schema_message("pipeline_statuses", "id"),
    ],
)
def test_a_schema_without_identifier_is_refused(
    sandbox: Sandbox, target_config: Config, tmp_path: Path, message: Config
) -> None:
    """The error lists the properties that identify a record."""
    result = run_target(target_config, singer_lines(message), tmp_path)
    assert result.status == 2
    assert "external_id" in result.stderr
    assert sandbox.requests == []


def test_an_unknown_stream_is_refused_or_discarded(target_config: Config, tmp_path: Path) -> None:
    """Records of a discarded stream count as skipped."""
    text = singer_lines(schema_message("leads", "id"), record_message("leads", id=1), state_message(2))
    assert run_target(target_config, text, tmp_path).status == 2
    result = run_target(target_config | {"unknown_streams": "discard"}, text, tmp_path)
    assert (result.counts, result.status, result.states) == ({"skipped": 1}, 0, [{"bookmarks": 2}])


@pytest.mark.parametrize(
    "resource",
    [resource for resource in RESOURCES if resource.name not in WRITABLE],
    ids=lambda resource: resource.name,
)
def test_a_read_only_stream_is_refused_at_its_schema(
    sandbox: Sandbox, target_config: Config, tmp_path: Path, resource: Resource
) -> None:
    """No request is sent, and the error lists the writable streams."""
    result = run_target(
        target_config | {"unknown_streams": "discard"}, singer_lines(schema_message(resource.name, "id")), tmp_path
    )
    assert result.status == 2
    assert all(name in result.stderr for name in WRITABLE)
    assert sandbox.requests == []


def test_properties_without_effect_are_logged(target_config: Config, tmp_path: Path) -> None:
    """The log names each property of the schema that the target cannot write."""
    text = singer_lines(
        schema_message("customers", "external_id", "first_name", "shoe_size"),
        record_message("customers", external_id="s", first_name="S"),
    )
    assert "cannot be written: shoe_size" in run_target(target_config, text, tmp_path).stderr
