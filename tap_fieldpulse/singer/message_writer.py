"""Writes Singer messages to standard output, the records of a page together."""

from __future__ import annotations

import sys
from datetime import datetime
from typing import Any

from singer_sdk.contrib.msgspec import MsgSpecWriter, serialize_jsonl
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
    def write_record(stream: str, record: dict[str, Any], extracted_at: datetime) -> None:
        """Write what a RecordMessage would be, without making one."""
        message = {"type": "RECORD", "stream": stream, "record": record, "time_extracted": extracted_at}
        sys.stdout.buffer.write(serialize_jsonl(message))

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
