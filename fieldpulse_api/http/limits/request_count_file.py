"""The file that counts a key's requests of a month, for all processes of a user."""

from __future__ import annotations

import os
import struct
import weakref
from pathlib import Path

from fieldpulse_api.http.private_file import open_private

from .monthly_quota import MonthCount


class RequestCountFile:
    """A count beside the rate limiter's file, on a disk: that file does not outlive a reboot.

    Whoever reads or writes the count has locked the rate limiter's file. A process that was stopped with the lock may
    have lost it when it is continued, and writes a count of before. So whoever begins another rate limiter's file
    calls `replace` first, and the late write goes to a file that nothing reads any more.

    The count waits for no disk: a machine that crashes loses that of the last seconds.

    Raises: OSError.
    """

    _FORMAT = struct.Struct("<dq")

    def __init__(self, path: Path) -> None:
        self.path = path
        self._content = b""
        self._use(open_private(path))

    def read(self) -> MonthCount:
        """Return the count, or an unset one if the file is new or damaged."""
        if not os.fstat(self._file).st_nlink:
            self._close()
            self._use(open_private(self.path))
        self._content = os.pread(self._file, self._FORMAT.size + 1, 0)
        is_whole = len(self._content) == self._FORMAT.size
        return MonthCount(*self._FORMAT.unpack(self._content)) if is_whole else MonthCount()

    def write(self, count: MonthCount) -> None:
        """Store the count if it differs from what was read."""
        after = self._FORMAT.pack(count.since, count.requests)
        if after != self._content:
            if len(self._content) > self._FORMAT.size:
                os.ftruncate(self._file, 0)
            os.pwrite(self._file, after, 0)

    def replace(self) -> None:
        """Put the count that was read into a new file of the same name."""
        new_path = self.path.with_name(f"{self.path.name}.{os.getpid()}")
        new_path.unlink(missing_ok=True)
        file = open_private(new_path)
        os.pwrite(file, self._content, 0)
        new_path.replace(self.path)
        self._close()
        self._use(file)

    def _use(self, file: int) -> None:
        self._file = file
        self._close = weakref.finalize(self, os.close, file)


def request_count_path(key_hash: str) -> Path:
    """Return the file that counts the requests of a key, which `key_hash` names.

    It is in the home that the system has for the user, whatever HOME says, or in `/var/tmp` for a user without one.
    """
    import pwd  # noqa: PLC0415  POSIX only

    try:
        home = pwd.getpwuid(os.getuid()).pw_dir
    except KeyError:  # in a container
        home = ""
    if home and os.access(home, os.W_OK):
        folder = Path(home) / ".local" / "state" / "fieldpulse"
    else:
        folder = Path(f"/var/tmp/fieldpulse-{os.getuid()}")  # noqa: S108  see open_private
    return folder / f"requests-{key_hash}"
