"""The records of the manifest against those of the tap, on the same account."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import fastjsonschema  # type: ignore[import-untyped]

from fieldpulse_api.resources.catalogue import BY_NAME
from fieldpulse_sandbox.sandbox import Sandbox
from tap_fieldpulse.records.record_builder import RecordBuilder, RecordOptions
from tests.harness.tap_runner import run_tap

Record = dict[str, Any]
_OPTIONS = RecordOptions(decimals_as_numbers=True)


def records_of_the_tap(sandbox: Sandbox) -> dict[str, list[Record]]:
    """Return the records of a first run of the tap, with numbers for decimals and without typed custom fields."""
    config = {
        "api_key": sandbox.key,
        "api_url": sandbox.url,
        "rate_limit_store": "memory",
        "history_days": 0,
        "custom_fields": "raw",
        "decimals_as_numbers": True,
    }
    return run_tap(config).records


def differences(
    streams: Mapping[str, Mapping[str, Any]], airbyte: Mapping[str, list[Record]], tap: Mapping[str, list[Record]]
) -> Iterator[str]:
    """Yield every row that only one of both has, every record that its schema does not allow, and every other value.

    Values are compared in the form of the tap: Airbyte has times and amounts inside of objects as they came. Empty text
    counts as null.
    """
    for name, stream in streams.items():
        schema = stream["json_schema"]
        is_valid = fastjsonschema.compile(schema)
        shape = RecordBuilder(BY_NAME[name], _OPTIONS).shape
        ids = [record["id"] for record in airbyte.get(name, [])]
        expected = {record["id"]: record for record in tap.get(name, [])}
        if sorted(ids) != sorted(expected):
            yield f"{name}: {len(ids)} records, the tap has {len(expected)}"
        for record in airbyte.get(name, []):
            try:
                is_valid(_cast(record, schema))
            except fastjsonschema.JsonSchemaException as error:
                yield f"{name} {record['id']}: {error}"
            yield from _differing(name, _canonical(shape(record)), _canonical(expected.get(record["id"], {})))


def _cast(record: Record, schema: Mapping[str, Any]) -> Record:
    """Return a record as destinations cast it: FieldPulse sends some integers as text, and some text as integers."""

    def cast(value: Any, types: Any) -> Any:
        if "integer" in types and isinstance(value, str) and value.isdigit():
            return int(value)
        return str(value) if "string" in types and type(value) is int else value

    properties = schema["properties"]
    return {name: cast(value, properties.get(name, {}).get("type", ())) for name, value in record.items()}


def _canonical(record: Record) -> Any:
    """Return a record as JSON has it, without null and empty text in objects."""

    def strip(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: strip(each) for name, each in value.items() if each not in ("", None)}
        return [strip(each) for each in value] if isinstance(value, list) else value

    return strip(json.loads(json.dumps(record, default=float)))


def _differing(name: str, record: Record, expected: Record) -> Iterator[str]:
    for column in sorted(record.keys() | expected.keys()):
        if record.get(column) != expected.get(column):
            yield f"{name} {record['id']}: {column} is not as in the tap"
