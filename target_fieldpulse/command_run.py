"""The target, run by a command of `fieldpulse`: with the settings of the environment, on messages in memory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import IO, Any

import click
from singer_sdk.plugin_base import _ConfigInput

from fieldpulse_plugin.console_log import adapt_sdk_logging
from fieldpulse_plugin.environment import environment_variables, settings_from_environment

from .target import TargetFieldPulse

CONFIG_OPTION = click.option(
    "--config", "paths", multiple=True, help="Settings, as of target-fieldpulse. Default: the environment."
)


def read_config(context: click.Context, paths: tuple[str, ...]) -> dict[str, Any]:
    """Return the settings of files, or of the environment, which `ENV` adds to those of files. Raises: ConfigError."""
    adapt_sdk_logging()
    files = tuple(path for path in paths if path != "ENV")
    options = (each for each in context.command.params if isinstance(each, click.Option))
    option = next(each for each in options if each.name == "paths")
    config = dict(TargetFieldPulse.cb_config(context, option, files).config)
    if len(files) == len(paths) and files:
        return config
    TargetFieldPulse.append_builtin_config(TargetFieldPulse.config_jsonschema)
    properties = TargetFieldPulse.config_jsonschema["properties"]
    return config | settings_from_environment("TARGET_FIELDPULSE_", properties, environment_variables())


def run_target(config: Mapping[str, Any], messages: IO[str]) -> int:
    """Run the target on messages, and return the exit status. Each reject counts: a person waits for the answer."""
    config_input = _ConfigInput()
    config_input.config = dict(config)
    if config.get("on_reject") == "fail_once":
        config_input.config["on_reject"] = "fail"
    try:
        TargetFieldPulse.invoke(config=config_input, file_input=messages)
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else 1
    return 0
