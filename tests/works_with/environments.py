"""A virtual environment for each loader: their dependencies exclude each other, and ours."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

DEFAULT_FOLDER = Path.home() / ".cache" / "fieldpulse-works-with"
TIMEOUT_SECONDS = 600
_ZONE_VARIABLES = ("PGTZ", "TZ")  # they would hide what a loader does in another zone


@dataclass(frozen=True)
class Environment:
    """A virtual environment with the pinned packages of one loader."""

    folder: Path

    def run(
        self, command: Iterable[str], *, stdin: Path | None = None, variables: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a command of this environment to its end, with an input file."""
        name, *arguments = command
        inherited = {
            key: value for key, value in os.environ.items() if key not in _ZONE_VARIABLES and key != "PYTHONPATH"
        }
        with (stdin or Path(os.devnull)).open("rb") as file:
            return subprocess.run(
                [str(self.folder / "bin" / name), *arguments],
                stdin=file,
                env=inherited | dict(variables or {}),
                capture_output=True,
                text=True,
                timeout=TIMEOUT_SECONDS,
                check=False,
            )


def prepare_environment(name: str, packages: tuple[str, ...], folder: Path) -> Environment:
    """Return the environment of a loader; create it if it is missing or has other packages.

    Raises: RuntimeError if the packages cannot be installed.
    """
    environment = Environment(folder / name)
    stamp, pins = environment.folder / "packages.txt", "\n".join((sys.version, *packages))
    if stamp.exists() and stamp.read_text() == pins:
        return environment
    venv.create(environment.folder, with_pip=True, clear=True)
    arguments = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check", *packages)
    installed = environment.run(("python", *arguments))
    if installed.returncode:
        lines = installed.stderr.strip().splitlines()
        raise RuntimeError(f"{name} cannot be installed: {lines[-1] if lines else 'pip printed nothing'}")
    stamp.write_text(pins)
    return environment
