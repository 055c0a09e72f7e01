"""Validation of settings, with messages that name the setting and never show a secret."""

from __future__ import annotations

import difflib
import logging
import math
from collections.abc import Iterator, Mapping
from typing import Any

from jsonschema import Draft7Validator
from jsonschema.exceptions import ValidationError

from fieldpulse_api.errors import ConfigError, got_and_allowed, without_likely_keys
from fieldpulse_api.values.strict_json import encoding_problem

from .output import hide

_LOGGER = logging.getLogger(__name__)
TYPO_SIMILARITY = 0.85  # `dryrun` is taken for a misspelt `dry_run`; less similar names are only warned of


def check_settings(config: Mapping[str, Any], schema: Mapping[str, Any], *, where: str) -> None:
    """Raise ConfigError for invalid settings and for misspelt names; warn of unknown names. Secrets are not shown.

    A misspelt name is an error because its setting would silently keep the default: `dryrun: true` would write.
    """
    properties = schema["properties"]
    for name, value in config.items():
        if properties.get(name, {}).get("secret") and isinstance(value, str):
            hide(value)
    unknown = sorted(set(config) - set(properties))
    problems = [*_unusable_values(config), *_schema_violations(config, schema)]
    for name in unknown:
        if similar := difflib.get_close_matches(name, properties, n=1, cutoff=TYPO_SIMILARITY):
            problems.append(f"Unknown setting {name!r}; did you mean {similar[0]!r}?")
        else:
            _LOGGER.warning("Ignoring unknown setting %r.", without_likely_keys(name))
    if problems:
        raise ConfigError(" ".join(problems), where=where, hint="correct the settings")


def _unusable_values(config: Mapping[str, Any]) -> Iterator[str]:
    """Yield what JSON Schema cannot express: NaN, infinity, lone surrogates, NUL."""
    for name, value in config.items():
        if isinstance(value, float) and not math.isfinite(value):
            yield f"Setting {name!r} is not a finite number."
        if isinstance(value, str) and (fault := encoding_problem(value) or ("a NUL" if "\0" in value else "")):
            yield f"Setting {name!r} contains {fault}."


def _schema_violations(config: Mapping[str, Any], schema: Mapping[str, Any]) -> Iterator[str]:
    for error in Draft7Validator(dict(schema)).iter_errors(config):
        yield _describe(error, schema["properties"])


def _describe(error: ValidationError, properties: Mapping[str, Any]) -> str:
    rule: Any = error.validator_value
    instance: Any = error.instance
    if error.validator == "required":
        missing = next(name for name in rule if name not in instance)
        return f"Setting {missing!r} is missing."
    name = ".".join(map(str, error.absolute_path)) or "configuration"
    setting = str(error.absolute_path[0]) if error.absolute_path else ""
    if error.validator == "enum" and not properties.get(setting, {}).get("secret"):
        return f"Setting {name!r}: {got_and_allowed(instance, rule)}."
    return f"Setting {name!r} violates the rule {error.validator}: {rule}."  # no value: it may be secret
