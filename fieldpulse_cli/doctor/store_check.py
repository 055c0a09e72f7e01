"""Check that a store can be opened and written; it leaves nothing behind."""

from __future__ import annotations

import os
from pathlib import Path

from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError

from fieldpulse_api.errors import ConfigError
from fieldpulse_plugin.stores.database import engine_of

from .findings import Finding

_TRIAL_TABLE = "fieldpulse_doctor"


def store_finding(store: str, url: str) -> Finding:
    """Return the finding about a store. `store` is `ledger` or `snapshot`; the setting `<store>_url` holds the URL."""
    about = (f"{store} store", "writable")
    try:
        engine = engine_of(url, store=store)
    except ConfigError as error:
        return Finding("FAIL", *about, error.what, error.hint)
    is_sqlite = engine.dialect.name == "sqlite"
    path = Path(str(engine.url.database)).resolve()
    if is_sqlite and not path.exists():
        return _new_file_finding(path, about, store)
    try:
        with engine.connect() as connection:
            _create_and_roll_back(connection)
    except SQLAlchemyError as error:
        if "locked" in str(error):
            return Finding("warn", *about, "a run is writing to it: check again when that run has ended")
        what = f"cannot be written ({type(error).__name__})"
        return Finding("FAIL", *about, what, f"give the user in {store}_url the right to create tables, or repair it")
    finally:
        engine.dispose()
    location = path if is_sqlite else engine.url.host or "localhost"
    return Finding("ok", *about, f"{engine.dialect.name} at {location}")


def _create_and_roll_back(connection: Connection) -> None:
    """Create a table in a transaction that is rolled back; both databases support that."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("pragma busy_timeout=1000")
        connection.exec_driver_sql("begin immediate")
    connection.execute(text(f"create table {_TRIAL_TABLE} (id integer)"))
    connection.rollback()


def _new_file_finding(path: Path, about: tuple[str, str], store: str) -> Finding:
    folder = next(parent for parent in path.parents if parent.exists())
    if folder.is_dir() and os.access(folder, os.W_OK | os.X_OK):
        return Finding("ok", *about, f"will be created at {path}")
    return Finding("FAIL", *about, f"cannot be created at {path}", f"set {store}_url to a folder you can write to")
