"""The loaders: what is installed, how each is configured, how its tables are read, and what it needs to be right."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from . import stores
from .comparison import Kind, Representation, Table
from .environments import Environment

BATCH_ROWS = 1_000_000
"""More rows than the largest stream has."""


@dataclass(frozen=True)
class Destination:
    """Where one load goes: a folder, and a database of its own."""

    folder: Path
    database: stores.Database


@dataclass(frozen=True)
class Requirement:
    """A setting or a package that a loader needs to be right, the reason, and what happens without it."""

    setting: str
    reason: str
    without: str


@dataclass(frozen=True)
class Loader:
    """A loader of the table. `packages` are pinned, `command` is its executable, `variables` are its environment."""

    name: str
    packages: tuple[str, ...]
    command: str
    settings: Callable[[Destination], dict[str, Any]]
    read: Callable[[Destination, Environment], dict[str, Table]]
    representation: Representation
    requirements: tuple[Requirement, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)


def _instance(kind: type) -> Callable[[Any], Any]:
    """Return a decoder that accepts only values of one type, so that a column of another type is a difference."""

    def decode(value: Any) -> Any:
        if type(value) is not kind:
            raise TypeError(f"a {type(value).__name__}, and not a {kind.__name__}")
        return value

    return decode


def _json(value: Any) -> Any:
    if not isinstance(value, (dict, list)):
        raise TypeError(f"a {type(value).__name__}, and not JSON")
    return value


def _null_if_empty(value: Any) -> Any:
    return None if value == "" else value


def _without_nul(replacement: str) -> Callable[[Any], Any]:
    def replace(value: Any) -> Any:
        if isinstance(value, str):
            return value.replace("\0", replacement)
        if isinstance(value, dict):
            return {name: replace(item) for name, item in value.items()}
        return [replace(item) for item in value] if isinstance(value, list) else value

    return replace


def _as_float(value: Any) -> Any:
    return float(value) if isinstance(value, Decimal) else value


def _escaped(value: Any) -> Any:
    """Return the text as pipelinewise-target-postgres loads it: control characters are those of JSON."""
    return _null_if_empty(re.sub(r"[\x00-\x1f]", lambda match: json.dumps(match[0])[1:-1], value) if value else value)


def _boolean(text: str) -> bool:
    return {"True": True, "False": False}[text]


_EMPTY_IS_NULL = "`''` is NULL"
_MONEY_IS_TEXT = "money and dates are text"
_ESCAPES = "line feeds, tabs and other control characters in text become `\\n`, `\\t`, `\\u0001`"
_NUL_ENDS = "NUL in an object or array ends the run"
_UTC = "times are `timestamp` without a zone, in UTC"

TARGET_POSTGRES = Loader(
    name="meltanolabs-target-postgres",
    packages=("meltanolabs-target-postgres==0.8.1", "singer-sdk==0.54.9"),
    command="target-postgres",
    settings=lambda destination: {
        "sqlalchemy_url": destination.database.sqlalchemy_url,
        "default_target_schema": stores.SCHEMA,
        "load_method": "upsert",
        "sanitize_null_text_characters": True,
    },
    read=lambda destination, _: stores.read_postgres(destination.database),
    variables={"PGTZ": "UTC"},
    representation=Representation(
        statements=(
            "money is `numeric`",
            _UTC,
            "objects are `jsonb`, arrays arrays of PostgreSQL",
            "NUL is U+FFFD in texts",
        ),
        expected={Kind.TEXT: _without_nul("\ufffd"), Kind.JSON: _without_nul("\ufffd")},
        decode={
            Kind.DECIMAL: _instance(Decimal),
            Kind.TIME: _instance(datetime),
            Kind.DATE: _instance(date),
            Kind.INTEGER: _instance(int),
            Kind.BOOLEAN: _instance(bool),
            Kind.TEXT: _instance(str),
            Kind.JSON: _json,
        },
    ),
    requirements=(
        Requirement(
            "`PGTZ=UTC` in its environment, or `options=-c%20timezone%3DUTC` in its `sqlalchemy_url`",
            "The columns have no zone, and an INSERT converts each time to the zone of the session.",
            "In a database in New York, times are 4 or 5 hours early, and two hours of autumn become one. "
            "`use_copy: true` helps too, but sends amounts as floats: those of more than 15 digits are rounded.",
        ),
        Requirement(
            "`sanitize_null_text_characters: true`",
            "PostgreSQL has no NUL character in text.",
            "One NUL in a note ends the run with status 1 in every run. The setting reaches texts and the first level "
            "of objects; a NUL deeper down, or in an array of objects, still ends the run.",
        ),
    ),
)
PIPELINEWISE = Loader(
    name="pipelinewise-target-postgres",
    packages=("pipelinewise-target-postgres==2.1.2",),
    command="target-postgres",
    settings=lambda destination: {
        **destination.database.settings,
        "default_target_schema": stores.SCHEMA,
        "batch_size_rows": BATCH_ROWS,
    },
    read=lambda destination, _: stores.read_postgres(destination.database),
    representation=Representation(
        statements=(_EMPTY_IS_NULL, _MONEY_IS_TEXT, _UTC, "objects and arrays are `jsonb`", _ESCAPES, _NUL_ENDS),
        column=str.lower,
        expected={Kind.TEXT: _escaped, Kind.NUMBER: _as_float},
        decode={
            Kind.DECIMAL: _instance(str),
            Kind.DATE: _instance(str),
            Kind.TIME: _instance(datetime),
            Kind.BOOLEAN: _instance(bool),
            Kind.TEXT: _instance(str),
            Kind.JSON: _json,
        },
    ),
    requirements=(
        Requirement(
            f"`batch_size_rows: {BATCH_ROWS}`, or another number above the rows of the largest stream",
            "A full batch acknowledges the STATE of all streams, although the rows of the others are still in memory.",
            "If the loader then dies, rows are never loaded, because their bookmark has moved.",
        ),
    ),
)
TARGET_DUCKDB = Loader(
    name="target-duckdb",
    packages=("target-duckdb==0.8.0", "duckdb==1.2.2"),
    command="target-duckdb",
    settings=lambda destination: {
        "path": str(destination.folder / "x.duckdb"),
        "default_target_schema": stores.SCHEMA,
        "batch_size_rows": BATCH_ROWS,
    },
    read=lambda destination, environment: stores.read_duckdb(destination.folder / "x.duckdb", environment),
    representation=Representation(
        statements=(_EMPTY_IS_NULL, _MONEY_IS_TEXT, "times are `TIMESTAMP`, in UTC", "objects and arrays are `JSON`"),
        column=str.lower,
        expected={Kind.TEXT: _null_if_empty, Kind.NUMBER: _as_float},
        decode={
            Kind.INTEGER: int,
            Kind.BOOLEAN: _instance(bool),
            Kind.JSON: lambda text: json.loads(text, parse_float=Decimal),
        },
    ),
    requirements=(
        Requirement(
            "`duckdb<1.3` beside it",
            "It loads through CSV files without stating that they have no header.",
            "The first row of each batch that has a time is lost, with exit status 0.",
        ),
        Requirement(
            f"`batch_size_rows: {BATCH_ROWS}`, or another number above the rows of the largest stream",
            "As in pipelinewise-target-postgres.",
            "As in pipelinewise-target-postgres.",
        ),
    ),
)
TARGET_CSV = Loader(
    name="meltanolabs-target-csv",
    packages=("meltanolabs-target-csv==0.5.0", "singer-sdk==0.54.9"),
    command="target-csv",
    settings=lambda destination: {
        "output_path": str(destination.folder),
        "file_naming_scheme": "{stream_name}-{timestamp}.csv",
    },
    read=lambda destination, _: stores.read_csv(destination.folder),
    representation=Representation(
        statements=(
            "each run has its own files",
            "`''` and null are empty cells",
            "objects are Python's repr, not JSON",
        ),
        appends=True,
        expected={Kind.TEXT: _null_if_empty},
        decode={Kind.BOOLEAN: _boolean, Kind.INTEGER: int, Kind.JSON: stores.python_literal},
    ),
    requirements=(
        Requirement(
            '`file_naming_scheme: "{stream_name}-{timestamp}.csv"`',
            "Each run opens its files for writing, also with `overwrite_behavior: append_records`.",
            "The second run replaces the files of the first, and bookmarks keep the old rows from coming again.",
        ),
    ),
)
TARGET_JSONL = Loader(
    name="target-jsonl",
    packages=("target-jsonl==0.1.4",),
    command="target-jsonl",
    settings=lambda destination: {"destination_path": str(destination.folder), "do_timestamp_file": False},
    read=lambda destination, _: stores.read_json_lines(destination.folder),
    representation=Representation(
        statements=("each record is a line, in every run", "money is text", "an empty stream has no file"),
        appends=True,
        has_empty_tables=False,
    ),
)
LOADERS = {loader.name: loader for loader in (TARGET_POSTGRES, PIPELINEWISE, TARGET_DUCKDB, TARGET_CSV, TARGET_JSONL)}
