"""The loaders: what is installed, how each is configured, how its tables are read, and what it needs to be right."""

from .duckdb import TARGET_DUCKDB
from .files import TARGET_CSV, TARGET_JSONL, TARGET_UNIVERSAL_FILE
from .iceberg import TARGET_S3TABLES
from .loader import Destination, Loader, Requirement
from .postgres import PIPELINEWISE, TARGET_POSTGRES
from .s3 import TARGET_S3, TARGET_S3_PARQUET
from .snowflake import TARGET_SNOWFLAKE

__all__ = ["LOADERS", "Destination", "Loader", "Requirement"]

_ORDER = (
    TARGET_POSTGRES,
    PIPELINEWISE,
    TARGET_DUCKDB,
    TARGET_SNOWFLAKE,
    TARGET_S3TABLES,
    TARGET_S3,
    TARGET_S3_PARQUET,
    TARGET_CSV,
    TARGET_UNIVERSAL_FILE,
    TARGET_JSONL,
)
LOADERS = {loader.name: loader for loader in _ORDER}
"""By name, in the order of the page's tables."""
