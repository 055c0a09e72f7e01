"""Lists that are read while the streams before them are written.

Singer syncs streams in order, and most lists are small: a run of thirty streams would be thirty times a wait for two
responses, with an idle rate limit. So the lists of the next streams are begun. Each is read up to its second page until
its turn comes: a large one takes neither requests nor memory from the stream that is written.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace

from fieldpulse_api.reading.pages import Row
from tap_fieldpulse.reading.filters import Filters
from tap_fieldpulse.reading.list_reader import ListReader

from .sync_plan import SyncPlan


@dataclass(frozen=True)
class PlannedList:
    """The list of one stream: how it is read, what reads it, and its rows, in lists that are never empty."""

    plan: SyncPlan
    filters: Filters
    reader: ListReader
    rows: Generator[list[Row], None, None]


class ReadAhead:
    """The lists of `streams`, in the order of their syncs, of which up to `max_lists` are begun before their turn.

    `begin` returns the list of a stream, with no request sent yet; None if it must wait for its turn.
    """

    def __init__(self, streams: Sequence[str], begin: Callable[[str], PlannedList | None], *, max_lists: int) -> None:
        self._waiting, self._begin, self._max_lists = deque(streams), begin, max_lists
        self._begun: dict[str, tuple[PlannedList, _RowsAhead]] = {}

    def take(self, stream: str, *, begins_next: bool) -> PlannedList | None:
        """Return the list of the stream whose turn has come, None if it was not begun; begin those behind it."""
        planned = None
        if stream in self._begun:
            planned, rows = self._begun.pop(stream)
            planned.reader.limit_in_flight(None)
            planned = replace(planned, rows=rows.taken())
        elif stream in self._waiting:
            self._waiting.remove(stream)
        while begins_next and self._waiting and len(self._begun) < self._max_lists:
            name = self._waiting.popleft()
            if following := self._begin(name):
                following.reader.limit_in_flight(1)
                self._begun[name] = following, _RowsAhead(following.rows, name)
        return planned

    def close(self) -> None:
        """Abandon the lists that were not taken."""
        self._waiting.clear()
        for _, rows in self._begun.values():
            rows.close()


class _RowsAhead:
    """The rows of a list, read by a thread of its own until one page waits to be taken.

    Raises: what reading raises, at its place.
    """

    def __init__(self, rows: Generator[list[Row], None, None], name: str) -> None:
        self._rows = rows
        self._waiting: list[Row] | None = None
        self._error: BaseException | None = None
        self._is_ended = False
        self._changed = threading.Condition()
        threading.Thread(target=self._read, name=f"fieldpulse_ahead_{name}", daemon=True).start()

    def taken(self) -> Generator[list[Row], None, None]:
        """Yield the rows."""
        with closing(self):
            while True:
                with self._changed:
                    self._changed.wait_for(lambda: self._waiting is not None or self._is_ended)
                    rows, self._waiting = self._waiting, None
                    self._changed.notify()
                if rows is None:
                    break
                yield rows
            if self._error:
                raise self._error

    def close(self) -> None:
        """Abandon what was not taken; its requests end by themselves."""
        with self._changed:
            self._is_ended = True
            self._changed.notify()

    def _read(self) -> None:
        try:
            for rows in self._rows:
                with self._changed:
                    self._changed.wait_for(lambda: self._waiting is None or self._is_ended)
                    if self._is_ended:
                        break
                    self._waiting = rows
                    self._changed.notify()
        except BaseException as error:  # noqa: BLE001  it belongs to the stream whose list it is
            self._error = error
        finally:
            self.close()
            self._rows.close()
