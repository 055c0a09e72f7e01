"""The command `fieldpulse`: what is asked of an account without running a pipeline."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from importlib import metadata
from pathlib import Path
from typing import Any

import click

from fieldpulse_api.errors import ConfigError
from fieldpulse_api.http.api_key import has_key
from fieldpulse_api.http.client import Client, RetryPolicy
from fieldpulse_api.http.settings import ClientSettings
from fieldpulse_cli.doctor.account_check import MOST_REQUESTS, TRIES, Examination
from fieldpulse_cli.doctor.findings import Finding
from fieldpulse_cli.doctor.store_check import of_store
from fieldpulse_cli.doctor.write_probe import PROMISE, WriteProbe
from fieldpulse_plugin.environment import environment_variables, settings_from_environment
from fieldpulse_plugin.exit_codes import end_by_signal, run
from fieldpulse_plugin.settings import SHARED_SETTINGS, client_settings
from fieldpulse_plugin.validation import check_settings

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
    signal.signal(signal.SIGTERM, end_by_signal)  # what was written to try it out is deleted then, too
    environment = environment_variables()
    prefix, config = _shared(environment)
    settings = client_settings(config)
    if profile:
        _check_path(profile)
    with closing(Client(settings, retry_policy=RetryPolicy(max_attempts=TRIES), max_requests=MOST_REQUESTS)) as client:
        examination = Examination(client)
        found = list(_told(examination.findings(), is_json=is_json))
    answers, requests = examination.profile, client.request_count
    if write_probe and answers.lists:
        with closing(Client(settings, retry_policy=RetryPolicy(max_attempts=TRIES))) as client:
            probe = WriteProbe(client)
            found += _told(probe.findings(), is_json=is_json)
        answers.writes = probe.facts
    found += _told(_of_this_machine(prefix, settings, environment), is_json=is_json)
    if is_json:
        findings = [one.plain() for one in found]
        click.echo(json.dumps({"requests": requests, "findings": findings, "profile": answers.plain()}, indent=2))
    click.echo(f"{requests} requests to find out", err=True)
    if profile and answers.lists:
        answers.write(profile)
    sys.exit(1 if any(one.grade == "FAIL" for one in found) else 0)


def _told(findings: Iterable[Finding], *, is_json: bool) -> Iterator[Finding]:
    """Yield findings, each printed as soon as it is there, unless JSON is wanted."""
    for one in findings:
        if not is_json:
            click.echo(one.line)
        yield one


def _check_path(path: Path) -> None:
    """See that a file can be written, before anything is asked. Raises: BadSetting."""
    beside = path.with_name(f"{path.name}.new")
    try:
        beside.touch()
        beside.unlink()
    except OSError as error:
        what = f"The profile cannot be written ({error.strerror})."
        raise ConfigError(what, where=f"--profile {path}", hint="give a file in a folder that can be written") from None


def _of_this_machine(prefix: str, settings: ClientSettings, environment: Mapping[str, str]) -> Iterator[Finding]:
    """Yield what is found of the budget, and of the settings and the stores of each plugin that has settings here."""
    yield Finding("ok", "settings", "asked with", f"{prefix}…")
    store = "shared by this user's processes" if settings.rate_limit_store == "file" else "of each process alone"
    settings.rate_limiter()
    yield Finding("ok", "budget", "store", f"{settings.requests_per_second:g} requests/s, {store}")
    for one in metadata.entry_points(group="fieldpulse.settings"):
        prefix = _PREFIXES[one.name]
        if not any(name.startswith(prefix) for name in environment):
            continue
        own = one.load()
        config = settings_from_environment(prefix, {**SHARED_SETTINGS, **own}, environment)
        try:
            _check(config, {**SHARED_SETTINGS, **own}, prefix)
        except ConfigError as error:
            yield Finding("FAIL", f"{one.name} settings", "valid", error.what, error.hint)
        for name in own:
            if name.endswith("_url"):
                yield of_store(name.removesuffix("_url"), str(config.get(name) or own[name]["default"]))


def _shared(environment: Mapping[str, str]) -> tuple[str, dict[str, Any]]:
    """Return the prefix of the plugin whose key is set, the tap's first, and what it shares. Raises: BadSetting."""
    given = {one: settings_from_environment(one, SHARED_SETTINGS, environment) for one in _PREFIXES.values()}
    prefix = next((one for one, config in given.items() if has_key(config)), _PREFIXES["tap"])
    # A profile is what is being made: one from before says nothing here.
    shared = {one: value for one, value in given[prefix].items() if one in SHARED_SETTINGS and one != "profile_path"}
    _check(shared, SHARED_SETTINGS, prefix)
    return prefix, shared


def _check(config: dict[str, Any], settings: Mapping[str, Any], prefix: str) -> None:
    check_settings(config, {"type": "object", "properties": settings}, where=f"environment · {prefix}…")


def main() -> None:
    """Run the command, with what other packages add to it."""
    for one in metadata.entry_points(group="fieldpulse.commands"):
        commands.add_command(one.load())
    run(commands)


if __name__ == "__main__":
    main()
