"""The target, run in this process."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

from target_fieldpulse.target import TargetFieldPulse

from .commands import run_command
from .processes import plugin_command
from .results import RunResult


def run_target(config: Mapping[str, Any], messages: str | BinaryIO, folder: Path) -> RunResult:
    """Run the target's command on an input, and require that it ends without a traceback."""
    arguments = plugin_command("target_fieldpulse", config, folder)[3:]
    result = run_command(
        TargetFieldPulse, *arguments, stdin=messages.encode() if isinstance(messages, str) else messages
    )
    assert "Traceback" not in result.stderr, result.stderr
    return result
