"""The loader for Snowflake, on fakesnow: see the docstring of `stand_ins/fake_snowflake.py`."""

from __future__ import annotations

import json
from datetime import date, datetime
from decimal import Decimal

from tests.works_with import stores
from tests.works_with.comparison import Kind, Representation, Table
from tests.works_with.environments import Environment

from .forms import instance_of
from .loader import STAND_INS, Destination, Loader


def _read(destination: Destination, environment: Environment) -> dict[str, Table]:
    tables = stores.read_dump(environment, STAND_INS / "dump_snowflake.py", destination.folder)
    return {name.lower(): table for name, table in tables.items()}


TARGET_SNOWFLAKE = Loader(
    name="meltanolabs-target-snowflake",
    packages=("meltanolabs-target-snowflake==0.20.4", "singer-sdk==0.55.0b3", "fakesnow==0.12.1", "duckdb==2.0.1"),
    command=("python", str(STAND_INS / "fake_snowflake.py")),
    settings=lambda _: {
        "account": "none",
        "user": "none",
        "password": "none",
        "database": "DB",
        "default_target_schema": stores.SCHEMA,
    },
    read=_read,
    representation=Representation(
        statements=(
            "names are upper case",
            "money is `NUMBER(38,9)`",
            "times are `TIMESTAMP_NTZ`, in UTC",
            "objects and arrays are `VARIANT`",
        ),
        column=str.upper,
        types={
            Kind.DECIMAL: "NUMBER(38,9)",
            Kind.INTEGER: "NUMBER(38,0)",
            Kind.TIME: "TIMESTAMP_NTZ(9)",
            Kind.DATE: "DATE",
            Kind.BOOLEAN: "BOOLEAN",
            Kind.TEXT: "VARCHAR(16777216)",
            Kind.JSON: "VARIANT",
        },
        decode={
            Kind.DECIMAL: instance_of(Decimal),
            Kind.TIME: instance_of(datetime),
            Kind.DATE: instance_of(date),
            Kind.INTEGER: instance_of(int),
            Kind.BOOLEAN: instance_of(bool),
            Kind.TEXT: instance_of(str),
            Kind.JSON: lambda text: json.loads(text, parse_float=Decimal),
        },
    ),
)
