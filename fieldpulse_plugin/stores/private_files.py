"""Files that hold data of records. Only their owner can read them.

Devices and pipes, such as /dev/null, belong to somebody else: they are written to, and never changed or replaced.
"""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from fieldpulse_api.errors import ConfigError


def make_private_folder(folder: Path) -> None:
    """Make a folder and those above it, readable by their owner alone. Git ignores `.fieldpulse/`. Raises: OSError."""
    for missing in reversed([each for each in (folder, *folder.parents) if not each.exists()]):
        missing.mkdir(mode=0o700, exist_ok=True)
    for each in (folder, *folder.parents):
        if each.name == ".fieldpulse":
            with suppress(OSError), (each / ".gitignore").open("x") as file:  # it exists, or the folder is read-only
                file.write("# The stores of tap-fieldpulse and target-fieldpulse.\n*\n")


def is_special(path: Path) -> bool:
    """Return whether a path leads to something that is not a plain file, such as a device or a pipe."""
    try:
        return not stat.S_ISREG(path.stat().st_mode)
    except OSError:
        return False


def check_writable(path: Path, setting: str) -> None:
    """Make the folder of a file before the run needs it. Raises: ConfigError if the file cannot be written."""
    try:
        make_private_folder(path.parent)
        if path.is_dir() or not os.access(path.parent, os.W_OK):
            raise PermissionError(0, "the path is a folder" if path.is_dir() else "the folder is read-only")
    except OSError as error:
        raise _write_error(error, path, setting) from None


def remove(path: Path, setting: str) -> None:
    """Remove a file of an earlier run, unless it is a device or a pipe. Raises: ConfigError."""
    try:
        if not is_special(path):
            path.unlink(missing_ok=True)
    except OSError as error:
        raise _write_error(error, path, setting) from None


def check_distinct(paths: Mapping[str, Path | None]) -> None:
    """Check that no two settings lead to one file, by whatever links. Raises: ConfigError."""
    used = [(setting, path) for setting, path in paths.items() if path]
    for number, (setting, path) in enumerate(used):
        for other_setting, other in used[:number]:
            if path.resolve() == other.resolve() or _is_same_file(path, other):
                raise ConfigError(
                    f"`{setting}` and `{other_setting}` lead to the same file.",
                    where=f"setting {setting} · {path}",
                    hint="give each of them a path of its own",
                )


def open_private(path: Path, setting: str, *, appends: bool) -> int:
    """Open a file for writing, appending to it or truncating it, and return its descriptor. Raises: ConfigError."""
    check_writable(path, setting)
    flags = os.O_WRONLY | os.O_CLOEXEC | os.O_NONBLOCK  # a pipe without a reader is an error, and must not hang
    try:
        if is_special(path):
            file = os.open(path, flags)
        else:
            file = os.open(path, flags | os.O_CREAT | (os.O_APPEND if appends else os.O_TRUNC), 0o600)
            os.fchmod(file, 0o600)
    except OSError as error:
        raise _write_error(error, path, setting) from None
    os.set_blocking(file, True)
    return file


def write_whole(file: int, data: bytes, path: Path, setting: str) -> None:
    """Append data to a file, and wait until it is on the disk; if there is no room for all of it, none is left there.

    Raises: ConfigError.
    """
    start, written = os.fstat(file).st_size, 0
    try:
        while written < len(data):
            written += os.write(file, data[written:])
        if stat.S_ISREG(os.fstat(file).st_mode):
            os.fsync(file)
    except OSError as error:
        with suppress(OSError):
            os.ftruncate(file, start)
        raise _write_error(error, path, setting) from None


def replace_file(path: Path, content: bytes) -> None:
    """Write a file whole, or leave it as it was. Raises: OSError."""
    if is_special(path):  # such as /dev/stdout
        path.write_bytes(content)
        return
    target = path.resolve()  # what a symbolic link leads to, and not the link
    descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=target.name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        Path(name).replace(target)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise


def _is_same_file(path: Path, other: Path) -> bool:
    try:
        return path.samefile(other) and not is_special(path)
    except OSError:
        return False


def _write_error(error: OSError, path: Path, setting: str) -> ConfigError:
    return ConfigError(
        f"The file cannot be written ({error.strerror}).",
        where=f"setting {setting} · {path}",
        hint="set a path that can be written, and make room there",
    )
