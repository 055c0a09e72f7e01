"""Lists that an agent is reading: each is read only as far as asked for, and goes on behind its cursor."""

from __future__ import annotations

import secrets
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

from fieldpulse_api.errors import UserError
from fieldpulse_api.reading.pages import Row, ScanStats
from fieldpulse_cli.mcp_server.results import MAX_CHARACTERS, Record, fitted, size_of
from tap_fieldpulse.reading.filters import Filters

MAX_PAGES = 20
"""How many pages a call reads: 2,000 rows of which none may match."""
_MAX_OPEN = 20
_SECONDS_OPEN = 900


class RowReader(Protocol):
    """What reads a list, page by page."""

    stats: ScanStats

    def rows(self) -> Iterator[list[Row]]:
        """Yield pages that are never empty."""


@dataclass
class OpenRead:
    """One list that is being read.

    `to_record` makes of a row what the model gets, `key_of` tells whether a row came before, and `order` is in words.
    The last result is kept: a model whose client lost it asks with the same cursor again, and no row may be missing
    then.
    """

    stream: str
    reader: RowReader
    filters: Filters
    to_record: Callable[[Row], Record]
    order: str
    key_of: Callable[[Row], Hashable] = lambda row: int(row["id"])
    used_at: float = 0
    lock: threading.Lock = field(default_factory=threading.Lock)
    _rows: Iterator[list[Row]] | None = None
    _buffer: deque[Row] = field(default_factory=deque)
    _seen: set[Hashable] = field(default_factory=set)
    _examined: int = 0
    _is_done: bool = False
    _part: int = 0
    _last_result: tuple[int, Record] | None = None
    _has_failed: bool = False

    def next_part(self, part: int, limit: int, cursor_of: Callable[[int], str]) -> Record:
        """Return the rows of a part, and the cursor of the next one. Raises: UserError; what reading raises."""
        with self.lock:
            if self._last_result and self._last_result[0] == part:
                return self._last_result[1]
            if part != self._part or self._has_failed:
                raise _unknown_cursor_error()
            rows, cuts = self._take(limit)
            self._part += 1
            result = self._result(rows, cuts, cursor_of)
            self._last_result = (part, result)
            return result

    @property
    def is_done(self) -> bool:
        """Return whether all rows were returned."""
        return self._is_done and not self._buffer

    def _take(self, limit: int) -> tuple[list[Record], list[Record]]:
        pages_before, size = self.reader.stats.pages, 0
        rows: list[Record] = []
        cuts: list[Record] = []
        while len(rows) < limit:
            if self._buffer:
                record, missing = fitted(self.to_record(self._buffer[0]))
                size += size_of(record)
                if rows and size > MAX_CHARACTERS:
                    break
                rows.append(record)
                cuts += [{"id": record.get("id"), **missing}] if missing else []
                self._buffer.popleft()
            elif self._is_done or self.reader.stats.pages - pages_before >= MAX_PAGES:
                break
            else:
                self._read_page()
        return rows, cuts

    def _read_page(self) -> None:
        self._rows = self._rows or self.reader.rows()
        try:
            page = next(self._rows, None)
        except BaseException:  # the generator has ended, and its list would seem complete
            self._has_failed = True
            raise
        if page is None:
            self._is_done = True
            return
        new_rows = [row for row, key in zip(page, map(self.key_of, page), strict=True) if self._is_new(key)]
        self._examined += len(new_rows)
        self._buffer.extend(row for row in new_rows if self.filters.matches(row))

    def _is_new(self, key: Hashable) -> bool:
        is_new = key not in self._seen
        self._seen.add(key)
        return is_new

    def _result(self, rows: list[Record], cuts: list[Record], cursor_of: Callable[[int], str]) -> Record:
        notes = list(dict.fromkeys(self.reader.stats.notes))
        if not self.is_done:
            notes.append("There may be more rows: ask again with this cursor.")
        result: dict[str, Any] = {
            "stream": self.stream,
            "rows": rows,
            "cursor": None if self.is_done else cursor_of(self._part),
            "rows_examined": self._examined,
            "order": self.order,
            "notes": notes,
        }
        return result | ({"cut_fields": cuts} if cuts else {})


class OpenReads:
    """The open reads of one client, the latest used ones. May be used by many threads."""

    def __init__(self) -> None:
        self._reads: OrderedDict[str, OpenRead] = OrderedDict()
        self._lock = threading.Lock()

    def start(self, read: OpenRead, limit: int) -> Record:
        """Return the first rows of a list."""
        return self._next_part(secrets.token_hex(6), read, 0, limit)

    def go_on(self, stream: str, cursor: str, limit: int) -> Record:
        """Return the rows behind a cursor. Raises: UserError if it is unknown or too old."""
        name, _, part = cursor.partition(".")
        with self._lock:
            read = self._reads.get(name)
        is_part = part.isascii() and part.isdecimal() and len(part) < len("100000000")
        if read is None or not is_part or time.monotonic() - read.used_at > _SECONDS_OPEN:
            raise _unknown_cursor_error()
        if read.stream != stream:
            raise UserError(
                f"The cursor belongs to the stream {read.stream!r}.", where="cursor", hint="repeat its stream"
            )
        return self._next_part(name, read, int(part), limit)

    def _next_part(self, name: str, read: OpenRead, part: int, limit: int) -> Record:
        result = read.next_part(part, limit, lambda number: f"{name}.{number}")
        with self._lock:
            read.used_at = time.monotonic()
            self._reads[name] = read
            self._reads.move_to_end(name)
            while len(self._reads) > _MAX_OPEN:
                self._reads.popitem(last=False)
        return result


def _unknown_cursor_error() -> UserError:
    return UserError(
        "The cursor is unknown, was passed already, is older than 15 minutes, or its list could not be read further.",
        where="cursor",
        hint="start again without a cursor",
    )
