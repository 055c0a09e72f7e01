"""Singer messages in, without ever showing a line that is broken: it may hold anything."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import IO, Any, NamedTuple

from singer_sdk.singerlib.encoding.base import GenericSingerReader
from typing_extensions import override

from fieldpulse_api.errors import InvalidInput
from fieldpulse_api.values.strict_json import parse, text_fault

_Message = dict[str, Any]


class RecordFault(NamedTuple):
    """What is wrong with a record, and the line that it came in, which nothing else can hold as it was."""

    reason: str
    line: str


class MessageReader(GenericSingerReader[str]):
    """Read one message a line; numbers with a point are Decimal. Blank lines say nothing.

    `fault` is that of the record that was read last: what it says is not what was meant, so it is rejected.

    Raises: BadInput.
    """

    default_input = sys.stdin

    def __init__(self) -> None:
        super().__init__()
        self.fault: RecordFault | None = None
        self._line = 0

    @override
    def process_lines(self, file_input: IO[str] | None, callbacks: dict[str, Callable[[_Message], None]]) -> Any:
        """Hand on each message. Bytes that are no text stay in their line, so that the lines before it count."""
        file = file_input or self.default_input
        if hasattr(file, "reconfigure"):
            file.reconfigure(encoding="utf-8", errors="surrogateescape")
        return super().process_lines(self._lines(file), callbacks)  # type: ignore[arg-type]  # it only iterates

    @override
    def deserialize_json(self, line: str) -> _Message:
        """Return a line's message."""
        if text_fault(line):
            raise self._broken("is not UTF-8")
        try:
            message, faults, is_torn = parse(line)
        except ValueError:
            raise self._broken("is not JSON") from None
        if not isinstance(message, dict) or not isinstance(message.get("type"), str):
            raise self._broken("is no Singer message")
        if not isinstance(message.get("stream", ""), str):
            raise self._broken("has a stream whose name is no text")
        what = "; ".join(faults)
        if faults and (message["type"] != "RECORD" or is_torn):
            raise self._broken(f"has {what}")
        self.fault = RecordFault(what, line) if faults else None
        return message

    @property
    def where(self) -> str:
        """Return where the reading is."""
        return f"input · line {self._line}"

    @override
    def assert_line_requires(self, line_dict: _Message, requires: set[str]) -> None:  # type: ignore[override]
        """Refuse a message that lacks a key, without showing it."""
        missing = sorted(requires - set(line_dict))
        if missing:
            raise self._broken(f"lacks {', '.join(missing)}")

    def _lines(self, file: IO[str]) -> Iterator[str]:
        for line in file:
            self._line += 1
            text = line.removeprefix("\ufeff") if self._line == 1 else line
            if text.strip():
                yield text

    @override
    def _process_unknown_message(self, message_dict: _Message) -> None:
        raise self._broken(f"has the unknown type {message_dict['type'][:30]!r}")

    def _broken(self, what: str) -> InvalidInput:
        return InvalidInput(
            f"A line of the input {what}.",
            where=self.where,
            hint="look at what produces the input; nothing behind this line was written",
        )
