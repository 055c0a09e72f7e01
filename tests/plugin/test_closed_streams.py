"""Endings of pipes: a reader that dies and a closed descriptor end with one error that names the stream."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from fieldpulse_sandbox.sandbox import Sandbox
from tests.harness.messages import record_message, schema_message, singer_lines, state_message

TAP = f"{sys.executable} -m tap_fieldpulse --config config.json"
TARGET = f"{sys.executable} -m target_fieldpulse --config config.json"
GONE = "The process that reads this output has ended."
CLOSED = "The process was started without a standard {}."


@pytest.fixture
def folder(shared: Sandbox, tmp_path: Path) -> Path:
    """Return a folder with a configuration, a catalog of one small stream, and an input of the target."""
    config: dict[str, Any] = {"api_key": shared.key, "api_url": shared.url, "rate_limit_store": "memory"}
    (tmp_path / "config.json").write_text(json.dumps(config))
    tag = record_message("tags", external_id="closed", title="Warranty", type="job")
    lines = singer_lines(schema_message("tags", *tag["record"]), tag, state_message(1))
    (tmp_path / "input.singer").write_text(lines)
    entry = {"tap_stream_id": "vendors", "schema": {"properties": {"id": {"type": "integer"}}}}
    selected = {"metadata": [{"breadcrumb": [], "metadata": {"selected": True}}]}
    (tmp_path / "catalog.json").write_text(json.dumps({"streams": [entry | selected]}))
    return tmp_path


@pytest.mark.parametrize(
    ("line", "status", "problem"),
    [
        (f"{TAP} | head -n 1", 1, GONE),
        (f"{TAP} | {sys.executable} -c 'import sys; sys.stdin.read(99)'", 1, GONE),
        (f"{TAP} --catalog catalog.json | true", 1, GONE),
        (f"{TAP} --discover | head -n 1", 1, GONE),
        (f"{TARGET} < input.singer | true", 1, GONE),
        (f"{TAP} >&-", 2, CLOSED.format("output")),
        (f"{TARGET} < input.singer >&-", 2, CLOSED.format("output")),
        (f"{TARGET} <&-", 2, CLOSED.format("input")),
        (f"{TAP} <&-", 0, ""),
        (f"{TAP} 2>&-", 0, ""),
        (f"{TAP} <&- 2>&-", 0, ""),
        (f"{TARGET} < input.singer 2>&-", 0, ""),
    ],
)
def test_a_broken_stream_is_named_once(folder: Path, line: str, status: int, problem: str) -> None:
    """In three parts, and not in the silence in which a pipe ends."""
    ended = subprocess.run(
        ["bash", "-c", f"{line} > /dev/null; exit ${{PIPESTATUS[0]}}" if "|" in line or not problem else line],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == status, ended.stderr
    assert ended.stderr.count(problem or "ERROR") == (1 if problem else 0), ended.stderr
    assert ended.stderr.count("ERROR") == (1 if problem else 0)
    assert "bug" not in ended.stderr
