"""Which fault strikes which request: the next that waits for such a one, else one by chance."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .fault import AT_END, Fault

if TYPE_CHECKING:
    from .random_faults import Chaos


@dataclass
class Faults:
    """The faults that wait for their requests, in the order in which they were queued; then chaos, if there is any."""

    queue: list[Fault] = field(default_factory=list)
    chaos: Chaos | None = None

    def add(self, fault: Fault) -> None:
        """Queue a fault."""
        self.queue.append(fault)

    def take(self, method: str, path: str, query: str = "", body: bytes = b"") -> Fault | None:
        """Return the fault that befalls this request, and count it down."""
        waiting = self._next([fault for fault in self.queue if fault.kind != AT_END], method, path)
        return waiting or (self.chaos.fault(method, path, query, body) if self.chaos else None)

    def take_at_end(self, path: str) -> Fault | None:
        """Return the fault that befalls the end of this list, and count it down."""
        return self._next([fault for fault in self.queue if fault.kind == AT_END], "GET", path)

    def _next(self, faults: list[Fault], method: str, path: str) -> Fault | None:
        for fault in faults:
            if not fault.matches(method, path):
                continue
            if fault.skip:
                fault.skip -= 1
                continue
            fault.times -= 1
            self.queue = [waiting for waiting in self.queue if waiting.times > 0]
            return fault
        return None
