"""`fieldpulse mcp`: serve the account to an agent. The extra `mcp` has what it needs."""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from fieldpulse_api.errors import ConfigError, UserError
from fieldpulse_api.http.api_key import has_key
from fieldpulse_api.http.settings import ClientSettings
from fieldpulse_plugin.environment import environment_variables, settings_from_environment
from fieldpulse_plugin.exit_codes import check_stream, end_by_signal
from fieldpulse_plugin.settings import SHARED_SETTINGS, client_settings
from fieldpulse_plugin.validation import check_settings
from tap_fieldpulse.settings import TAP_SETTINGS
from target_fieldpulse.settings import TARGET_SETTINGS, TargetSettings

_TAP, _TARGET = "TAP_FIELDPULSE_", "TARGET_FIELDPULSE_"
_OF_THE_EXTRA = ("anyio", "mcp", "mcp_types", "pydantic")
_PROPERTIES = {_TAP: {**SHARED_SETTINGS, **TAP_SETTINGS}, _TARGET: {**SHARED_SETTINGS, **TARGET_SETTINGS}}


@click.command()
@click.option("--allow-writes", is_flag=True, help="Offer the tools plan_write and confirm_write.")
@click.option(
    "--directory",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Work in this folder: its .env and its .fieldpulse/ are used. Agents start servers anywhere.",
)
@click.option(
    "--answers-url",
    metavar="URL",
    help="Warehouse with the views of `fieldpulse answers`: postgresql://… or duckdb:///FILE. It is only read. A URL "
    "with a password belongs into FIELDPULSE_ANSWERS_URL instead.",
)
@click.option("--answers-schema", default="answers", show_default=True, help="The schema of the views.")
def mcp(*, allow_writes: bool, directory: Path | None, answers_url: str | None, answers_schema: str) -> None:
    """Serve the account to an agent over the Model Context Protocol, on standard input and output.

    The tools describe, list, search and get rows. Settings come from the environment or from `.env`, as tap and target
    have them: TAP_FIELDPULSE_…, or with --allow-writes TARGET_FIELDPULSE_…. Writes then go through the target's rules,
    safety limits, ledger and audit, and each needs a plan first.
    """
    try:
        from .reading.answer_tool import Answers  # noqa: PLC0415  with what it imports, half a second
        from .server import serve  # noqa: PLC0415  of the extra
        from .tools import tools_of  # noqa: PLC0415  as the first
    except ImportError as error:
        if (error.name or "").partition(".")[0] not in _OF_THE_EXTRA:
            raise
        raise UserError(
            "The dependencies of this command are not installed.",
            where="fieldpulse mcp",
            hint="pip install 'singer-fieldpulse[mcp]'",
        ) from None
    logging.getLogger("mcp").setLevel(logging.WARNING)
    if directory:
        os.chdir(directory)
    environment = environment_variables()
    target = _target_settings(environment) if allow_writes else None
    client = _reading_settings(environment, target)
    url = answers_url or environment.get("FIELDPULSE_ANSWERS_URL")
    tools = tools_of(client, target, Answers(url, answers_schema) if url else None)
    signal.signal(signal.SIGTERM, end_by_signal)
    check_stream(sys.stdin, "standard input")
    check_stream(sys.stdout, "standard output")
    serve(tools)


def _config(prefix: str, environment: Mapping[str, str]) -> dict[str, Any]:
    """Return the settings of a plugin, with their defaults. Raises: ConfigError."""
    properties = _PROPERTIES[prefix]
    config = settings_from_environment(prefix, properties, environment)
    check_settings(config, {"type": "object", "properties": properties}, where=f"environment · {prefix}…")
    return {name: schema["default"] for name, schema in properties.items() if "default" in schema} | config


def _target_settings(environment: Mapping[str, str]) -> TargetSettings:
    config = _config(_TARGET, environment)
    if not has_key(config):
        raise ConfigError(
            "There is no API key for writing.",
            where=f"environment · {_TARGET}API_KEY",
            hint=f"set {_TARGET}API_KEY or {_TARGET}API_KEY_FILE, or leave out --allow-writes",
        )
    return TargetSettings.from_config(config)


def _reading_settings(environment: Mapping[str, str], target: TargetSettings | None) -> ClientSettings:
    """Return the settings for reading; an agent that writes reads the account that it writes to."""
    if target:
        return target.client_settings
    config = _config(_TAP, environment)
    target_config = {} if has_key(config) else _config(_TARGET, environment)
    if has_key(target_config):
        return TargetSettings.from_config(target_config).client_settings
    return client_settings(config)
