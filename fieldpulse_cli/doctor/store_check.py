"""Whether a store can be reached and written, without leaving anything in it."""

from __future__ import annotations

import os
from pathlib import Path

from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError

from fieldpulse_api.errors import ConfigError
from fieldpulse_plugin.database import engine_of

from .findings import Finding

_TRIAL = "fieldpulse_doctor"


def of_store(store: str, url: str) -> Finding:
    """Return what is found of a store by its SQLAlchemy URL; its setting is `<store>_url`."""
    about = (f"{store} store", "writable")
    try:
        engine = engine_of(url, store=store)
    except ConfigError as error:
        return Finding("FAIL", *about, error.what, error.hint)
    if engine.dialect.name == "sqlite" and not Path(str(engine.url.database)).exists():
        return _of_new_file(Path(str(engine.url.database)), about, store)
    try:
        with engine.connect() as connection:
            _write(connection)
    except SQLAlchemyError as error:
        if "locked" in str(error):
            return Finding("warn", *about, "is being written by a run: ask again when that has ended")
        what = f"cannot be written ({type(error).__name__})"
        return Finding("FAIL", *about, what, f"give the user of {store}_url the right to create tables, or mend it")
    finally:
        engine.dispose()
    where = Path(str(engine.url.database)).resolve() if engine.dialect.name == "sqlite" else engine.url.host or "here"
    return Finding("ok", *about, f"{engine.dialect.name} at {where}")


def _write(connection: Connection) -> None:
    """Make a table and take it back: neither database keeps what was not committed."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("pragma busy_timeout=1000")
        connection.exec_driver_sql("begin immediate")
    connection.execute(text(f"create table {_TRIAL} (id integer)"))
    connection.rollback()


def _of_new_file(path: Path, about: tuple[str, str], store: str) -> Finding:
    folder = next(one for one in path.resolve().parents if one.exists())
    if folder.is_dir() and os.access(folder, os.W_OK | os.X_OK):
        return Finding("ok", *about, f"will be made at {path.resolve()}")
    return Finding("FAIL", *about, f"cannot be made at {path.resolve()}", f"set {store}_url to a folder of yours")
