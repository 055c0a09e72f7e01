"""`fieldpulse` as a utility plugin of Meltano: it takes the settings of tap and target from Meltano itself.

Meltano hands a utility its own settings and `.env`, and nothing of what `meltano.yml` configures for other plugins. So
the command asks the Meltano that started it. The names of the tap and the target are settings of the utility.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

from fieldpulse_api.errors import ConfigError, without_likely_keys
from fieldpulse_plugin.output import for_output

UTILITY_SETTINGS: dict[str, dict[str, Any]] = {
    "tap": {
        "type": "string",
        "default": "tap-fieldpulse",
        "title": "Tap",
        "description": "The extractor whose settings and snapshot the commands use: its name in `meltano.yml`, such as "
        "`tap-fieldpulse--north` for a second account.",
    },
    "target": {
        "type": "string",
        "default": "target-fieldpulse",
        "title": "Target",
        "description": "The loader whose settings, ledger and rejects the commands use.",
    },
}
_PLUGIN_TYPES = {"tap": "extractor", "target": "loader"}
_MAX_SECONDS = 120.0
_UNKNOWN_PLUGIN = "is not known to Meltano"


def use_settings_of_meltano() -> None:
    """In a process that Meltano started as a utility, replace the variables of tap and target by their settings.

    A plugin that the project does not have is left out, unless the user named it.

    Raises: ConfigError.
    """
    if not os.environ.get("MELTANO_UTILITY_NAME"):
        return
    names = {kind: os.environ.get(_variable(kind)) or str(UTILITY_SETTINGS[kind]["default"]) for kind in _PLUGIN_TYPES}
    with ThreadPoolExecutor() as pool:  # Meltano takes seconds to start
        configs = dict(zip(names, pool.map(_settings_of, names, names.values()), strict=True))
    for kind, config in configs.items():
        os.environ[_variable(kind)] = names[kind]
        if config is not None:
            _replace_variables(f"{kind.upper()}_FIELDPULSE_", config)


def variables_of_plugin(name: str) -> dict[str, str]:
    """Return the settings of a plugin of the Meltano project, as its own variables; none outside of Meltano.

    Raises: ConfigError.
    """
    kind = next((kind for kind in _PLUGIN_TYPES if name.startswith(f"{kind}-")), None)
    if kind is None or not os.environ.get("MELTANO_UTILITY_NAME"):
        return {}
    prefix = f"{name.upper().replace('-', '_')}_"
    return {f"{prefix}{setting.upper()}": text for setting, text in (_settings_of(kind, name) or {}).items()}


def _variable(kind: str) -> str:
    return f"FIELDPULSE_{kind.upper()}"


def _replace_variables(prefix: str, config: Mapping[str, str]) -> None:
    """Set the variables of a plugin's settings. Those that are there may be of another plugin, or without effect."""
    for variable in [each for each in os.environ if each.startswith(prefix)]:
        del os.environ[variable]
    for name, text in config.items():
        os.environ[f"{prefix}{name.upper()}"] = text


def _settings_of(kind: str, name: str) -> dict[str, str] | None:
    """Return the settings of a plugin as texts, or None if the project lacks it. Raises: ConfigError."""
    environment = os.environ.get("MELTANO_ENVIRONMENT")
    chosen = ["--environment", environment] if environment else ["--no-environment"]
    command = [_meltano(), *chosen, "config", "--unsafe", "print"]
    command += ["--plugin-type", _PLUGIN_TYPES[kind], "--format", "json", "--", name]
    where = f"meltano config print {for_output(name)}"
    try:
        result = subprocess.run(  # noqa: S603  the Meltano that started this process
            command, capture_output=True, text=True, timeout=_MAX_SECONDS, check=False, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.TimeoutExpired, ValueError) as error:  # ValueError: a name with a NUL
        reason = getattr(error, "strerror", None) or type(error).__name__
        raise _error(f"Meltano cannot be asked for the settings ({reason}).", where) from None
    if result.returncode:
        if _UNKNOWN_PLUGIN not in result.stderr:
            raise _error(f"Meltano ended with status {result.returncode} when asked for the settings.", where)
        if name == UTILITY_SETTINGS[kind]["default"]:
            return None
        raise ConfigError(
            f"The Meltano project has no {_PLUGIN_TYPES[kind]} {without_likely_keys(name)!r}.",
            where=f"setting {kind} of the utility fieldpulse · {_variable(kind)}",
            hint=f"give a name of `meltano.yml`, such as {UTILITY_SETTINGS[kind]['default']}",
        )
    try:
        config: dict[str, Any] = json.loads(result.stdout)
        items = list(config.items())
    except (ValueError, AttributeError):
        raise _error("Meltano did not answer with the settings.", where) from None
    return {setting: _text(value) for setting, value in items if value is not None}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _meltano() -> str:
    """Return the path of the Meltano that started this process, else of that of PATH. Raises: ConfigError."""
    with suppress(OSError):  # a system without /proc
        arguments = Path(f"/proc/{os.getppid()}/cmdline").read_bytes().split(b"\0")
        for argument in map(os.fsdecode, arguments[:2]):
            if Path(argument).name == "meltano" and Path(argument).is_absolute():
                return argument
    if path := shutil.which("meltano"):
        return path
    raise ConfigError(
        "The command `meltano` is not found.",
        where="PATH",
        hint="add the folder of `meltano` to PATH",
    )


def _error(what: str, where: str) -> ConfigError:
    return ConfigError(what, where=where, hint="run that command by hand: it says what is wrong")
