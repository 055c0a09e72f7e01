"""The loader for S3 Tables, on a local Iceberg catalogue: see the docstring of `stand_ins/local_iceberg.py`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from tests.works_with import stores
from tests.works_with.comparison import Kind, Representation

from .forms import as_float, instance_of
from .loader import STAND_INS, Loader, Requirement


def _structure(schema: Mapping[str, Any], value: Any) -> Any:
    """Return the value as a column of this schema holds it: structs of the named members, lists, maps."""
    types = _types(schema)
    if types == ["array"]:
        items = schema.get("items", {})
        absent: list[Any] | None = [] if items.get("properties") else None
        return absent if value is None else [_structure(items, item) for item in value]
    if value is None:
        return None
    if types == ["object"]:
        members, typed = schema.get("properties", {}), schema.get("additionalProperties")
        others = typed if isinstance(typed, dict) else {}
        return {name: _structure(members.get(name, others), value.get(name)) for name in members or value}
    return _scalar(schema.get("format"), types, value)


def _types(schema: Mapping[str, Any]) -> list[str]:
    types = schema.get("type", [])
    return [name for name in ([types] if isinstance(types, str) else types) if name != "null"]


def _scalar(form: str | None, types: list[str], value: Any) -> Any:
    if types == ["string"] and form == "date-time":
        return datetime.fromisoformat(value.replace("Z", "+00:00"))
    if types == ["string"] and form == "date":
        return date.fromisoformat(value)
    return as_float(value) if types in (["integer"], ["number"], ["boolean"]) else _text(value)


def _text(value: Any) -> str:
    """Return the text of a value that has no type: JSON of an object or array, else Python's text."""
    if isinstance(value, (dict, list)):
        return json.dumps(value, separators=(",", ":"), sort_keys=True, default=str)
    return str(value)


TARGET_S3TABLES = Loader(
    name="target-s3tables",
    packages=(
        "target-s3tables==0.0.6",
        "singer-sdk==0.53.7",
        "pyiceberg[sql-sqlite]==0.12.0",
        "pyarrow==26.0.1",
        "s3fs==2026.1.0",  # without these three, pip tries many versions
        "aiobotocore==3.10.0",
        "boto3==1.43.117",
    ),
    command=("python", str(STAND_INS / "local_iceberg.py")),
    settings=lambda _: {
        "region": "us-east-1",
        "glue_warehouse": "123456789012:s3tablescatalog/none",
        "namespace": stores.SCHEMA,
        "sanitize_names": False,
    },
    read=lambda destination, environment: stores.read_dump(
        environment, STAND_INS / "dump_iceberg.py", destination.folder
    ),
    representation=Representation(
        statements=(
            "rows are appended in each run",
            "money is text",
            "times are `timestamptz`",
            "objects are structs of the members that the schema names, and others are lost",
            "`unexpected_fields` is a map of text",
            "a null array of objects is empty",
        ),
        appends=True,
        structure=_structure,
        types={
            Kind.DECIMAL: "string",
            Kind.INTEGER: "long",
            Kind.NUMBER: "double",
            Kind.TIME: "timestamptz",
            Kind.DATE: "date",
            Kind.BOOLEAN: "boolean",
            Kind.TEXT: "string",
        },
        expected={Kind.NUMBER: as_float},
        decode={
            Kind.DECIMAL: instance_of(str),
            Kind.TIME: instance_of(datetime),
            Kind.DATE: instance_of(date),
            Kind.INTEGER: instance_of(int),
            Kind.BOOLEAN: instance_of(bool),
            Kind.TEXT: instance_of(str),
        },
    ),
    requirements=(
        Requirement(
            "`sanitize_names: false`, where the tap flattens",
            "It makes `_` of `__`, and adds `_2` to the second of two equal names.",
            "The column `customer_id` of invoices and estimates is that of `customer__id`; the row's own is "
            "`customer_id_2`.",
        ),
    ),
)
