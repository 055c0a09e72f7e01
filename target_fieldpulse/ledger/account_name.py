"""The name of an account in the ledger: its id, or a name made from the key until a list shows the id."""

from __future__ import annotations

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError

from fieldpulse_api.errors import ConfigError

from .database import LedgerDatabase
from .tables import ENTRIES, REJECTS, RUNS, WRITTEN_ROWS


def adopt_entries(database: LedgerDatabase, account: str, former_account: str) -> None:
    """Give an account what is stored under `former_account`, its name before its id was known.

    The names are the same while no list shows the id. Raises: ConfigError if entries of the account exist under both
    names, or if its id was known and is not now.
    """
    if account == former_account:
        _raise_if_id_lost(database, account)
    else:
        _rename(database, account, former_account)


def _raise_if_id_lost(database: LedgerDatabase, account: str) -> None:
    """Raise ConfigError if entries exist under an account's id: every record would be created again.

    No list shows the id of this account now, so the entries under an id cannot be attributed to it.
    """
    with database.query() as connection:
        query = select(ENTRIES.c.account).where(ENTRIES.c.account != account).distinct()
        others = list(connection.scalars(query))
    if others:
        raise ConfigError(
            "The account of the API key cannot be determined: no list shows its id, and the ledger is kept by id.",
            where=f"setting ledger_url · accounts {', '.join(others)}",
            hint="run again later; if this stays, `fieldpulse doctor` shows which lists respond",
        )


def _rename(database: LedgerDatabase, account: str, former_account: str) -> None:
    with database.begin() as connection:
        try:
            for table in (ENTRIES, RUNS, REJECTS, WRITTEN_ROWS):
                connection.execute(update(table).where(table.c.account == former_account).values(account=account))
        except IntegrityError:
            raise ConfigError(
                "The ledger has entries of this account under two names, with different rows for one key.",
                where=f"setting ledger_url · accounts {former_account} and {account}",
                hint="give each FieldPulse account a ledger_url of its own",
            ) from None
