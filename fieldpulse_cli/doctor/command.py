"""The command `fieldpulse doctor`."""

from __future__ import annotations

import errno
import json
import os
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing
from importlib import metadata
from pathlib import Path
from typing import Any

import click

from fieldpulse_api.errors import ConfigError, FieldPulseError
from fieldpulse_api.http.api_key import has_key
from fieldpulse_api.http.client import Client
from fieldpulse_api.http.retry import RetryPolicy
from fieldpulse_api.http.settings import ClientSettings
from fieldpulse_cli.meltano import variables_of_plugin
from fieldpulse_plugin.environment import environment_variables, settings_from_environment
from fieldpulse_plugin.exit_codes import end_by_signal
from fieldpulse_plugin.settings import SHARED_SETTINGS, client_settings
from fieldpulse_plugin.stores.defaults import StoreName, all_folders, url_in
from fieldpulse_plugin.stores.private_files import check_distinct, replace_file
from fieldpulse_plugin.stores.urls import files_of_store
from fieldpulse_plugin.validation import check_settings

from .account_check import MAX_ATTEMPTS, MAX_REQUESTS, AccountCheck
from .findings import Finding, quota_finding
from .office_names import read_office_names
from .report import report_lines
from .store_check import store_finding
from .write_probe import WARNING, WriteProbe

_STORES = {"ledger": "TARGET_FIELDPULSE_LEDGER_URL", "snapshot": "TAP_FIELDPULSE_SNAPSHOT_URL"}
_PREFIXES = {"tap": "TAP_FIELDPULSE_", "target": "TARGET_FIELDPULSE_"}


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the findings and the profile as JSON.")
@click.option(
    "--profile",
    "profile_path",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the account's profile to this file, for the setting profile_path.",
)
@click.option(
    "--plugin",
    metavar="NAME",
    help="Take the settings of this plugin, for a second account: tap-fieldpulse--north reads TAP_FIELDPULSE__NORTH_….",
)
@click.option(
    "--with-names",
    is_flag=True,
    help="Keep the names of statuses, workflows, custom fields, tags and lead sources in the profile.",
)
@click.option("--write-probe", is_flag=True, help="Also test writes, on a customer that is created and deleted.")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation before writing.")
def doctor(
    *,
    as_json: bool,
    profile_path: Path | None,
    plugin: str | None,
    with_names: bool,
    write_probe: bool,
    yes: bool,
) -> None:
    """Check the API key, the clock, the time zone, every list and the stores.

    Sends at most 60 requests, and with --with-names one more for each page of names. They only read. Prints a line for
    each list, what needs attention, a verdict and the next step. Exits with status 1 if a check failed.
    """
    if with_names and not profile_path:
        raise click.UsageError("--with-names needs --profile: the names are kept nowhere else")
    if write_probe and not yes:
        click.confirm(f"{WARNING}\nContinue?", abort=True, err=True)
    signal.signal(signal.SIGTERM, end_by_signal)  # so that a write probe cleans up
    prefixes = _prefixes(plugin)
    environment = environment_variables() | (variables_of_plugin(plugin) if plugin else {})
    prefix, config = _shared_settings(environment, prefixes)
    settings = client_settings(config)
    if profile_path:
        _check_profile_path(profile_path, settings, environment)
    retry_policy = RetryPolicy(max_attempts=MAX_ATTEMPTS)
    with closing(Client(settings, retry_policy=retry_policy, max_requests=MAX_REQUESTS)) as client:
        check = AccountCheck(client)
        findings = list(check.findings())
    profile, request_count = check.profile, client.request_count
    if with_names and profile.lists:
        with closing(Client(settings, retry_policy=retry_policy)) as client:
            findings += read_office_names(client, profile)
            request_count += client.request_count
    if write_probe and profile.lists:
        with closing(Client(settings, retry_policy=retry_policy)) as client:
            probe = WriteProbe(client)
            findings += probe.findings()
        profile.writes = probe.facts
    findings += _local_findings(prefix, prefixes, settings, environment)
    if as_json:
        result = {"requests": request_count, "findings": [finding.plain() for finding in findings]}
        click.echo(json.dumps({**result, "profile": profile.to_dict()}, indent=2))
    else:
        for line in report_lines(findings, check.probes, wrote_profile=bool(profile_path)):
            click.echo(line)
    click.echo(f"Sent {request_count} requests.", err=True)
    if profile_path and profile.lists:
        replace_file(profile_path, profile.to_json())
    sys.exit(1 if any(finding.grade == "FAIL" for finding in findings) else 0)


