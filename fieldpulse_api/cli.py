"""The command `fieldpulse`: what is asked of an account without running a pipeline."""

from __future__ import annotations

import os
import sys
from importlib import metadata
from typing import Any

import click

from .client import Client
from .doctor import findings
from .exits import run
from .plugin import check, from_environment
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
    """Return the shared settings of the plugin whose key is set, the tap's first. Raises: BadSetting."""
    prefix = next((one for one in _PREFIXES if os.environ.get(f"{one}API_KEY")), _PREFIXES[0])
    config = from_environment(prefix, SHARED_SETTINGS)
    check(config, {"type": "object", "properties": SHARED_SETTINGS}, where=f"environment · {prefix}…")
    return config


def main() -> None:
    """Run the command, with what other packages add to it."""
    for one in metadata.entry_points(group="fieldpulse.commands"):
        commands.add_command(one.load())
    run(commands)


if __name__ == "__main__":
    main()
