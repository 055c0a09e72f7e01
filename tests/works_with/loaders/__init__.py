"""The loaders: what is installed, how each is configured, how its tables are read, and what it needs to be right."""

from .duckdb import TARGET_DUCKDB
from .files import TARGET_CSV, TARGET_JSONL
from .loader import Destination, Loader, Requirement
from .postgres import PIPELINEWISE, TARGET_POSTGRES
from .snowflake import TARGET_SNOWFLAKE

__all__ = ["LOADERS", "Destination", "Loader", "Requirement"]

_ORDER = (TARGET_POSTGRES, PIPELINEWISE, TARGET_DUCKDB, TARGET_SNOWFLAKE, TARGET_CSV, TARGET_JSONL)
LOADERS = {loader.name: loader for loader in _ORDER}
"""By name, in the order of the page's tables."""