def _check_profile_path(path: Path, settings: ClientSettings, environment: Mapping[str, str]) -> None:
    """Raise ConfigError, before any request is sent, if a file cannot be written, or is one of the settings."""
    stores = [files_of_store(name, environment.get(variable, "")) for name, variable in _STORES.items()]
    files = {name: file for each in stores for name, file in each.items()}
    check_distinct({".env": Path(".env"), "api_key_file": settings.api_key.path, **files, "--profile": path})
    place = path if path.exists() and not path.is_file() else path.resolve().parent
    if not os.access(place, os.W_OK):
        raise ConfigError(
            f"The profile cannot be written ({os.strerror(errno.EACCES if place.exists() else errno.ENOENT)}).",
            where=f"--profile {path}",
            hint="choose a folder that you can write to",
        )


def _local_findings(
    prefix: str, prefixes: Mapping[str, str], settings: ClientSettings, environment: Mapping[str, str]
) -> Iterator[Finding]:
    """Yield the findings about this machine: the rate limit, and settings and stores of each configured plugin."""
    yield Finding("ok", "settings", "source", f"{prefix}…")
    yield from _rate_limit_findings(settings)
    for entry_point in metadata.entry_points(group="fieldpulse.settings"):
        plugin_prefix = prefixes.get(entry_point.name)
        if plugin_prefix is None or not any(name.startswith(plugin_prefix) for name in environment):
            continue
        plugin_settings = entry_point.load()
        properties = {**SHARED_SETTINGS, **plugin_settings}
        config = settings_from_environment(plugin_prefix, properties, environment)
        try:
            _check(config, properties, plugin_prefix)
        except ConfigError as error:
            yield Finding("FAIL", f"{entry_point.name} settings", "valid", error.what, error.hint)
        for name in plugin_settings:
            if name.endswith("_url"):
                store: StoreName = "ledger" if name == "ledger_url" else "snapshot"
                urls = [str(config[name])] if config.get(name) else [url_in(each, store) for each in all_folders(store)]
                yield from (store_finding(store, url) for url in urls)


def _rate_limit_findings(settings: ClientSettings) -> Iterator[Finding]:
    try:
        rate_limiter = settings.rate_limiter()
        use = rate_limiter.look_up_month()
    except FieldPulseError as error:
        yield Finding("FAIL", "rate limit", "store", error.what, error.hint)
        return
    yield Finding("ok", "rate limit", "store", f"{settings.requests_per_second:g} requests/s for {rate_limiter.scope}")
    if use:
        yield quota_finding(use, settings.monthly_quota, rate_limiter.month.place)


def _prefixes(plugin: str | None) -> dict[str, str]:
    """Return the prefixes of the environment variables, by kind of plugin. Raises: ConfigError."""
    if plugin is None:
        return _PREFIXES
    prefix = plugin.upper().replace("-", "_") + "_"
    for kind, usual in _PREFIXES.items():
        if prefix.startswith(usual):
            return {kind: prefix}
    raise ConfigError(
        "The plugin is neither a tap-fieldpulse nor a target-fieldpulse.",
        where=f"--plugin {plugin}",
        hint="give the name in meltano.yml, such as tap-fieldpulse--north",
    )


def _shared_settings(environment: Mapping[str, str], prefixes: Mapping[str, str]) -> tuple[str, dict[str, Any]]:
    """Return the variable prefix of the plugin that has an API key, the tap's first, and its shared settings.

    Raises: ConfigError.
    """
    configs = {prefix: settings_from_environment(prefix, SHARED_SETTINGS, environment) for prefix in prefixes.values()}
    prefix = next((prefix for prefix, config in configs.items() if has_key(config)), next(iter(prefixes.values())))
    # An old profile must not influence the new one.
    config = {
        name: value for name, value in configs[prefix].items() if name in SHARED_SETTINGS and name != "profile_path"
    }
    if prefix == prefixes.get("target"):
        config["timezone"] = environment.get(f"{prefix}API_TIMEZONE", "UTC")  # its `timezone` is that of records
    _check(config, SHARED_SETTINGS, prefix)
    return prefix, config


def _check(config: dict[str, Any], properties: Mapping[str, Any], prefix: str) -> None:
    check_settings(config, {"type": "object", "properties": properties}, where=f"environment variables {prefix}…")
