"""Files of this user alone, in folders beside which others can write."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path


def open_private(path: Path) -> int:
    """Open a plain file in a private folder.

    Others can write beside that folder, and know its name. So nothing that they can prepare there is followed: no link,
    no folder of theirs, no folder that they can write to.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        _check(os.fstat(folder), "folder")
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
        file = os.open(path.name, flags, 0o600, dir_fd=folder)
    finally:
        os.close(folder)
    try:
        _check(os.fstat(file), "file")
    except OSError:
        os.close(file)
        raise
    return file


def _check(status: os.stat_result, kind: str) -> None:
    """Raise PermissionError for a folder or a file that is not this user's alone."""
    if status.st_uid != os.getuid() or status.st_mode & 0o077:
        raise PermissionError(errno.EPERM, f"other users own or can use the {kind}")
    if kind == "file" and (not stat.S_ISREG(status.st_mode) or status.st_nlink > 1):
        raise PermissionError(errno.EPERM, "it is not a plain file, or has a second name")
