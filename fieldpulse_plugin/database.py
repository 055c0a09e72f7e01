"""Opening a store: SQLite in a file that only its owner can read, or PostgreSQL by its URL."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import backoff
from sqlalchemy import MetaData, create_engine, event
from sqlalchemy.engine import URL, Engine, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError

from fieldpulse_api.errors import ConfigError


def open_database(text: str, tables: MetaData, *, store: str) -> Engine:
    """Return the database behind an SQLAlchemy URL, with its tables. `store` is named by errors, and by `<store>_url`.

    Raises: BadSetting.
    """
    engine = engine_of(text, store=store)
    try:
        if engine.dialect.name == "sqlite":
            path = Path(str(engine.url.database))
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        _make(tables, engine)
    except (OSError, SQLAlchemyError, ValueError) as error:
        raise _closed(store, error) from None
    return engine


def _is_lasting(error: Exception) -> bool:
    """Say whether an error is none of those that another process causes that opens the same new store."""
    return not any(words in str(error) for words in ("already exists", "database is locked"))


@backoff.on_exception(
    backoff.constant, DBAPIError, interval=0.1, max_tries=20, max_time=60, giveup=_is_lasting, logger=None
)
def _make(tables: MetaData, engine: Engine) -> None:
    tables.create_all(engine)


def engine_of(text: str, *, store: str) -> Engine:
    """Return the database behind an SQLAlchemy URL, before anything was made in it. Raises: BadSetting."""
    try:
        url = make_url(text)
        if url.drivername in ("postgresql", "postgres"):
            url = url.set(drivername="postgresql+psycopg")
        return _sqlite(url) if url.drivername.startswith("sqlite") else create_engine(url)
    except (ArgumentError, NoSuchModuleError, ImportError, ValueError) as error:
        raise _closed(store, error) from None


def _closed(store: str, error: Exception) -> ConfigError:
    return ConfigError(
        f"The {store} cannot be opened ({type(error).__name__}).",
        where=f"setting {store}_url",
        hint=f"give sqlite:///path/to/{store}.db, or postgresql://… with the extra `postgres` installed",
    )


@contextmanager
def translate_db_errors(store: str) -> Iterator[None]:
    """Raise BadSetting for what goes wrong with a store that is open. `store` is named as above."""
    try:
        yield
    except SQLAlchemyError as error:
        raise ConfigError(
            f"The {store} cannot be read or written ({type(error).__name__}).",
            where=f"setting {store}_url",
            hint="look at the disk or the database; the run can then be repeated",
        ) from None


def _sqlite(url: URL) -> Engine:
    if url.database is None or url.database in ("", ":memory:"):
        raise ArgumentError("a store in memory forgets")
    engine = create_engine(url)

    @event.listens_for(engine, "connect")
    def _set(connection: Any, _: Any) -> None:
        for pragma in ("busy_timeout=30000", "journal_mode=WAL", "synchronous=FULL"):
            connection.execute(f"PRAGMA {pragma}")

    return engine
