"""What goes wrong with single requests: faults that wait for theirs."""

from __future__ import annotations

from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Literal

Kind = Literal["throttle", "throttle_bare", "quota", "status", "drop", "slow", "not_json", "empty", "error200"]


@dataclass
class Fault:
    """Something that goes wrong for the next `times` requests that match, after the first `skip`.

    `path` is compared as a shell pattern (`/jobs*`), None matches any. With `after_commit` the request is carried
    out and only its answer is lost or replaced. `status` is for the kind "status".
    Units: `seconds` is how long "slow" waits, and how far ahead `RateLimit-Reset` of "throttle" lies.
    """

    kind: Kind
    method: str | None = None
    path: str | None = None
    after_commit: bool = False
    times: int = 1
    skip: int = 0
    status: int = 500
    seconds: float = 1.0

    def matches(self, method: str, path: str) -> bool:
        """Say whether this fault still waits for such a request."""
        if self.times < 1 or (self.method and self.method != method):
            return False
        return self.path is None or fnmatchcase(path, self.path)


@dataclass
class Faults:
    """The faults that wait for their requests, in the order in which they were queued."""

    queue: list[Fault] = field(default_factory=list)

    def add(self, fault: Fault) -> None:
        """Queue a fault."""
        self.queue.append(fault)

    def take(self, method: str, path: str) -> Fault | None:
        """Return the fault that befalls this request, and count it down."""
        for fault in self.queue:
            if not fault.matches(method, path):
                continue
            if fault.skip:
                fault.skip -= 1
                continue
            fault.times -= 1
            self.queue = [waiting for waiting in self.queue if waiting.times > 0]
            return fault
        return None
