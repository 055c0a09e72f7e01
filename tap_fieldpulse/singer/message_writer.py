"""Writes Singer messages to standard output, the records of a page together."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from singer_sdk.contrib.msgspec import MsgSpecWriter, encoder
from singer_sdk.singerlib.encoding.simple import Message, RecordMessage
from typing_extensions import override

_BUFFER_BYTES = 1 << 16  # what a pipe holds


class MessageWriter(MsgSpecWriter):
    """Write messages. Records stay in the buffer until it is full, until `flush`, or until a message of another type.

    A system call for each record would take longer than encoding it, and hand the interpreter to another thread. A
    signal leaves no part of a line: each one is given to the buffer whole, and the buffer is flushed at the end.
    """

    @override
    def write_message(self, message: Message) -> None:
        sys.stdout.buffer.write(self.format_message(message))
        if not isinstance(message, RecordMessage):
            self.flush()

    @staticmethod
    def write_records(stream: str, records: Iterable[dict[str, Any]], extracted_at: datetime) -> None:
        """Write what RecordMessages would be, without making them."""
        before = b'{"type":"RECORD","stream":%b,"record":' % encoder.encode(stream)
        after = b',"time_extracted":%b}\n' % encoder.encode(extracted_at)
        line = bytearray(before)
        for record in records:
            encoder.encode_into(record, line, len(before))
            line += after
            sys.stdout.buffer.write(line)

    @staticmethod
    def flush() -> None:
        """Pass all messages on to the reader."""
        sys.stdout.flush()


def buffer_standard_output() -> None:
    """Give standard output a buffer of the size of a pipe, also where PYTHONUNBUFFERED, as in containers, took it."""
    if sys.stdout is not None:
        encoding, errors = sys.stdout.encoding, sys.stdout.errors
        sys.stdout = open(  # noqa: SIM115  a descriptor has no path, and is open until the process ends
            sys.stdout.fileno(), "w", buffering=_BUFFER_BYTES, encoding=encoding, errors=errors, closefd=False
        )
