"""The rejects file: Singer messages of the records that were not written, to be corrected and replayed."""

from __future__ import annotations

import logging
import os
import re
import threading
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import msgspec

from fieldpulse_api.errors import SERVER_MESSAGE
from fieldpulse_api.values.scalars import iso_timestamp
from fieldpulse_api.values.strict_json import decode, encode
from fieldpulse_plugin.stores.private_files import check_writable, is_special, open_private, write_whole

from .rejects_lines import EDITED_TIME, LAST_REASON, content_of_line, lock, unlock

_LOGGER = logging.getLogger(__name__)
_TIME_KEY = b'{"rejected_at":"'
_TIME_BYTES = 27
_TIME = re.compile(rb'\{"rejected_at":"[^"]{27}",')
_REASON = re.compile(rb'\s*"rejected"\s*:')
_RECORD_FIRST = b'","type":"RECORD"'
_SERVER_MESSAGE = SERVER_MESSAGE.encode()


class RejectsFile:
    """The rejects file of a run. May be used by many threads.

    It holds a SCHEMA before the first record of a stream. Each RECORD has the keys `rejected_at`, when the record came
    from its source and was not written, and `rejected`, the reason.

    A record that the file holds already, with the same reason, is not appended again: its time is set to the later one,
    since the source says again what it said before. So a record that is rejected every five minutes takes one line.
    The server's message is left out of this comparison, as it may have a number of the request.
    """

    def __init__(self, path: Path) -> None:
        """Check that the file can be written. It is created with the first record. Raises: ConfigError."""
        check_writable(path, "rejects_path")
        self._path, self._file, self._times_file = path, -1, -1
        self._time_offsets: dict[int, int] = {}  # by the hash of a line without its time
        self._schema_messages: dict[str, Mapping[str, Any]] = {}
        self._lock = threading.Lock()

    def append(
        self, schema_message: Mapping[str, Any], record: Mapping[str, Any] | str, reason: str, *, rejected_at: float
    ) -> str:
        """Append a record, or the line of a RECORD message, and return the hash of its content.

        All of it is on the disk when this returns. A command may replace the file meanwhile, under its lock.

        Units:  `rejected_at` is in epoch seconds.
        Raises: ConfigError if there is no room for all of it: then none of it is in the file.
        """
        stream = schema_message["stream"]
        time = iso_timestamp(datetime.fromtimestamp(rejected_at, timezone.utc)).encode()
        if isinstance(record, str):
            rest = _with_reason(record.strip().encode(), reason)
        else:
            rest = encode({"type": "RECORD", "stream": stream, "record": record, "rejected": reason})[1:]
        line = _TIME_KEY + time + b'",' + rest + b"\n"
        with self._lock:
            self._open_locked()
            try:
                self._append(schema_message, line, time)
            finally:
                unlock(self._file)
        return content_of_line(line)

    def close(self) -> None:
        """Close the file, if it was opened."""
        with self._lock:
            self._close()

    def _close(self) -> None:
        for file in (self._file, self._times_file):
            if file >= 0:
                os.close(file)
        self._file = self._times_file = -1
        self._time_offsets.clear()
        self._schema_messages.clear()

    def _append(self, schema_message: Mapping[str, Any], line: bytes, time: bytes) -> None:
        stream, key = schema_message["stream"], _hash_without_time(line)
        if key in self._time_offsets:
            self._set_later_time(self._time_offsets[key], time)
            return
        schema_line = b""
        if self._schema_messages.get(stream) != schema_message:
            schema_line = encode(schema_message) + b"\n"
        write_whole(self._file, schema_line + line, self._path, "rejects_path")
        self._schema_messages[stream] = schema_message
        if self._times_file >= 0:
            self._time_offsets[key] = os.fstat(self._file).st_size - len(line) + len(_TIME_KEY)

    def _open_locked(self) -> None:
        """Open the file at the path, unless it is open, and lock it. A device is only opened."""
        while True:
            is_new = self._file < 0
            if is_new:
                self._file = open_private(self._path, "rejects_path", appends=True)
                if not is_special(self._path):
                    # A file that was opened for appending only appends.
                    self._times_file = os.open(self._path, os.O_RDWR)
            if self._times_file < 0:
                return
            lock(self._file)
            if self._is_at_path():
                if is_new:
                    self._read_lines()
                return
            self._close()

    def _is_at_path(self) -> bool:
        """Return whether the open file is still the one at the path: it may be moved away to be replayed."""
        try:
            return os.path.samestat(os.fstat(self._file), self._path.stat())
        except OSError:
            return False

    def _read_lines(self) -> None:
        """Note where the times of the file's lines are, and mend its end."""
        offset, line = 0, b"\n"
        with self._path.open("rb") as lines:
            for line in lines:
                if _TIME.match(line):
                    self._time_offsets[_hash_without_time(line)] = offset + len(_TIME_KEY)
                offset += len(line)
        if not line.endswith(b"\n"):
            if _is_whole(line):  # somebody edited the file
                write_whole(self._file, b"\n", self._path, "rejects_path")
            else:
                self._set_torn_line_aside(line, offset - len(line))

    def _set_torn_line_aside(self, line: bytes, offset: int) -> None:
        """Move the end of a line that a killed run began into a file beside. Its record comes again with the STATE."""
        torn = self._path.with_name(f"{self._path.name}.torn")
        _LOGGER.warning("The rejects file ends in the middle of a line: moved that line to %s", torn)
        file = open_private(torn, "rejects_path", appends=True)
        try:
            write_whole(file, line + b"\n", torn, "rejects_path")
        finally:
            os.close(file)
        os.ftruncate(self._times_file, offset)

    def _set_later_time(self, offset: int, time: bytes) -> None:
        """Overwrite the time of a line, unless it is later. All times have the same width and sort as text."""
        if os.pread(self._times_file, _TIME_BYTES, offset) < time:
            os.pwrite(self._times_file, time, offset)
            os.fsync(self._times_file)


def _is_whole(line: bytes) -> bool:
    try:
        decode(line)
    except msgspec.DecodeError:
        return False
    return True


def _hash_without_time(line: bytes) -> int:
    """Return a hash of a line, without the server's message at its end: it may have a number of the request."""
    line = line[len(_TIME_KEY) + _TIME_BYTES :]
    reason = line.rfind(LAST_REASON) if line.startswith(_RECORD_FIRST) else -1
    message = line.find(_SERVER_MESSAGE, reason) if reason >= 0 else -1
    return hash(line[:message] if message >= 0 else line)


def _with_reason(line: bytes, reason: str) -> bytes:
    """Return the line of a message without its first brace, with the reason as its first key.

    A line of a rejects file has a time, which is left out, and a reason already.
    """
    time = EDITED_TIME.match(line)
    rest = line[time.end() if time else 1 :]
    return rest if _REASON.match(rest) else b'"rejected":' + encode(reason) + b"," + rest
