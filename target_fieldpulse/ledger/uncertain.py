"""The entries of a ledger whose outcome is unknown, as a person is told of them: read without opening a run."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone

from sqlalchemy import inspect, null, select

from fieldpulse_api.resources.catalogue import WRITABLE
from fieldpulse_plugin.stores.database import engine_of, translate_db_errors
from fieldpulse_plugin.stores.urls import sqlite_path
from target_fieldpulse.records.ledger_key import KeyKind, LedgerKey

from .tables import ENTRIES, REJECTS

_MONEY = {name for name, resource in WRITABLE.items() if resource.write_spec.is_money}
_RUN_ENDED = "the run ended before the answer"


_OWN = (REJECTS.c[name] == ENTRIES.c[name] for name in ("account", "stream", "kind", "source_key"))
_REASON = (
    select(REJECTS.c.reason)
    .where(*_OWN, REJECTS.c.outcome == "uncertain", REJECTS.c.closed_at.is_(None))
    .order_by(REJECTS.c.number.desc())
    .limit(1)
    .scalar_subquery()
)
"""Why the last record of an entry's key was put into the rejects file."""


@dataclass(frozen=True, kw_only=True)
class UncertainEntry:
    """A create or a link that was sent, or is being sent. `sent_at` has the zone UTC.

    `reason` says why the outcome is unknown, in the words of the run that gave up.
    """

    account: str
    key: LedgerKey
    reason: str
    sent_at: datetime

    @property
    def needs_settling(self) -> bool:
        """Return whether no run looks for the row: it moves money, or is a link, which cannot be told from others."""
        return self.key.kind in (KeyKind.LINK, KeyKind.ITEM_LINK) or self.key.stream in _MONEY


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
            reason = _REASON if inspect(connection).has_table(REJECTS.name) else null()
            query = select(ENTRIES, reason.label("reason")).where(ENTRIES.c.status == "pending")
            return [
                UncertainEntry(
                    account=row["account"],
                    key=LedgerKey(row["stream"], KeyKind(row["kind"]), row["source_key"]),
                    reason=row["reason"] or _RUN_ENDED,
                    sent_at=datetime.fromtimestamp(row["updated_at"], timezone.utc),
                )
                for row in connection.execute(query.order_by(ENTRIES.c.updated_at)).mappings()
            ]
    finally:
        engine.dispose()
