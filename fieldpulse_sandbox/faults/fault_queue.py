"""The choice of the fault for a request: the next queued fault that matches, otherwise a random one."""

from __future__ import annotations

from dataclasses import dataclass, field

from .fault import END_FAULT, Fault
from .random_faults import RandomFaults


@dataclass
class FaultQueue:
    """Faults that wait for matching requests, in the order in which they were added, and optional random faults."""

    waiting: list[Fault] = field(default_factory=list)
    random_faults: RandomFaults | None = None

    def add(self, fault: Fault) -> None:
        """Queue a fault."""
        self.waiting.append(fault)

    def next_for(self, method: str, path: str, query: str = "", body: bytes = b"") -> Fault | None:
        """Return the fault of this request and count it down, or None."""
        queued = self._next([fault for fault in self.waiting if fault.kind != END_FAULT], method, path)
        return queued or (self.random_faults.draw(method, path, query, body) if self.random_faults else None)

    def next_at_end(self, path: str) -> Fault | None:
        """Return the fault of a page past the end of this list and count it down, or None."""
        return self._next([fault for fault in self.waiting if fault.kind == END_FAULT], "GET", path)

    def _next(self, candidates: list[Fault], method: str, path: str) -> Fault | None:
        for fault in candidates:
            if not fault.matches(method, path):
                continue
            if fault.skip:
                fault.skip -= 1
                continue
            fault.times -= 1
            self.waiting = [queued for queued in self.waiting if queued.times > 0]
            return fault
        return None
