"""The entries of a ledger whose outcome is unknown, as a person is told of them: read without opening a run."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone

from sqlalchemy import inspect, select

from fieldpulse_plugin.database import engine_of, translate_db_errors
from fieldpulse_plugin.store_urls import sqlite_path
from target_fieldpulse.records.ledger_key import KeyKind, LedgerKey

from .tables import ENTRIES


@dataclass(frozen=True, kw_only=True)
class UncertainEntry:
    """A create or a link that was sent, or is being sent. `key` is redacted, `sent_at` has the zone UTC."""

    account: str
    stream: str
    key: str
    sent_at: datetime


def uncertain_entries(url: str) -> list[UncertainEntry]:
    """Return the pending entries of all accounts, the oldest first; none if there is no ledger yet.

    Those of a run that goes on are among them: it may be waiting for the response.

    Raises: ConfigError.
    """
    path = sqlite_path(url)
    if path and not path.exists():
        return []
    engine = engine_of(url, store="ledger", reads_only=True)
    try:
        with translate_db_errors("ledger"), engine.connect() as connection:
            if not inspect(connection).has_table(ENTRIES.name):
                return []
            query = select(ENTRIES).where(ENTRIES.c.status == "pending").order_by(ENTRIES.c.updated_at)
            return [
                UncertainEntry(
                    account=row["account"],
                    stream=row["stream"],
                    key=LedgerKey(row["stream"], KeyKind(row["kind"]), row["source_key"]).redacted,
                    sent_at=datetime.fromtimestamp(row["updated_at"], timezone.utc),
                )
                for row in connection.execute(query).mappings()
            ]
    finally:
        engine.dispose()
