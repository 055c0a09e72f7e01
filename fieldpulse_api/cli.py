"""The command `fieldpulse`: what is asked of an account without running a pipeline."""

from __future__ import annotations

import os
import sys
from typing import Any

import click

from .client import Client
from .doctor import findings
from .exits import run
from .settings import SHARED_SETTINGS, ApiSettings

_PREFIXES = ("TAP_FIELDPULSE_", "TARGET_FIELDPULSE_")


@click.group()
def commands() -> None:
    """Look at a FieldPulse account, with the settings of either plugin from the environment."""


@commands.command()
def doctor() -> None:
    """Check the key, the clocks and every list. Reads only; exit status 1 if anything fails."""
    client = Client(ApiSettings.read(_from_environment()))
    failed = 0
    for finding in findings(client):
        failed += finding.grade == "FAIL"
        click.echo(f"{finding.grade:4}  {finding.about:22} {finding.text}")
        if finding.do:
            click.echo(f"{'':28} do: {finding.do}")
    client.close()
    sys.exit(1 if failed else 0)


def _from_environment() -> dict[str, Any]:
    """Return the shared settings that either plugin would read, the tap's first."""
    found: dict[str, Any] = {}
    for name, schema in SHARED_SETTINGS.items():
        texts = [os.environ.get(prefix + name.upper()) for prefix in _PREFIXES]
        text = next((one for one in texts if one), None)
        if text:
            found[name] = float(text) if schema["type"] == "number" else text
    return found


def main() -> None:
    """Run the command."""
    run(commands)


if __name__ == "__main__":
    main()
