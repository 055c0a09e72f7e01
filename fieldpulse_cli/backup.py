"""`fieldpulse backup`: a copy of the stores in SQLite, whole also while runs write to them."""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import click

from fieldpulse_api.errors import ConfigError
from fieldpulse_plugin.output import for_output
from fieldpulse_plugin.stores.private_files import make_private_folder

_SOURCES = (".meltano/meltano.db", ".fieldpulse")
"""In this order: a state that is newer than the snapshot beside it would end the next run of the tap."""
_LEFT_OUT = ("-wal", "-shm", "-journal", ".lock")  # the copy of a database is whole without them
_SQLITE = b"SQLite format 3\0"
_LOCK_SECONDS = 30


@click.command()
@click.argument("destination", type=click.Path(path_type=Path))
@click.argument("sources", metavar="[PATH]...", nargs=-1, type=click.Path(path_type=Path))
def backup(destination: Path, sources: tuple[Path, ...]) -> None:
    """Copy the stores in SQLite to DESTINATION, a new folder, also while runs use them.

    PATH is a file or a folder below the working directory. Without any: Meltano's database `.meltano/meltano.db`, and
    the folder `.fieldpulse`. Of stores in PostgreSQL, make a dump.
    """
    files = list(_files(sources or tuple(path for path in map(Path, _SOURCES) if path.exists()), destination))
    try:
        if destination.exists():
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
        make_private_folder(destination.parent)
        with tempfile.TemporaryDirectory(prefix=".backup-", dir=destination.parent) as folder:  # of mode 700
            whole = Path(folder) / destination.name
            for file in files:
                _copy(file, whole / file)
            whole.rename(destination)
        _flush(destination.parent)
    except OSError as error:
        raise ConfigError(
            f"The backup cannot be written ({error.strerror}).",
            where=str(error.filename or destination),
            hint="name a new folder on a disk that has room, such as /var/backups/fieldpulse/2026-11-29",
        ) from None
    for file in files:
        click.echo(for_output(f"{(destination / file).stat().st_size:>12,} bytes  {file}"))
    click.echo(for_output(f"The backup is in {destination.resolve()}"))


def _files(sources: tuple[Path, ...], destination: Path) -> Iterator[Path]:
    """Yield the files to copy, as paths from the working directory. Raises: ConfigError."""
    here = Path.cwd()
    found = False
    for source in sources:
        path = Path(os.path.relpath(source))
        if ".." in path.parts or not source.exists():
            raise ConfigError(
                "There is no such file or folder below the working directory.",
                where=f"argument {source}",
                hint="run the command in the folder in which the plugins run, and name what is in it",
            )
        if destination.resolve().is_relative_to((here / path).resolve()):
            raise ConfigError(
                "The backup would be inside the folder that it copies.",
                where=f"argument {destination}",
                hint="choose a folder on another disk, or at least beside the project",
            )
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file() and not file.name.endswith(_LEFT_OUT):
                found = True
                yield file
    if not found:
        raise ConfigError(
            "There is nothing to copy.",
            where=f"folder {here}",
            hint="run the command in the folder in which the plugins run; of stores in PostgreSQL make a dump: pg_dump",
        )


def _copy(file: Path, copy: Path) -> None:
    """Copy a file; of a database in SQLite what was committed. Raises: OSError; ConfigError."""
    make_private_folder(copy.parent)
    with file.open("rb") as content:
        is_database = content.read(len(_SQLITE)) == _SQLITE
    if is_database:
        _copy_database(file, copy)
    else:
        shutil.copyfile(file, copy)
    copy.chmod(0o600)
    _flush(copy)
    _flush(copy.parent)


def _copy_database(file: Path, copy: Path) -> None:
    try:
        with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True, timeout=_LOCK_SECONDS)) as source:
            source.execute("vacuum into ?", (str(copy),))
    except sqlite3.Error as error:
        raise ConfigError(
            f"A database cannot be copied ({error}).",
            where=str(file),
            hint="look at the disk, and at programs that have locked the file; then run again",
        ) from None


def _flush(path: Path) -> None:
    """Wait until the disk has a file, or the names in a folder. Raises: OSError."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
