"""The console script `fieldpulse-sandbox`: it says what to install if the sandbox's dependencies are missing."""

from __future__ import annotations

import sys


def main() -> int:
    """Run the sandbox, and return the exit status."""
    try:
        from .__main__ import main as serve  # noqa: PLC0415  its imports may fail
    except ModuleNotFoundError as error:
        if error.name not in ("starlette", "uvicorn"):
            raise
        print(
            f"fieldpulse-sandbox: {error.name} is not installed; run: pip install 'singer-fieldpulse[sandbox]'",
            file=sys.stderr,
        )
        return 1
    return serve()
