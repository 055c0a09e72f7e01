"""The lines of a rejects file: read, recognised, and removed."""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from collections.abc import Container, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import msgspec

from fieldpulse_api.values.scalars import ConversionError, to_utc
from fieldpulse_api.values.strict_json import encode, parse
from fieldpulse_plugin.stores.private_files import is_special
from target_fieldpulse.records.ledger_key import KeyKind, LedgerKey, source_key
from target_fieldpulse.records.parsed_record import EXTERNAL_ID

EDITED_TIME = re.compile(rb'\{\s*"rejected_at"\s*:\s*"[^"]*"\s*,')
LAST_REASON = b',"rejected":"'
_FIRST_REASON = re.compile(rb'\s*"rejected"\s*:\s*"(?:[^"\\]|\\.)*"\s*,')
RECORD = re.compile(rb'\{\s*("rejected|"type"\s*:\s*"RECORD")')
_HASH_BYTES = 16
_MAX_KEY_CHARACTERS = 500


@dataclass(frozen=True)
class RejectLine:
    """The line of a rejected record. `schema_line` is that of the last SCHEMA of its stream before it.

    `content` is a hash of the record without its time and reason, which is the same in each run that rejects it.
    """

    line: bytes
    schema_line: bytes
    content: str

    def message(self) -> Mapping[str, Any]:
        """Return the RECORD message, whatever is wrong with its record; empty if somebody broke the line."""
        try:
            value = parse(self.line.decode(errors="replace")).value
        except ValueError:
            return {}
        return value if isinstance(value, dict) else {}


def content_of_line(line: bytes) -> str:
    """Return the hash of a record's line without its time and reason."""
    line = line.strip()
    time = EDITED_TIME.match(line)
    rest = line[time.end() if time else 1 :]
    if reason := _FIRST_REASON.match(rest):
        rest = rest[reason.end() :]
    elif (start := rest.rfind(LAST_REASON)) >= 0:  # in a text of the record, the quotation marks would be escaped
        rest = rest[:start] + b"}"
    return hashlib.blake2b(b"{" + rest, digest_size=_HASH_BYTES).hexdigest()


def content_of_record(stream: str, record: Mapping[str, Any]) -> str:
    """Return the hash that the line of a record would have."""
    return content_of_line(encode({"type": "RECORD", "stream": stream, "record": record}))


def key_of_record(stream: str, record: Any) -> LedgerKey:
    """Return the key by which the ledger holds a record that was not parsed.

    Its value is empty if the record has none, or one that no ledger can hold: of half a surrogate pair.
    """
    values = record if isinstance(record, Mapping) else {}
    for name, kind in ((EXTERNAL_ID, KeyKind.EXTERNAL_ID), ("id", KeyKind.ROW_ID)):
        with suppress(ConversionError, UnicodeEncodeError):
            text = "" if values.get(name) is None else source_key(values[name])
            text.encode()
            if text and len(text) <= _MAX_KEY_CHARACTERS:
                return LedgerKey(stream, kind, text)
    return LedgerKey(stream, KeyKind.EXTERNAL_ID, "")


def time_of_line(message: Mapping[str, Any]) -> datetime:
    """Return when a record was rejected; now, if its line does not say it."""
    value = message.get("rejected_at")
    time = None
    with suppress(ConversionError):
        time = to_utc(value, timezone.utc) if isinstance(value, str) else None
    return time or datetime.now(timezone.utc)


def read_reject_lines(path: Path) -> Iterator[RejectLine]:
    """Yield the lines of the records in a rejects file; none if it cannot be read, or is a device."""
    schema_lines: dict[str, bytes] = {}
    with suppress(OSError):
        if is_special(path):
            return
        with path.open("rb") as lines:
            for line in lines:
                stream = _stream_of(line)
                if RECORD.match(line):
                    yield RejectLine(line, schema_lines.get(stream, b""), content_of_line(line))
                elif stream:
                    schema_lines[stream] = line


def remove_lines(path: Path, contents: Container[str]) -> None:
    """Remove the lines of these records. A SCHEMA without records goes with them, and so does a file without lines.

    The file is replaced atomically, while no run can append to it. Raises: OSError.
    """
    if is_special(path) or not path.exists():
        return
    target = path.resolve()
    file = os.open(target, os.O_RDWR)
    descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=target.name)
    try:
        lock(file)
        streams = {_stream_of(each.line) for each in read_reject_lines(target) if each.content not in contents}
        with os.fdopen(descriptor, "wb") as remaining, target.open("rb") as lines:
            for line in lines:
                is_record, stream = RECORD.match(line), _stream_of(line)
                if content_of_line(line) not in contents if is_record else (not stream or stream in streams):
                    remaining.write(line)
            remaining.flush()
            os.fsync(remaining.fileno())
            size = remaining.tell()
        if size:
            Path(name).replace(target)
        else:
            target.unlink()
    finally:
        Path(name).unlink(missing_ok=True)
        os.close(file)


def lock(file: int) -> None:
    """Wait until no other process appends to a file or replaces it. The lock ends with `unlock`, or with the file."""
    import fcntl  # noqa: PLC0415  POSIX only, like the lock of a run

    with suppress(OSError):  # some network file systems have no locks
        fcntl.flock(file, fcntl.LOCK_EX)


def unlock(file: int) -> None:
    """Let other processes append to a file."""
    import fcntl  # noqa: PLC0415  see above

    with suppress(OSError):
        fcntl.flock(file, fcntl.LOCK_UN)


class _Message(msgspec.Struct):
    stream: str = ""


_decode_message = msgspec.json.Decoder(_Message).decode


def _stream_of(line: bytes) -> str:
    """Return the stream of a message; empty for any other line."""
    try:
        return _decode_message(line).stream
    except msgspec.DecodeError:  # it may hold NaN
        pass
    try:
        value = parse(line.decode(errors="replace")).value
    except ValueError:
        return ""
    stream = value.get("stream") if isinstance(value, dict) else None
    return stream if isinstance(stream, str) else ""
