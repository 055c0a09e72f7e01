"""Singer messages in, without ever showing a line that is broken: it may hold anything."""

from __future__ import annotations

from typing import Any

import msgspec
from singer_sdk.contrib.msgspec import MsgSpecReader, decoder

from fieldpulse_api.errors import BadInput


class Reader(MsgSpecReader):
    """Read one message a line; numbers with a point are Decimal.

    Raises: BadInput.
    """

    def __init__(self) -> None:
        super().__init__()
        self._line = 0

    def deserialize_json(self, line: str) -> dict[str, Any]:
        """Return a line's message."""
        self._line += 1
        try:
            message = decoder.decode(line)
        except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
            raise self._broken("is not JSON") from None
        if not isinstance(message, dict) or "type" not in message:
            raise self._broken("is no Singer message")
        return message

    @staticmethod
    def assert_line_requires(line_dict: dict[str, Any], requires: set[str]) -> None:
        """Refuse a message that lacks a key, without showing it."""
        missing = sorted(requires - set(line_dict))
        if missing:
            raise BadInput(
                f"A Singer message lacks {', '.join(missing)}.",
                where=f"input · message {line_dict.get('type', 'in a SCHEMA')} · stream {line_dict.get('stream', '?')}",
                do="look at what produces the input; nothing behind this message was written",
            )

    def _process_unknown_message(self, message_dict: dict[str, Any]) -> None:
        raise self._broken(f"has the unknown type {str(message_dict['type'])[:30]!r}")

    def _broken(self, what: str) -> BadInput:
        return BadInput(
            f"A line of the input {what}.",
            where=f"input · line {self._line}",
            do="look at what produces the input; nothing behind this line was written",
        )
