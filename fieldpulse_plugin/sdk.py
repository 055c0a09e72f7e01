"""What both plugins do alike at their edges: settings that are wrong, and signals. Knows no Singer SDK."""

from __future__ import annotations

import difflib
import logging
import math
import os
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar, cast

from dotenv import dotenv_values
from jsonschema import Draft7Validator
from jsonschema.exceptions import ValidationError

from fieldpulse_api.errors import ConfigError, got_and_allowed
from fieldpulse_api.values.strict_json import parse, read_object, text_fault

from .settings import client_settings

_LOGGER = logging.getLogger(__name__)
_TRUTH = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}
_NEARLY = 0.85  # `dryrun` for `dry_run`, and not much more
_NO_SETTINGS = ("LOGLEVEL",)  # the SDK's own

Config = dict[str, Any]


class FieldPulsePlugin:
    """A mixin that stands before the SDK's class."""

    name: str
    config_jsonschema: ClassVar[Config]

    @classmethod
    def cb_config(cls, ctx: Any, param: Any, value: tuple[str, ...]) -> Any:
        """Read the files of `--config`, the later ones over the earlier; `ENV` stands for the environment."""
        given = super().cb_config(ctx, param, tuple(one for one in value if one == "ENV"))  # type: ignore[misc]
        for path in (one for one in value if one != "ENV"):
            given.config |= _read_config_file(path)
        return given

    @property
    def _env_var_config(self) -> Config:
        """Return the settings of the environment; the SDK's own way takes any text for false and none for a number."""
        self.append_builtin_config(self.config_jsonschema)  # type: ignore[attr-defined]
        return from_environment(f"{self.name.upper().replace('-', '_')}_", self.config_jsonschema["properties"])

    def _validate_config(self, *, raise_errors: bool = True) -> list[str]:
        """Refuse wrong settings without ever showing a secret, and fill in the defaults."""
        config: Config = self._config  # type: ignore[attr-defined]
        self.append_builtin_config(self.config_jsonschema)  # type: ignore[attr-defined]
        # A file's 0.5 comes from the SDK as Decimal; here it is a float, as everywhere else.
        config.update({name: float(value) for name, value in config.items() if isinstance(value, Decimal)})
        if raise_errors:
            where = f"configuration of {self.name}; `{self.name} --about` lists the settings"
            check_settings(config, self.config_jsonschema, where=where)
            client_settings(config)
        for name in [name for name, value in config.items() if value is None]:
            del config[name]  # the SDK's own code takes a null for a value
        for name, schema in self.config_jsonschema["properties"].items():
            if "default" in schema:
                config.setdefault(name, schema["default"])
        return []

    def _handle_termination(self, signum: int, frame: object) -> None:  # noqa: ARG002
        """End with 128 + the signal's number, so that a killed run never looks green."""
        raise SystemExit(128 + signum)


def variables() -> dict[str, str]:
    """Return the variables of the environment, over those of a `.env` in this folder. Raises: BadSetting."""
    try:
        given = {name: value for name, value in dotenv_values(".env").items() if value is not None}
    except (OSError, ValueError) as error:
        what = f"The file of variables cannot be read ({type(error).__name__})."
        raise ConfigError(what, where=str(Path(".env").resolve()), hint="write it in UTF-8, or move it away") from None
    return {**given, **os.environ}


def _read_config_file(path: str) -> Config:
    try:
        with Path(path).open(encoding="utf-8") as file:
            return read_object(file, f"--config {path}")
    except (OSError, ValueError) as error:  # ValueError: a path that is none
        what = f"The file cannot be read ({getattr(error, 'strerror', None) or type(error).__name__})."
        raise ConfigError(what, where=f"--config {path}", hint="check the path") from None


def from_environment(prefix: str, properties: Mapping[str, Any], environment: Mapping[str, str] = os.environ) -> Config:
    """Return the settings that stand in the environment; text that is not of a setting's type stays text."""
    config = {}
    for variable, value in environment.items():
        if variable.startswith(prefix) and not variable.endswith(_NO_SETTINGS):
            name = variable.removeprefix(prefix).lower()
            config[name] = _typed(value, properties.get(name, {}).get("type", "string"))
    return config


def _typed(value: str, kinds: Any) -> Any:
    kind = next((one for one in ([kinds] if isinstance(kinds, str) else kinds) if one != "null"), "string")
    try:
        if kind == "number":
            return float(value)
        if kind == "integer":
            return int(value)
        if kind in ("object", "array"):
            parsed = parse(value)
            return value if parsed.faults else parsed.value
    except ValueError:
        return value
    return _TRUTH.get(value.strip().lower(), value) if kind == "boolean" else value


def check_settings(config: Config, schema: Mapping[str, Any], *, where: str) -> None:
    """Raise BadSetting for settings that are wrong, also for a name that is nearly right: `dryrun` would write.

    One that is unknown is only warned of.
    """
    known = schema["properties"]
    unknown = sorted(set(config) - set(known))
    slips = [name for name in unknown if difflib.get_close_matches(name, known, n=1, cutoff=_NEARLY)]
    for name in set(unknown) - set(slips):
        _LOGGER.warning("There is no setting of this name and it has no effect: %s", got_and_allowed(name, known))
    wrong = [
        *_unfit(config),
        *_problems(config, schema),
        *(f"there is no setting {name!r}: {got_and_allowed(name, known)}" for name in slips),
    ]
    if wrong:
        raise ConfigError("; ".join(wrong) + ".", where=where, hint="correct the settings")


def _unfit(config: Config) -> Iterator[str]:
    """Yield what no rule of a schema finds: numbers that are none, and text that no file or request takes."""
    for name, value in config.items():
        if isinstance(value, float) and not math.isfinite(value):
            yield f"setting {name!r} is no finite number"
        fault = (text_fault(value) or ("a NUL" if "\0" in value else "")) if isinstance(value, str) else ""
        if fault:
            yield f"setting {name!r} has {fault}"


def _problems(config: Config, schema: Mapping[str, Any]) -> Iterator[str]:
    try:
        for error in Draft7Validator(dict(schema)).iter_errors(config):
            yield _describe(error, schema["properties"])
    except AttributeError:  # the SDK's schema of `stream_maps.__else__` is none
        yield "setting 'stream_maps.__else__' takes null and '__NULL__' alone"


def _describe(error: ValidationError, known: Mapping[str, Any]) -> str:
    wanted: Any = error.validator_value
    if error.validator == "required":
        missing = next(name for name in wanted if name not in cast("Config", error.instance))
        return f"setting {missing!r} is missing"
    name = ".".join(map(str, error.absolute_path)) or "configuration"
    secret = known.get(str(error.absolute_path[0]) if error.absolute_path else "", {}).get("secret")
    if error.validator == "enum" and not secret:
        return f"setting {name!r}: {got_and_allowed(error.instance, wanted)}"
    return f"setting {name!r} breaks the rule {error.validator}: {wanted}"
