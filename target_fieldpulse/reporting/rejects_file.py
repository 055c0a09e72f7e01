"""The rejects file: Singer messages of the records that were not written, to be corrected and replayed."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fieldpulse_api.values.strict_json import encode

from .private_files import check_writable, open_private

_REASON_KEY = b'{"rejected":'


class RejectsFile:
    """The rejects file of a run. May be used by many threads.

    It holds a SCHEMA before the first record of a stream, and a key `rejected` with the reason in each RECORD.
    A line that the file holds already is not appended again: a record that is rejected every five minutes takes
    one line, and a file that is replayed into itself does not grow.
    """

    def __init__(self, path: Path) -> None:
        """Check that the file can be written. It is created with the first record. Raises: ConfigError."""
        check_writable(path, "rejects_path")
        self._path, self._file = path, -1
        self._line_hashes: set[int] = set()
        self._schema_messages: dict[str, Mapping[str, Any]] = {}
        self._lock = threading.Lock()

    def append(self, schema_message: Mapping[str, Any], record: Mapping[str, Any] | str, reason: str) -> None:
        """Append a record, or the line of a RECORD message. It is on the disk when this returns."""
        stream = schema_message["stream"]
        if isinstance(record, str):
            line = _with_reason(record.strip().encode(), reason)
        else:
            line = encode({"type": "RECORD", "stream": stream, "record": record, "rejected": reason}) + b"\n"
        with self._lock:
            if self._file < 0:
                self._file = self._open()
            if hash(line) in self._line_hashes:
                return
            self._line_hashes.add(hash(line))
            if self._schema_messages.get(stream) != schema_message:
                self._schema_messages[stream] = schema_message
                line = encode(schema_message) + b"\n" + line
            os.write(self._file, line)
            os.fsync(self._file)

    def close(self) -> None:
        """Close the file, if it was opened."""
        with self._lock:
            if self._file >= 0:
                os.close(self._file)
                self._file = -1

    def _open(self) -> int:
        is_truncated = False
        if self._path.exists():
            with self._path.open("rb") as lines:
                for line in lines:
                    self._line_hashes.add(hash(line))
                    is_truncated = not line.endswith(b"\n")
        file = open_private(self._path, "rejects_path", appends=True)
        if is_truncated:  # a run was killed while it wrote
            os.write(file, b"\n")
        return file


def _with_reason(line: bytes, reason: str) -> bytes:
    """Return the line of a message with the reason as its first key. A line of a rejects file has one already."""
    has_reason = line.startswith(_REASON_KEY)
    return (line if has_reason else _REASON_KEY + encode(reason) + b"," + line[1:]) + b"\n"
