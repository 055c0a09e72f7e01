"""Where the stores are: SQLAlchemy URLs, and the files of SQLite behind them."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from fieldpulse_api.errors import ConfigError

_STORES_BESIDE = ("history", "webhooks", "event-outbox", "events")
_SIDE_FILES = ("-wal", "-shm", "-journal")  # of SQLite


def sqlite_path(url: str) -> Path | None:
    """Return the file of an SQLAlchemy URL, None if it is not one of SQLite."""
    with suppress(ArgumentError):
        parsed = make_url(url)
        if parsed.drivername.startswith("sqlite") and parsed.database:
            return Path(parsed.database)
    return None


def url_beside(url: str, name: str) -> str:
    """Return the URL of a SQLite file of its own beside that of a store; with another database, that of the store."""
    with suppress(ArgumentError, ValueError):  # ValueError: a folder without a name; whoever opens the store says so
        parsed = make_url(url)
        if parsed.drivername.startswith("sqlite") and parsed.database not in (None, "", ":memory:"):
            path = Path(str(parsed.database))
            parsed = parsed.set(database=str(path.with_name(f"{path.stem}-{name}{path.suffix}")))
            return parsed.render_as_string(hide_password=False)
    return url


def files_of_store(store: str, url: str) -> dict[str, Path]:
    """Return all files of a store in SQLite, by name: its own, those of the stores beside it, and their side files.

    `store` is `ledger` or `snapshot`; the setting `<store>_url` holds `url`. There are none in another database.
    """
    path = sqlite_path(url)
    if path is None or not path.name:  # a folder: whoever opens the store says so
        return {}
    stores = [path, *filter(None, (sqlite_path(url_beside(url, name)) for name in _STORES_BESIDE))]
    files = [file for each in stores for file in (each, *(each.with_name(each.name + end) for end in _SIDE_FILES))]
    files += [file for file in path.parent.glob("*.lock") if file.name.startswith(path.name)]
    return {f"{store}_url" if file == path else f"{store}_url with {file.name}": file for file in files}


def check_only_name(path: Path, store: str) -> None:
    """Check that a SQLite file has one name in one folder. Raises: ConfigError; OSError.

    What was committed last is in a second file beside the name. Under another name, SQLite would not see it, and the
    lock beside it would be another one; a container that mounts the file alone would lose it when it is removed.
    """
    real_path, mounts = path.resolve(), b""
    with suppress(OSError):
        mounts = Path("/proc/self/mountinfo").read_bytes()
    mount_point = re.sub(rb"[ \t\n\\]", lambda match: b"\\%03o" % ord(match[0]), os.fsencode(real_path))
    if real_path.stat().st_nlink > 1:
        what, hint = "has a second name (a hard link)", "make the other name a copy, then move the copy over it"
    elif any(line.split()[4] == mount_point for line in mounts.splitlines()):
        what, hint = "is mounted alone", "mount its folder: SQLite writes a second file beside it"
    else:
        return
    raise ConfigError(f"The file of the {store} {what}.", where=f"setting {store}_url · {real_path}", hint=hint)


def address_of(url: URL) -> str:
    """Return a URL without its password; of a file its absolute path, since the working directory differs by runner."""
    if url.drivername.startswith("sqlite"):
        return str(Path(str(url.database)).absolute())
    return url.render_as_string(hide_password=True)
