"""`fieldpulse status` and `fieldpulse runs`. They read the stores, and send no request."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import click

from fieldpulse_api.errors import UserError
from fieldpulse_plugin.history.facts import now

from .as_json import json_text, run_json, status_json
from .runs_screen import ID_LENGTH, print_run, print_runs
from .status import read_status
from .status_screen import print_status
from .stores import open_stores

_MAX_CHOICES = 10


def _store_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that name the stores."""
    for store, plugin, variable in (
        ("snapshot", "tap", "TAP_FIELDPULSE_SNAPSHOT_URL"),
        ("ledger", "target", "TARGET_FIELDPULSE_LEDGER_URL"),
    ):
        text = f"URL of the {plugin}'s {store}. Default: {variable}, else the {plugin}'s default."
        command = click.option(f"--{store}-url", help=text)(command)
    return command


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the status as JSON.")
@_store_options
def status(*, as_json: bool, **urls: Any) -> None:
    """Say what needs a person, and how each pipeline is.

    Reads the history of runs beside the tap's snapshot and the target's ledger; needs no API key and no network. Exits
    with status 1 if something needs a person.
    """
    with open_stores(**urls) as stores:
        found = read_status(stores, now())
    if as_json:
        click.echo(json_text(status_json(found)))
    else:
        print_status(found)
    sys.exit(1 if found.needs else 0)


@click.command()
@click.argument("run", required=False)
@click.option("--last", type=click.IntRange(1, 1000), default=20, show_default=True, help="How many runs.")
@click.option("--json", "as_json", is_flag=True, help="Print the runs, or the run, as JSON.")
@_store_options
def runs(run: str | None, last: int, *, as_json: bool, **urls: Any) -> None:
    """List the last runs, or print all facts of RUN: its id, or the first characters of it.

    Reads the history of runs beside the tap's snapshot and the target's ledger; needs no API key and no network.
    """
    with open_stores(**urls) as stores:
        if run is None:
            found = stores.runs(last)
        else:
            found = stores.runs(_MAX_CHOICES, run) if run.isalnum() and run.isascii() else []
    if run is not None:
        if len(found) != 1:
            choices = ", ".join(each.run_id[: len(run) + ID_LENGTH] for each in found)
            raise UserError(
                "Several runs have an id that begins so." if found else "No run has an id that begins so.",
                where=f"the command line · {run}",
                hint=f"give more of it: {choices}" if found else "`fieldpulse runs` lists the last ones",
            )
        if as_json:
            click.echo(json_text(run_json(found[0])))
        else:
            print_run(found[0], now())
    elif as_json:
        click.echo(json_text({"runs": [run_json(each) for each in found]}))
    elif found:
        print_runs(found, now())
    else:
        click.echo("No run is recorded yet.", err=True)
