"""Whether a tap's records are as their schemas announce: types, formats, and no property beside the announced ones.

Loaders refuse other records, or drop what was not announced without a word.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from datetime import date
from functools import lru_cache
from typing import Any

import fastjsonschema

from .messages import Message

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
_DECIMAL = re.compile(r"-?\d+(\.\d+)?")


def check_announced(messages: Iterable[Message]) -> None:
    """Raise AssertionError for a record that its stream's schema does not announce."""
    schemas: dict[str, Message] = {}
    for message in messages:
        if message["type"] == "SCHEMA":
            schemas[message["stream"]] = message["schema"]
        elif message["type"] == "RECORD":
            stream, record = message["stream"], message["record"]
            assert stream in schemas, f"{stream}: a record precedes its schema"
            unannounced = record.keys() - schemas[stream]["properties"].keys()
            assert not unannounced, f"{stream}: not announced: {sorted(unannounced)}"
            try:
                _validator(json.dumps(schemas[stream], sort_keys=True))(record)
            except fastjsonschema.JsonSchemaValueException as error:
                raise AssertionError(f"{stream} {record.get('id')}: {error.message}: {error.value!r}") from None


@lru_cache(maxsize=256)
def _validator(schema: str) -> Callable[[Any], Any]:
    formats = {"date-time": _TIME.fullmatch, "date": _is_date, "x-singer.decimal": _DECIMAL.fullmatch}
    compiled: Callable[[Any], Any] = fastjsonschema.compile(
        {"$schema": "http://json-schema.org/draft-07/schema#", **json.loads(schema)},
        formats={name: _predicate(check) for name, check in formats.items()},
        use_default=False,
    )
    return compiled


def _predicate(check: Callable[[str], Any]) -> Callable[[str], bool]:
    return lambda value: bool(check(value))


def _is_date(value: str) -> bool:
    try:
        return date.fromisoformat(value).isoformat() == value
    except ValueError:
        return False
