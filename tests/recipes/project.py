"""A recipe in a folder of its own, and the commands that a newcomer types in it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from fieldpulse_sandbox.sandbox import Sandbox


@dataclass(frozen=True)
class Project:
    """A copy of a recipe; `variables` are those of its `.env`."""

    name: str
    meltano_command: str
    folder: Path
    variables: Mapping[str, str]

    def meltano(self, *arguments: str) -> None:
        """Run Meltano. Raises: AssertionError, with the end of its output."""
        self._run(self.meltano_command, *arguments)

    def fieldpulse(self, *arguments: str) -> None:
        """Run the command `fieldpulse`. Raises: AssertionError."""
        self._run(sys.executable, "-m", "fieldpulse_cli", *arguments)

    def _run(self, *command: str) -> None:
        system = {"NO_COLOR": "1", "MELTANO_SYS_DIR_ROOT": str(self.folder / ".meltano")}
        ended = subprocess.run(
            command,
            cwd=self.folder,
            env=os.environ | dict(self.variables) | system,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert ended.returncode == 0, f"{' '.join(command)}: {ended.stdout[-5000:]}"


def write_count(sandbox: Sandbox) -> int:
    """Return the number of writes that an account has received."""
    return sum(request.method != "GET" for request in sandbox.requests)
