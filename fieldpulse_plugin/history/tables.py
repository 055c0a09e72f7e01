"""The tables of the history, in the store that a plugin has already.

SQLite allows one writer at a time, and a run writes to its store for long, so there the history has a file of its own
beside it. With PostgreSQL the tables are in the database of the store.
"""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
)
from sqlalchemy.types import TypeDecorator
from typing_extensions import override

from fieldpulse_plugin.stores.urls import url_beside

METADATA = MetaData()
STORE = "history"
"""Apart from the store beside it: where the history cannot be written, the run goes on."""
_MAX_COUNT = 2**63 - 1


class UtcTime(TypeDecorator[datetime]):
    """A time with a zone. SQLite stores it as text without one, which is in UTC."""

    impl = DateTime(timezone=True)
    cache_ok = True

    @override
    def process_bind_param(self, value: datetime | None, dialect: Any) -> datetime | None:
        return value and value.astimezone(timezone.utc)

    @override
    def process_result_value(self, value: datetime | None, dialect: Any) -> datetime | None:
        return value and (value if value.tzinfo else value.replace(tzinfo=timezone.utc)).astimezone(timezone.utc)


class Count(TypeDecorator[int]):
    """A number of the server's or of ours; a count that no database can hold is stored as the largest."""

    impl = BigInteger
    cache_ok = True

    @override
    def process_bind_param(self, value: int | None, dialect: Any) -> int | None:
        return value if value is None else min(value, _MAX_COUNT)


RUNS = Table(
    "fieldpulse_history_1",  # the number is the version of the columns
    METADATA,
    Column("run_id", String(32), primary_key=True),
    Column("plugin", String(64), nullable=False),
    Column("pipeline", Text, nullable=False),
    Column("version", String(32), nullable=False),
    Column("account", String(64)),
    Column("is_dry", Boolean, nullable=False),
    Column("host", Text, nullable=False),
    Column("process_id", Count, nullable=False),
    Column("process_began", Text, nullable=False),
    Column("began_at", UtcTime, nullable=False),
    Column("seen_at", UtcTime, nullable=False),
    Column("ended_at", UtcTime),
    Column("exit_status", Integer),
    Column("reason", Text),
    Column("requests_per_second", Float, nullable=False),
    Column("requests", Count, nullable=False),
    Column("retries", Count, nullable=False),
    Column("throttled", Count, nullable=False),
    Column("failed", Count, nullable=False),
    Column("bytes", Count, nullable=False),
    Column("latency_p50", Float),
    Column("latency_p95", Float),
    Column("latency_p99", Float),
    Column("latency_max", Float),
    Column("interval_seconds", Integer, nullable=False),
    Column("over_time", JSON, nullable=False),
    Column("open_rejects", Count, nullable=False),
    Index("fieldpulse_history_1_time", "began_at"),
)
STREAMS = Table(
    "fieldpulse_history_streams_1",
    METADATA,
    Column("run_id", String(32), ForeignKey(RUNS.c.run_id), primary_key=True),
    Column("name", String(128), primary_key=True),
    Column("began_at", UtcTime, nullable=False),
    Column("ended_at", UtcTime),
    Column("records", Count, nullable=False),
    Column("requests", Count, nullable=False),
    Column("server_count", Count),
    Column("verdict", String(16)),
    Column("new", Count),
    Column("changed", Count),
    Column("deleted", Count),
    Column("bookmark", Text),
    Column("drift", JSON, nullable=False),
    Column("outcomes", JSON, nullable=False),
    Column("error", Text),
)


def history_url(store_url: str) -> str:
    """Return the SQLAlchemy URL of the history for that of a store."""
    return url_beside(store_url, "history")
