"""The tables of the ledger's database.

The version of the schema is part of the tables' names, so that two versions of the target never share a table.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
)

from fieldpulse_plugin.history.tables import UtcTime

VERSION = 1
ENTRIES_PREFIX = "fieldpulse_ledger_"
METADATA = MetaData()

ENTRIES = Table(
    f"{ENTRIES_PREFIX}{VERSION}",
    METADATA,
    Column("account", String(64), primary_key=True),
    Column("stream", String(64), primary_key=True),
    Column("kind", String(16), primary_key=True),
    Column("source_key", String(512), primary_key=True),
    Column("status", String(16), nullable=False),
    Column("row_id", BigInteger),
    Column("parent_ids", JSON, nullable=False),
    Column("property_hashes", JSON, nullable=False),
    Column("fingerprint", JSON, nullable=False),
    Column("max_id_before", BigInteger, nullable=False),
    Column("updated_at", Float, nullable=False),
    Index(f"{ENTRIES_PREFIX}{VERSION}_rows", "account", "stream", "row_id"),
    Index(f"{ENTRIES_PREFIX}{VERSION}_status", "account", "stream", "status"),
)
RUNS = Table(
    "fieldpulse_run_2",  # the number is the version of the columns
    METADATA,
    Column("account", String(64), primary_key=True),
    Column("stream", String(64), primary_key=True),
    Column("run_id", String(32), nullable=False),
    Column("status", String(16), nullable=False),
    Column("updated_at", Float, nullable=False),
)
WRITTEN_ROWS = Table(
    "fieldpulse_written_row_2",  # the number is the version of the columns
    METADATA,
    Column("account", String(64), primary_key=True),
    Column("stream", String(64), primary_key=True),
    Column("row_id", BigInteger, primary_key=True, autoincrement=False),
    Column("created", JSON, nullable=False),
    Column("sent", JSON, nullable=False),
    Column("is_deleted", Boolean, nullable=False),
)
"""The rows that this target wrote, by id.

`created` are hashes of the columns as a create left them, `sent` those of the last value sent for each column, with the
number of that write.
"""
AUDIT = Table(
    "fieldpulse_audit_2",  # the number is the version of the columns
    METADATA,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("account", String(64), nullable=False),
    Column("run_id", String(32), nullable=False),
    Column("recorded_at", UtcTime, nullable=False, index=True),
    Column("stream", String(64), nullable=False),
    Column("source_key", String(512)),
    Column("action", String(16), nullable=False),
    Column("outcome", String(16), nullable=False),
    Column("requests", Integer, nullable=False),
    Column("row_id", BigInteger),
    Column("changed", JSON),
    Column("records", Integer, nullable=False),
    Column("reason", Text),
)
REJECTS = Table(
    "fieldpulse_reject_1",  # the number is the version of the columns
    METADATA,
    Column("number", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("account", String(64), nullable=False),
    Column("stream", String(64), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("source_key", String(512), nullable=False),
    Column("content", String(32), nullable=False),
    Column("outcome", String(16), nullable=False),
    Column("reason", Text, nullable=False),
    Column("first_at", UtcTime, nullable=False),
    Column("last_at", UtcTime, nullable=False),
    Column("times", Integer, nullable=False),
    Column("closed_at", UtcTime),
    Index("fieldpulse_reject_1_stream", "account", "stream"),
    Index("fieldpulse_reject_1_content", "account", "content"),
)
"""The rejected, failed and uncertain records, whose lines are in the rejects file.

`source_key` is empty for a record without a key. `content` is the hash of the record. `closed_at` is set once the key
was written: the entry stays as long as its line.
"""
