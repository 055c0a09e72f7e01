"""The loader for DuckDB."""

from __future__ import annotations

import json
from decimal import Decimal

from tests.works_with import stores
from tests.works_with.comparison import Kind, Representation

from .forms import EMPTY_IS_NULL, MONEY_IS_TEXT, as_float, instance_of, null_if_empty
from .loader import BATCH_ROWS, Loader, Requirement

TARGET_DUCKDB = Loader(
    name="target-duckdb",
    packages=("target-duckdb==0.8.0", "duckdb==1.2.2"),
    command=("target-duckdb",),
    settings=lambda destination: {
        "path": str(destination.folder / "x.duckdb"),
        "default_target_schema": stores.SCHEMA,
        "batch_size_rows": BATCH_ROWS,
    },
    read=lambda destination, environment: stores.read_duckdb(destination.folder / "x.duckdb", environment),
    representation=Representation(
        statements=(
            EMPTY_IS_NULL,
            MONEY_IS_TEXT,
            "times are `TIMESTAMP`, in UTC",
            "objects and arrays are `JSON`",
        ),
        column=str.lower,
        expected={Kind.TEXT: null_if_empty, Kind.NUMBER: as_float},
        decode={
            Kind.INTEGER: int,
            Kind.BOOLEAN: instance_of(bool),
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
