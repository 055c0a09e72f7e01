"""The command `fieldpulse`: what is asked of an account without running a pipeline."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing
from importlib import metadata
from pathlib import Path
from typing import Any

import click

from .api_key import has_key
from .client import Client, Patience
from .doctor.examination import TRIES, Examination
from .doctor.findings import Finding, lines
from .doctor.stores import of_store
from .doctor.write_probe import PROMISE, WriteProbe
from .errors import BadSetting
from .exits import run
from .plugin import check, from_environment, variables
from .profile import Profile
from .settings import SHARED_SETTINGS, ApiSettings

_PREFIXES = {"tap": "TAP_FIELDPULSE_", "target": "TARGET_FIELDPULSE_"}


@click.group()
def commands() -> None:
    """Look at a FieldPulse account, with the settings of either plugin from the environment or from `.env`."""


@commands.command()
@click.option("--json", "is_json", is_flag=True, help="Write everything as JSON.")
@click.option("--profile", type=click.Path(dir_okay=False, path_type=Path), help="Write the answers to this file.")
@click.option("--write-probe", is_flag=True, help="Also find out what writing does, on a customer made for it.")
@click.option("--yes", is_flag=True, help="Do not ask before writing.")
def doctor(*, is_json: bool, profile: Path | None, write_probe: bool, yes: bool) -> None:
    """Check the key, the clocks, every list and the stores. Reads only; exit status 1 if anything fails."""
    if write_probe and not yes:
        click.confirm(f"{PROMISE}\nGo on?", abort=True, err=True)
    environment = variables()
    settings = ApiSettings.read(_shared(environment))
    with closing(Client(settings, patience=Patience(tries=TRIES))) as client:
        one = Examination(client)
        found = list(one.findings())
        if write_probe and one.profile.lists:
            writing = WriteProbe(client)
            found += writing.findings()
            one.profile.writes = writing.facts
        found += _of_this_machine(settings, environment)
        requests = client.requests
    if profile and one.profile.lists:
        _write(profile, one.profile)
    if is_json:
        findings = [each.plain() for each in found]
        click.echo(json.dumps({"requests": requests, "findings": findings, "profile": one.profile.plain()}, indent=2))
    else:
        click.echo("\n".join(lines(found)))
        click.echo(f"{requests} requests", err=True)
    sys.exit(1 if any(each.grade == "FAIL" for each in found) else 0)


def _write(path: Path, profile: Profile) -> None:
    try:
        profile.write(path)
    except OSError as error:
        what = f"The profile cannot be written ({error.strerror})."
        raise BadSetting(what, where=f"--profile {path}", do="give a file in a folder that can be written") from None


def _of_this_machine(settings: ApiSettings, environment: Mapping[str, str]) -> Iterator[Finding]:
    """Yield what is found of the budget, and of the settings and the stores of each plugin that has settings here."""
    store = "shared by this user's processes" if settings.budget_store == "file" else "of each process alone"
    settings.budget()
    yield Finding("ok", "budget", "rate", f"{settings.requests_per_second:g} requests/s, {store}")
    for one in metadata.entry_points(group="fieldpulse.settings"):
        prefix = _PREFIXES[one.name]
        if not any(name.startswith(prefix) for name in environment):
            continue
        own = one.load()
        config = from_environment(prefix, {**SHARED_SETTINGS, **own}, environment)
        try:
            _check(config, {**SHARED_SETTINGS, **own}, prefix)
        except BadSetting as error:
            yield Finding("FAIL", f"{one.name} settings", "valid", error.what, error.do)
        for name in own:
            if name.endswith("_url"):
                yield of_store(name.removesuffix("_url"), str(config.get(name) or own[name]["default"]))


def _shared(environment: Mapping[str, str]) -> dict[str, Any]:
    """Return the shared settings of the plugin whose key is set, the tap's first. Raises: BadSetting."""
    given = {one: from_environment(one, SHARED_SETTINGS, environment) for one in _PREFIXES.values()}
    prefix = next((one for one, config in given.items() if has_key(config)), _PREFIXES["tap"])
    shared = {name: value for name, value in given[prefix].items() if name in SHARED_SETTINGS}
    _check(shared, SHARED_SETTINGS, prefix)
    return shared


def _check(config: dict[str, Any], settings: Mapping[str, Any], prefix: str) -> None:
    check(config, {"type": "object", "properties": settings}, where=f"environment · {prefix}…")


def main() -> None:
    """Run the command, with what other packages add to it."""
    for one in metadata.entry_points(group="fieldpulse.commands"):
        commands.add_command(one.load())
    run(commands)


if __name__ == "__main__":
    main()
