"""Settings from environment variables and `.env`, converted to the types that the JSON Schema declares."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from dotenv import dotenv_values

from fieldpulse_api.errors import ConfigError
from fieldpulse_api.values.strict_json import parse

from .validation import TYPO_SIMILARITY

_PREFIXES = ("TAP_FIELDPULSE_", "TARGET_FIELDPULSE_")
_BOOLEANS = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}
_OTHER_NAMES = ("loglevel", "load_schema", "executable")  # read by the SDK and by Meltano, and not settings


def environment_variables() -> dict[str, str]:
    """Return the process environment, merged over the `.env` file of the working directory.

    Meltano has read that file itself for its utility, and dropped what has no effect.

    Raises: ConfigError, also if the file would send the key of the environment to an address of its own.
    """
    if os.environ.get("MELTANO_UTILITY_NAME"):
        return dict(os.environ)
    try:
        dotenv = {name: value for name, value in dotenv_values(".env").items() if value is not None}
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"The .env file cannot be read ({type(error).__name__}).",
            where=str(Path(".env").resolve()),
            hint="save it as UTF-8, or remove it",
        ) from None
    for prefix in _PREFIXES:
        has_key = any(prefix + name in os.environ for name in ("API_KEY", "API_KEY_FILE"))
        if has_key and prefix + "API_URL" in dotenv and prefix + "API_URL" not in os.environ:
            raise ConfigError(
                "The .env file of this folder has an address for the API key of the environment.",
                where=f"{Path('.env').resolve()} · {prefix}API_URL",
                hint="set key and address in the same place: whoever writes the file would get the key",
            )
    return {**dotenv, **os.environ}


def settings_from_environment(
    prefix: str, properties: Mapping[str, Any], environment: Mapping[str, str] = os.environ
) -> dict[str, Any]:
    """Return the settings whose variables start with `prefix`, such as TAP_FIELDPULSE_.

    A text that does not convert to the declared type stays a text, so that validation names the setting.
    """
    return {
        name: convert(text, properties.get(name, {}).get("type", "string"))
        for name, text in _settings_in(environment, prefix, properties)
    }


def variables_without_effect(
    prefix: str, properties: Mapping[str, Any], config: Mapping[str, Any], environment: Mapping[str, str] = os.environ
) -> Iterator[str]:
    """Yield a warning for each variable that looks like a setting, and that `config`, read from files, lacks.

    A runner such as Meltano puts the settings that it knows into a file. It drops others without a word, but hands
    their variables to the plugin.
    """
    for name, text in sorted(_settings_in(environment, prefix, properties)):
        variable = prefix + name.upper()
        if name in properties:
            is_default = convert(text, properties[name].get("type", "string")) == properties[name].get("default")
            if config.get(name) is None and not is_default:
                yield (
                    f"{variable} is set in the environment and has no effect: the configuration lacks `{name}`. "
                    "Declare this setting in the plugin's definition in meltano.yml, or pass --config=ENV."
                )
        else:
            for similar in difflib.get_close_matches(name, properties, n=1, cutoff=TYPO_SIMILARITY):
                yield f"{variable} is not a setting; did you mean {prefix}{similar.upper()}?"


def _settings_in(
    environment: Mapping[str, str], prefix: str, properties: Mapping[str, Any]
) -> Iterator[tuple[str, str]]:
    """Yield the name and the text of each variable that may be a setting.

    Meltano adds its own variables (`…__SELECT`), and one for each member of an object (`…_MATCH_CUSTOMERS`). In its
    projects, TAP_FIELDPULSE_NORTH_API_KEY is a variable of the plugin tap-fieldpulse-north.
    """
    ends_of_others = tuple(f"_{name}" for name in properties) if "MELTANO_PROJECT_ROOT" in environment else ()
    members = tuple(f"{name}_" for name, schema in properties.items() if "object" in schema.get("type", ""))
    for variable, text in environment.items():
        name = variable.removeprefix(prefix).lower()
        is_meltanos = name.startswith(("_", *members)) or name.endswith(ends_of_others)
        if variable.startswith(prefix) and name not in _OTHER_NAMES and (name in properties or not is_meltanos):
            yield name, text


def convert(text: str, declared_type: str | list[str]) -> Any:
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
