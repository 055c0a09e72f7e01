"""Files that hold data of records. Only their owner can read them."""

from __future__ import annotations

import os
from pathlib import Path

from fieldpulse_api.errors import ConfigError


def open_private(path: Path, setting: str, *, appends: bool) -> int:
    """Open a file for writing, appending to it or truncating it, and return its descriptor. Raises: ConfigError."""
    check_writable(path, setting)
    try:
        file = os.open(path, os.O_CREAT | os.O_WRONLY | (os.O_APPEND if appends else os.O_TRUNC), 0o600)
    except OSError as error:
        raise _write_error(error, path, setting) from None
    os.fchmod(file, 0o600)
    return file


def check_writable(path: Path, setting: str) -> None:
    """Create the folder of a file before the run needs it. Raises: ConfigError if the file cannot be written."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if path.is_dir() or not os.access(path.parent, os.W_OK):
            raise PermissionError(0, "the path is a folder" if path.is_dir() else "the folder is read-only")
    except OSError as error:
        raise _write_error(error, path, setting) from None


def _write_error(error: OSError, path: Path, setting: str) -> ConfigError:
    return ConfigError(
        f"The file cannot be written ({error.strerror}).",
        where=f"setting {setting} · {path}",
        hint="set a path that can be written",
    )
