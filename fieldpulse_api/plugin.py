"""What both plugins do alike at their edges: settings that are wrong, and signals. Knows no Singer SDK."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, ClassVar, cast

from jsonschema import Draft7Validator
from jsonschema.exceptions import ValidationError

from .errors import BadSetting, got

_LOGGER = logging.getLogger(__name__)


class Plugin:
    """A mixin that stands before the SDK's class."""

    name: str
    config_jsonschema: ClassVar[dict[str, Any]]

    def _validate_config(self, *, raise_errors: bool = True) -> list[str]:
        """Fill in the defaults, and refuse wrong settings without ever showing a secret.

        The SDK reads 0.5 in a file as Decimal and in the environment as float: here it is a float.
        """
        config: dict[str, Any] = self._config  # type: ignore[attr-defined]
        self.append_builtin_config(self.config_jsonschema)  # type: ignore[attr-defined]
        wrong = list(problems(config, self.config_jsonschema))
        if wrong and raise_errors:
            raise BadSetting(
                "; ".join(wrong) + ".",
                where=f"configuration of {self.name}",
                do=f"correct the settings; `{self.name} --about` lists them",
            )
        for name, schema in self.config_jsonschema["properties"].items():
            if "default" in schema:
                config.setdefault(name, schema["default"])
        config.update({name: float(value) for name, value in config.items() if isinstance(value, Decimal)})
        return wrong

    def _handle_termination(self, signum: int, frame: object) -> None:  # noqa: ARG002
        """End with 128 + the signal's number, so that a killed run never looks green."""
        raise SystemExit(128 + signum)


def problems(config: Mapping[str, Any], schema: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is wrong with a configuration; an unknown setting is only warned of, with the nearest name."""
    known = schema["properties"]
    for name in sorted(set(config) - set(known)):
        _LOGGER.warning("There is no setting of this name and it has no effect: %s", got(name, known))
    for error in Draft7Validator(dict(schema)).iter_errors(dict(config)):
        yield _describe(error, known)


def _describe(error: ValidationError, known: Mapping[str, Any]) -> str:
    wanted: Any = error.validator_value
    if error.validator == "required":
        missing = next(name for name in wanted if name not in cast("dict[str, Any]", error.instance))
        return f"setting {missing!r} is missing"
    name = ".".join(map(str, error.absolute_path)) or "configuration"
    secret = known.get(str(error.absolute_path[0]) if error.absolute_path else "", {}).get("secret")
    if error.validator == "enum" and not secret:
        return f"setting {name!r}: {got(error.instance, wanted)}"
    return f"setting {name!r} breaks the rule {error.validator}: {wanted}"
