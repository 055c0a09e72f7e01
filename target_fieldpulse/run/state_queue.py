"""STATE only behind acknowledged writes: a state leaves when every record before it has ended well."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Any

State = dict[str, Any]


class StateQueue:
    """Tickets for records, and the states queued behind them. `emit` is called in order, by one thread at a time."""

    def __init__(self, emit: Callable[[State], None]) -> None:
        self._emit = emit
        self._lock = threading.Lock()
        self._issued = 0
        self._open: dict[int, None] = {}
        self._states: deque[tuple[int, State]] = deque()

    def open_ticket(self) -> int:
        """Return the ticket of a record that was read."""
        with self._lock:
            self._issued += 1
            self._open[self._issued] = None
            return self._issued

    def close_ticket(self, ticket: int) -> None:
        """Give a ticket back: its record is written, skipped, or safe among the rejects."""
        with self._lock:
            del self._open[ticket]
            self._release()

    def append(self, state: State) -> None:
        """Queue a state behind the records read so far."""
        with self._lock:
            self._states.append((self._issued, state))
            self._release()

    def _release(self) -> None:
        oldest_open = next(iter(self._open), self._issued + 1)
        newest = None
        while self._states and self._states[0][0] < oldest_open:
            newest = self._states.popleft()[1]
        if newest is not None:
            self._emit(newest)
