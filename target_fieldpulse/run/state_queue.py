"""The queue of STATE messages. A state is emitted once every record before it has its outcome.

The runner stores an emitted state and never sends the records before it again. A state that is emitted too early
loses records if the run is killed.
"""

from __future__ import annotations

import threading
from bisect import bisect
from collections import deque
from collections.abc import Callable
from typing import Any

State = dict[str, Any]
_MAX_STATES_PER_TICKET = 2


class StateQueue:
    """Tickets of records in flight, and the states behind them. May be used by many threads.

    `emit` is called in order, by one thread at a time. Of several states that are ready only the newest is emitted.
    """

    def __init__(self, emit: Callable[[State], None]) -> None:
        self._emit = emit
        self._lock = threading.Lock()
        self._last_ticket = 0
        self._open_tickets: dict[int, None] = {}  # in the order of their numbers
        self._held: int | None = None
        self._states: deque[tuple[int, State]] = deque()

    def open_ticket(self) -> int:
        """Return a new ticket, for a record that was read."""
        with self._lock:
            self._last_ticket += 1
            self._open_tickets[self._last_ticket] = None
            return self._last_ticket

    def close_ticket(self, ticket: int) -> None:
        """Close the ticket of a record that is written, skipped, or stored in the rejects file."""
        with self._lock:
            del self._open_tickets[ticket]
            self._emit_ready()

    def hold(self, ticket: int) -> None:
        """Keep a ticket open until `release`. Of several only the first stays: it holds back all that they would."""
        with self._lock:
            tickets = {ticket} if self._held is None else {ticket, self._held}
            self._held = min(tickets)
            for other in tickets - {self._held}:
                del self._open_tickets[other]

    def release(self) -> None:
        """Close the ticket that `hold` keeps open."""
        if self._held is not None:
            self.close_ticket(self._held)
            self._held = None

    def append(self, state: State) -> None:
        """Queue a state behind the records that were read so far."""
        with self._lock:
            self._states.append((self._last_ticket, state))
            self._emit_ready()
            if len(self._states) > _MAX_STATES_PER_TICKET * (1 + len(self._open_tickets)):
                self._drop_superseded()

    def _emit_ready(self) -> None:
        oldest_open = next(iter(self._open_tickets), self._last_ticket + 1)
        newest = None
        while self._states and self._states[0][0] < oldest_open:
            newest = self._states.popleft()[1]
        if newest is not None:
            self._emit(newest)

    def _drop_superseded(self) -> None:
        """Drop all but the newest of the states that become ready together: those between two open tickets."""
        tickets = list(self._open_tickets)
        self._states = deque({bisect(tickets, place): (place, state) for place, state in self._states}.values())
