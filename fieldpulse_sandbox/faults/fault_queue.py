"""Which fault strikes which request: the next that waits for such a one, else one by chance."""

from __future__ import annotations

from dataclasses import dataclass, field

from .fault import END_FAULT, Fault
from .random_faults import RandomFaults


@dataclass
class FaultQueue:
    """The faults that wait for their requests, in the order in which they were queued; then chaos, if there is any."""

    waiting: list[Fault] = field(default_factory=list)
    random_faults: RandomFaults | None = None

    def add(self, fault: Fault) -> None:
        """Queue a fault."""
        self.waiting.append(fault)

    def next_for(self, method: str, path: str, query: str = "", body: bytes = b"") -> Fault | None:
        """Return the fault that befalls this request, and count it down."""
        waiting = self._next([fault for fault in self.waiting if fault.kind != END_FAULT], method, path)
        return waiting or (self.random_faults.draw(method, path, query, body) if self.random_faults else None)

    def next_at_end(self, path: str) -> Fault | None:
        """Return the fault that befalls the end of this list, and count it down."""
        return self._next([fault for fault in self.waiting if fault.kind == END_FAULT], "GET", path)

    def _next(self, faults: list[Fault], method: str, path: str) -> Fault | None:
        for fault in faults:
            if not fault.matches(method, path):
                continue
            if fault.skip:
                fault.skip -= 1
                continue
            fault.times -= 1
            self.waiting = [waiting for waiting in self.waiting if waiting.times > 0]
            return fault
        return None
