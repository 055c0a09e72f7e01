"""The mixin that adapts the SDK's plugin classes: settings, stream maps and signals."""

from __future__ import annotations

import signal
import sys
import threading
from decimal import Decimal
from pathlib import Path
from types import FrameType
from typing import Any, ClassVar

import click
from singer_sdk.plugin_base import PluginBase, _ConfigInput
from typing_extensions import override

from fieldpulse_api.errors import ConfigError
from fieldpulse_api.http.api_key import ApiKey
from fieldpulse_api.values.strict_json import read_object

from .console_log import adapt_sdk_logging
from .environment import convert, settings_from_environment, variables_without_effect
from .exit_codes import end_by_signal
from .settings import PluginSettings
from .stream_maps import StreamMapper
from .validation import check_settings

Config = dict[str, Any]


class FieldPulsePlugin(PluginBase):
    """A mixin that precedes `Tap` or `Target` in the bases of a plugin class."""

    settings_class: ClassVar[type[PluginSettings]] = PluginSettings
    settings: PluginSettings
    mapper: StreamMapper
    config_jsonschema: ClassVar[Config]

    @classmethod
    @override
    def append_builtin_config(cls, config_jsonschema: Config) -> None:
        """Add the settings of stream maps and flattening. Batches and load methods do not apply to an API.

        The mapper checks the maps: its errors name stream and property, and the SDK's schema of maps is invalid.
        """
        PluginBase.append_builtin_config.__func__(cls, config_jsonschema)  # type: ignore[attr-defined]
        maps = config_jsonschema["properties"]["stream_maps"]
        config_jsonschema["properties"]["stream_maps"] = {name: maps[name] for name in ("type", "title", "description")}

    @classmethod
    @override
    def cb_config(cls, ctx: click.Context, param: click.Option, value: tuple[str, ...]) -> _ConfigInput:
        """Read the files of `--config`, later ones over earlier ones; `ENV` adds the environment."""
        config_input = super().cb_config(ctx, param, tuple(path for path in value if path == "ENV"))
        for path in value:
            if path != "ENV":
                config_input.config |= _read_config_file(path)
        if value and not config_input.parse_env:
            cls.append_builtin_config(cls.config_jsonschema)
            properties = cls.config_jsonschema["properties"]
            for warning in variables_without_effect(cls._variable_prefix(), properties, config_input.config):
                cls.logger.warning("%s", warning)
        return config_input

    @classmethod
    @override
    def get_singer_command(cls) -> click.Command:
        """Return the command. The SDK calls this right after it has configured logging."""
        adapt_sdk_logging()
        return super().get_singer_command()

    @classmethod
    @override
    def invoke(cls, *, about: bool = False, about_format: str | None = None, **kwargs: Any) -> None:
        """Print what `--about` asks for and exit, or else log the version. Tap and target run themselves afterwards."""
        if about:
            cls.print_about(about_format)
            sys.exit(0)
        cls.logger.info("%s %s", cls.name, cls.plugin_version)

    @classmethod
    def _variable_prefix(cls) -> str:
        return f"{cls.name.upper().replace('-', '_')}_"

    @property
    @override
    def _env_var_config(self) -> Config:
        """Return the settings of the environment, typed; the SDK reads any text as False and no numbers."""
        self.append_builtin_config(self.config_jsonschema)
        return settings_from_environment(self._variable_prefix(), self.config_jsonschema["properties"])

    @override
    def _validate_config(self, *, raise_errors: bool = True) -> list[str]:
        """Validate the settings, fill in the defaults and parse them once, into `settings`.

        The SDK passes `raise_errors=False` for discovery: then only the API key may be missing.
        """
        self.append_builtin_config(self.config_jsonschema)
        config: Config = self._config
        for name, schema in self.config_jsonschema["properties"].items():
            value = config.get(name)
            if isinstance(value, Decimal):  # the SDK's type of a file's 0.5
                config[name] = float(value)
            if isinstance(value, str):  # so Meltano passes numbers of the environment, and undeclared settings
                config[name] = convert(value, schema["type"])
        check_settings(
            config,
            self.config_jsonschema,
            where=f"configuration of {self.name}; `{self.name} --about` lists the settings",
        )
        for name in [name for name, value in config.items() if value is None]:
            del config[name]  # the SDK takes null for a value, not for an unset setting
        for name, schema in self.config_jsonschema["properties"].items():
            if "default" in schema:
                config.setdefault(name, schema["default"])
        self.settings = self.settings_class.from_config(config)
        if raise_errors and self.settings.client is None:
            ApiKey.from_config(config)  # raises the error that says how to set it
        return []

    @override
    def setup_mapper(self) -> None:
        """Set up stream maps. A tap has to register its catalog afterwards."""
        self.mapper = StreamMapper(dict(self.config), self.logger)

    @override
    def _setup_signal_handlers(self) -> None:
        """Handle what the SDK handles, and the end of a terminal, unless `nohup` ignores it."""
        super()._setup_signal_handlers()
        is_main_thread = threading.current_thread() is threading.main_thread()
        if is_main_thread and hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) == signal.SIG_DFL:  # POSIX
            signal.signal(signal.SIGHUP, self._handle_termination)

    @override
    def _handle_termination(self, signum: int, frame: FrameType | None) -> None:
        """End with 128 + the signal's number; the SDK would end with 0, like a run that succeeded."""
        end_by_signal(signum, frame)


def _read_config_file(path: str) -> Config:
    try:
        with Path(path).open(encoding="utf-8") as file:
            return read_object(file, f"--config {path}")
    except (OSError, ValueError) as error:  # ValueError: a path with a NUL
        raise ConfigError(
            f"The configuration file cannot be read ({getattr(error, 'strerror', None) or type(error).__name__}).",
            where=f"--config {path}",
            hint="check the path",
        ) from None
