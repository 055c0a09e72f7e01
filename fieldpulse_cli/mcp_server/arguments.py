"""The arguments of a tool: their JSON Schemas, and their check, with errors that a model can act on."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from fieldpulse_api.errors import UserError, allowed_and_similar
from fieldpulse_api.resources.catalogue import BY_NAME
from fieldpulse_plugin.output import for_output

Schema = dict[str, Any]

DEFAULT_ROWS, MAX_ROWS = 20, 100
_MAX_SHOWN = 60  # characters of a wrong value in a message

STREAM: Schema = {"type": "string", "enum": list(BY_NAME), "description": "Name of the list, as in `describe`."}
ROW_ID: Schema = {
    "type": ["integer", "string"],
    "minimum": 1,
    "maximum": 2**63 - 1,
    "pattern": r"^[1-9][0-9]{0,17}$",
    "description": "The FieldPulse id of the row (`id`, and not the number `cuid` that people see).",
}
FIELDS: Schema = {
    "type": "array",
    "items": {"type": "string", "maxLength": 200},
    "maxItems": 200,
    "description": "Only these fields, also nested ones. Without it: all fields that are not empty and not nested.",
}
LIMIT: Schema = {
    "type": "integer",
    "minimum": 1,
    "maximum": MAX_ROWS,
    "default": DEFAULT_ROWS,
    "description": "How many rows to return at most.",
}
CURSOR: Schema = {
    "type": "string",
    "maxLength": 100,
    "description": "The `cursor` of the last result, to go on behind it. Repeat `stream`; other arguments have no "
    "effect then, apart from `limit`.",
}
_SIMPLE_TYPES = ["string", "integer", "number", "boolean", "null"]
FILTER_VALUES: Schema = {
    "type": [*_SIMPLE_TYPES, "array"],
    "items": {"type": _SIMPLE_TYPES},
    "minItems": 1,
    "maxItems": 50,
}


def object_of(properties: Mapping[str, Schema], *required: str) -> Schema:
    """Return the schema of an object with these members and no others."""
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(required),
        "additionalProperties": False,
    }


def check_arguments(tool: str, schema: Schema, arguments: Mapping[str, Any]) -> None:
    """Raise UserError for the first argument that breaks its rule."""
    try:
        error = next(iter(Draft202012Validator(schema).iter_errors(arguments)), None)
    except RecursionError:
        raise UserError(
            "The arguments are nested too deeply.", where=f"tool {tool}", hint="send less nested ones"
        ) from None
    if error is not None:
        where = ".".join(map(str, error.absolute_path)) or "arguments"
        raise UserError(_problem(error), where=f"tool {tool} · {for_output(where)[:200]}", hint="correct the argument")


def _problem(error: ValidationError) -> str:
    rule: Any = error.validator_value
    instance: Any = error.instance
    got = for_output(repr(instance))
    got = got if len(got) <= _MAX_SHOWN else f"{got[:_MAX_SHOWN]}…"
    if error.validator == "enum":
        return f"Unknown value: got {got}; {allowed_and_similar(instance, rule)}."
    if error.validator == "required":
        missing = next(name for name in rule if name not in instance)
        return f"The argument {missing!r} is missing."
    if error.validator == "additionalProperties":
        schema: Any = error.schema
        allowed = list(schema["properties"])
        unknown = next(name for name in instance if name not in allowed)
        similar = difflib.get_close_matches(unknown, allowed, n=1)
        guess = f"; did you mean {similar[0]!r}?" if similar else ""
        return f"Unknown argument {for_output(unknown)[:_MAX_SHOWN]!r}; allowed: {', '.join(allowed)}{guess}."
    rules = {
        "type": "it must be of the type {}",
        "minimum": "it must be at least {}",
        "maximum": "it must be at most {}",
        "pattern": "it must match {}",
        "maxLength": "it may have at most {} characters",
        "minLength": "it must have at least {} characters",
        "minItems": "it must have at least {} elements",
        "maxItems": "it may have at most {} elements",
        "minProperties": "it must have at least {} members",
        "maxProperties": "it may have at most {} members",
    }
    text = rules.get(str(error.validator), f"it breaks the rule {error.validator}").format(
        " or ".join(rule) if isinstance(rule, list) else rule
    )
    return f"Got {got}; {text}."
