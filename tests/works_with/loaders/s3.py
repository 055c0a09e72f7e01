"""The loader for S3, on a bucket of moto: see the docstring of `stand_ins/fake_s3.py`."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from tests.works_with import stores
from tests.works_with.comparison import Kind, Representation

from .forms import date_of_midnight, date_of_time, instance_of, without_nulls
from .loader import STAND_INS, Loader, Requirement

PACKAGES = ("plinxore-target-s3==0.1.7", "singer-sdk==0.33.1", "pyarrow==17.0.0", "moto[s3,server]==5.2.5")
COMMAND = ("python", str(STAND_INS / "fake_s3.py"))
BUCKET, PREFIX = "bucket", "prefix"


def _settings(file_format: dict[str, Any]) -> dict[str, Any]:
    account = {
        "aws_bucket": BUCKET,
        "aws_access_key_id": "none",
        "aws_secret_access_key": "none",
        "aws_region": "us-east-1",
    }
    return {
        "format": file_format,
        "prefix": PREFIX,
        "cloud_provider": {"cloud_provider_type": "aws", "aws": account},
    }


TARGET_S3 = Loader(
    name="plinxore-target-s3",
    packages=PACKAGES,
    command=COMMAND,
    settings=lambda _: _settings({"format_type": "jsonl"}),
    read=lambda destination, _: stores.read_zipped_json_lines(destination.folder / BUCKET / PREFIX),
    representation=Representation(
        statements=(
            "each run writes new objects of JSON lines",
            "money is text",
            "dates have the time 00:00:00",
            "an empty stream has no object",
        ),
        appends=True,
        has_empty_tables=False,
        decode={Kind.DATE: date_of_time},
    ),
)
TARGET_S3_PARQUET = Loader(
    name="plinxore-target-s3-parquet",
    packages=PACKAGES,
    command=COMMAND,
    settings=lambda _: _settings({"format_type": "parquet", "format_parquet": {"get_schema_from_tap": False}}),
    read=lambda destination, environment: stores.read_dump(
        environment, STAND_INS / "dump_parquet.py", destination.folder / BUCKET / PREFIX
    ),
    representation=Representation(
        statements=(
            "each run writes new Parquet objects",
            "money is text",
            "times and dates are `timestamp[us, tz=UTC]`",
            "objects are structs of the members in the batch",
            "columns and types are those of the values in the batch: a column without values is missing",
        ),
        appends=True,
        has_empty_tables=False,
        has_empty_columns=False,
        expected={Kind.JSON: without_nulls},
        decode={Kind.TIME: instance_of(datetime), Kind.DATE: date_of_midnight, Kind.JSON: without_nulls},
    ),
    requirements=(
        Requirement(
            "`format_parquet: {get_schema_from_tap: false}`",
            "From the schema it can make no column of an object without properties, and each stream has "
            "`unexpected_fields`.",
            "Exit status 1 in every run. With it, types come from the values: a run ends with status 1 if a member of "
            "an object has a number in a record and text in another.",
        ),
    ),
)
