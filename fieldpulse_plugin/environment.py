"""Settings from environment variables and `.env`, converted to the types that the JSON Schema declares."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dotenv import dotenv_values

from fieldpulse_api.errors import ConfigError
from fieldpulse_api.values.strict_json import parse

_BOOLEANS = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}
_SDK_VARIABLES = ("LOGLEVEL",)  # the SDK reads TAP_FIELDPULSE_LOGLEVEL itself; it is not a setting


def environment_variables() -> dict[str, str]:
    """Return the process environment, merged over the `.env` file of the working directory. Raises: ConfigError."""
    try:
        dotenv = {name: value for name, value in dotenv_values(".env").items() if value is not None}
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"The .env file cannot be read ({type(error).__name__}).",
            where=str(Path(".env").resolve()),
            hint="save it as UTF-8, or remove it",
        ) from None
    return {**dotenv, **os.environ}


def settings_from_environment(
    prefix: str, properties: Mapping[str, Any], environment: Mapping[str, str] = os.environ
) -> dict[str, Any]:
    """Return the settings whose variables start with `prefix`, such as TAP_FIELDPULSE_.

    A text that does not convert to the declared type stays a text, so that validation names the setting.
    """
    config = {}
    for variable, text in environment.items():
        if variable.startswith(prefix) and not variable.endswith(_SDK_VARIABLES):
            name = variable.removeprefix(prefix).lower()
            config[name] = _convert(text, properties.get(name, {}).get("type", "string"))
    return config


def _convert(text: str, declared_type: str | list[str]) -> Any:
    """Return a variable's text as its declared JSON type; `["number", "null"]` counts as a number."""
    types = [declared_type] if isinstance(declared_type, str) else declared_type
    json_type = next((name for name in types if name != "null"), "string")
    try:
        if json_type == "number":
            return float(text)
        if json_type == "integer":
            return int(text)
        if json_type in ("object", "array"):
            parsed = parse(text)
            return text if parsed.problems else parsed.value
    except ValueError:
        return text
    return _BOOLEANS.get(text.strip().lower(), text) if json_type == "boolean" else text
