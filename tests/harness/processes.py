"""Plugins as processes of their own, for tests of how a process ends."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def plugin_command(module: str, config: Mapping[str, Any], folder: Path, *arguments: str) -> list[str]:
    """Return the command line of a plugin as a process of its own."""
    path = folder / f"{module}.json"
    path.write_text(json.dumps(config))
    return [sys.executable, "-m", module, "--config", str(path), *arguments]


def run_process(command: list[str], stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=120, check=False)
