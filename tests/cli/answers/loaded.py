"""Tables as loaders make them of what the tap emits, in PostgreSQL and in DuckDB.

The forms are those that `docs/operations/works-with.md` lists; `make answers` asks the same of the loaders themselves.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.harness.results import RunResult


@dataclass(frozen=True)
class Form:
    """What a loader makes of a record: the type of a column by the format or type of its property."""

    types: Mapping[str, str]
    is_empty_null: bool = False

    def column_type(self, schema: Mapping[str, Any]) -> str:
        """Return the type of a property's column."""
        types = [schema["type"]] if isinstance(schema["type"], str) else schema["type"]
        kind = schema.get("format") or next(name for name in types if name != "null")
        return self.types.get(kind, "text")

    def cell(self, value: Any, column_type: str) -> Any:
        """Return a value of a record as the loader writes it."""
        if value == "" and self.is_empty_null:
            return None
        return json.dumps(value) if column_type.startswith("json") and value is not None else value


_USUAL = {"integer": "bigint", "boolean": "boolean"}
POSTGRES = {
    "target-postgres": Form(
        {**_USUAL, "x-singer.decimal": "numeric", "date-time": "timestamp", "date": "date"}
        | dict.fromkeys(("object", "array"), "jsonb")
    ),
    "with zones": Form(
        {**_USUAL, "x-singer.decimal": "numeric", "date-time": "timestamptz", "date": "date"}
        | dict.fromkeys(("object", "array"), "jsonb")
    ),
    "pipelinewise": Form(
        {**_USUAL, "date-time": "timestamp"} | dict.fromkeys(("object", "array"), "jsonb"), is_empty_null=True
    ),
}
DUCKDB = Form({**_USUAL, "date-time": "timestamp"} | dict.fromkeys(("object", "array"), "json"), is_empty_null=True)


def last_records(emitted: RunResult, stream: str) -> list[dict[str, Any]]:
    """Return the last record of each key, as a loader that upserts stores them."""
    return list({(record.get("stream"), record["id"]): record for record in emitted.records[stream]}.values())


@dataclass(frozen=True)
class Load:
    """The statements that make one table, and its rows."""

    create: str
    insert: str
    rows: list[list[Any]]


def load_of(emitted: RunResult, stream: str, schema: str, form: Form, mark: str) -> Load:
    """Return how a stream is loaded into a quoted schema; `mark` stands for a value in a statement."""
    types = {name: form.column_type(column) for name, column in emitted.schemas[stream]["properties"].items()}
    columns = ", ".join(f'"{name}" {column_type}' for name, column_type in types.items())
    return Load(
        create=f"create table {schema}.{stream} ({columns})",
        insert=f"insert into {schema}.{stream} values ({', '.join([mark] * len(types))})",
        rows=[
            [form.cell(record.get(name), column_type) for name, column_type in types.items()]
            for record in last_records(emitted, stream)
        ],
    )
