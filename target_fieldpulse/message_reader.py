"""The reader of Singer messages. No error shows the input line, because it may hold anything."""

from __future__ import annotations

import io
import select
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import timezone
from typing import IO, Any, NamedTuple

from singer_sdk.singerlib.encoding.base import GenericSingerReader
from typing_extensions import override

from fieldpulse_api.errors import InvalidInput, RecordInvalid
from fieldpulse_api.values.scalars import ConversionError, to_utc
from fieldpulse_api.values.strict_json import encoding_problem, parse
from fieldpulse_plugin.exit_codes import check_stream

_Message = dict[str, Any]
_BYTE_ORDER_MARK = "\ufeff"
_INTERRUPTION = getattr(signal, "SIGURG", None)  # POSIX; it does nothing where it is not handled
_WRITTEN_MARKS = (_BYTE_ORDER_MARK, r"\ufeff", r"\uFEFF")


class RecordFault(NamedTuple):
    """Why a record cannot be trusted, with its input line: no parsed form would keep the line as it was."""

    error: RecordInvalid
    line: str


class MessageReader(GenericSingerReader[str]):
    """Reads one message per line. Numbers with a decimal point become Decimal, blank lines are skipped.

    `fault` belongs to the record that was read last. Such a record is readable but ambiguous, so it is rejected.
    `rejected_at` is when that record was rejected, in epoch seconds, if it comes from a rejects file. `before_wait` is
    called before a read that may wait for the program that writes the input.

    Raises: InvalidInput for a line that is not a valid message; it ends the run.
    """

    default_input = sys.stdin

    def __init__(self) -> None:
        super().__init__()
        self.fault: RecordFault | None = None
        self.rejected_at: float | None = None
        self.before_wait: Callable[[], None] = lambda: None
        self._line = 0
        self._is_waiting = False
        self._error: BaseException | None = None

    def interrupt(self, error: BaseException) -> None:
        """Raise an error of another thread where the main thread reads: the next line may be hours away."""
        self._error = error
        if _INTERRUPTION:
            signal.pthread_kill(threading.main_thread().ident or 0, _INTERRUPTION)

    @override
    def process_lines(self, file_input: IO[str] | None, callbacks: dict[str, Callable[[_Message], None]]) -> Any:
        """Pass each message to its callback. Bytes that are not UTF-8 fail only once their line is reached."""
        if _INTERRUPTION and threading.current_thread() is threading.main_thread():
            signal.signal(_INTERRUPTION, lambda *_: self._raise_if_waiting())
        file = file_input or self.default_input
        if hasattr(file, "reconfigure"):
            file.reconfigure(encoding="utf-8", errors="surrogateescape")
        return super().process_lines(self._lines(file), callbacks)  # type: ignore[arg-type]  # it only iterates

    @override
    def deserialize_json(self, line: str) -> _Message:
        """Return the message of a line."""
        if encoding_problem(line):
            raise self._line_error("is not UTF-8")
        try:
            message, problems, has_duplicate_keys = parse(line)
        except ValueError:
            raise self._line_error("is not JSON") from None
        if not isinstance(message, dict) or not isinstance(message.get("type"), str):
            raise self._line_error("is not a Singer message")
        if not isinstance(message.get("stream", ""), str):
            raise self._line_error("has a stream name that is not text")
        if any(mark in line for mark in _WRITTEN_MARKS):
            _remove_byte_order_mark(message)
        what = "; ".join(problems)
        if problems and (message["type"] != "RECORD" or has_duplicate_keys):
            raise self._line_error(f"has {what}")
        error = RecordInvalid(f"the record has {what}", where="input", hint="correct the record at its source")
        self.fault = RecordFault(error, line) if problems else None
        self.rejected_at = _epoch_seconds(message.get("rejected_at"))
        return message

    @property
    def where(self) -> str:
        """Return the position in the input, for messages."""
        return f"input · line {self._line}"

    @override
    def assert_line_requires(self, line_dict: _Message, requires: set[str]) -> None:  # type: ignore[override]
        """Raise InvalidInput for a message that lacks a key."""
        missing = sorted(requires - set(line_dict))
        if missing:
            raise self._line_error(f"lacks {', '.join(missing)}")

    def _lines(self, file: IO[str]) -> Iterator[str]:
        lines = iter(check_stream(file, "standard input"))
        has_more = _readiness(file)
        while (line := self._next_line(lines)) is not None:
            self._line += 1
            text = line.removeprefix(_BYTE_ORDER_MARK) if self._line == 1 else line
            if text.strip():
                yield text
            if not has_more():
                self.before_wait()

    def _next_line(self, lines: Iterator[str]) -> str | None:
        self._is_waiting = True
        try:
            self._raise_if_waiting()
            return next(lines, None)
        finally:
            self._is_waiting = False

    def _raise_if_waiting(self) -> None:
        if self._is_waiting and self._error:
            raise self._error

    @override
    def _process_unknown_message(self, message_dict: _Message) -> None:
        raise self._line_error(f"has the unknown type {message_dict['type'][:30]!r}")

    def _line_error(self, what: str) -> InvalidInput:
        return InvalidInput(
            f"Input line {what}.",
            where=self.where,
            hint="check what produces the input; nothing after this line was written",
        )


def _readiness(file: IO[str]) -> Callable[[], bool]:
    """Return a function that returns whether the next read surely does not wait.

    It may say no while the file's buffer has lines; on Windows it always does.
    """
    if not hasattr(select, "poll"):
        return lambda: False
    poll = select.poll()
    try:
        poll.register(file, select.POLLIN)  # a socket can always be written to
    except io.UnsupportedOperation:  # a file in memory
        return lambda: True
    return lambda: bool(poll.poll(0))


def _remove_byte_order_mark(message: _Message) -> None:
    """Remove the mark that CSV taps leave before the name of the first column of a file that Excel saved as UTF-8."""
    schema = message.get("schema")
    for names in (message.get("record"), schema.get("properties") if isinstance(schema, dict) else None):
        if isinstance(names, dict):
            for name in [name for name in names if name.startswith(_BYTE_ORDER_MARK)]:
                plain = name.removeprefix(_BYTE_ORDER_MARK)
                names[name if plain in names else plain] = names.pop(name)
    keys = message.get("key_properties")
    if isinstance(keys, list):
        message["key_properties"] = [
            key.removeprefix(_BYTE_ORDER_MARK) if isinstance(key, str) else key for key in keys
        ]


def _epoch_seconds(value: Any) -> float | None:
    """Return a time in RFC 3339; None for any other value, since it is not of a rejects file."""
    try:
        time = to_utc(value, timezone.utc) if isinstance(value, str) else None
    except ConversionError:
        return None
    return time.timestamp() if time else None
