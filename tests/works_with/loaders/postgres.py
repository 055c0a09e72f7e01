"""The loaders for PostgreSQL."""

from __future__ import annotations

import json
import re
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from tests.works_with import stores
from tests.works_with.comparison import Kind, Representation

from .forms import EMPTY_IS_NULL, MONEY_IS_TEXT, as_float, instance_of, json_value, null_if_empty, without_nul
from .loader import BATCH_ROWS, Loader, Requirement

_ESCAPES = "line feeds, tabs and other control characters in text become `\\n`, `\\t`, `\\u0001`"
_NUL_ENDS = "NUL in an object or array ends the run"
_UTC = "times are `timestamp` without a zone, in UTC"


def _escaped(value: Any) -> Any:
    """Return the text as pipelinewise-target-postgres loads it: control characters are those of JSON."""
    return null_if_empty(re.sub(r"[\x00-\x1f]", lambda match: json.dumps(match[0])[1:-1], value) if value else value)


TARGET_POSTGRES = Loader(
    name="meltanolabs-target-postgres",
    packages=("meltanolabs-target-postgres==0.8.1", "singer-sdk==0.54.9"),
    command=("target-postgres",),
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
        expected={Kind.TEXT: without_nul("\ufffd"), Kind.JSON: without_nul("\ufffd")},
        decode={
            Kind.DECIMAL: instance_of(Decimal),
            Kind.TIME: instance_of(datetime),
            Kind.DATE: instance_of(date),
            Kind.INTEGER: instance_of(int),
            Kind.BOOLEAN: instance_of(bool),
            Kind.TEXT: instance_of(str),
            Kind.JSON: json_value,
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
    command=("target-postgres",),
    settings=lambda destination: {
        **destination.database.settings,
        "default_target_schema": stores.SCHEMA,
        "batch_size_rows": BATCH_ROWS,
    },
    read=lambda destination, _: stores.read_postgres(destination.database),
    representation=Representation(
        statements=(
            EMPTY_IS_NULL,
            MONEY_IS_TEXT,
            _UTC,
            "objects and arrays are `jsonb`",
            _ESCAPES,
            _NUL_ENDS,
        ),
        column=str.lower,
        expected={Kind.TEXT: _escaped, Kind.NUMBER: as_float},
        decode={
            Kind.DECIMAL: instance_of(str),
            Kind.DATE: instance_of(str),
            Kind.TIME: instance_of(datetime),
            Kind.BOOLEAN: instance_of(bool),
            Kind.TEXT: instance_of(str),
            Kind.JSON: json_value,
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
