"""How the simulated API differs from its default: lasting switches, and faults that happen a few times."""

from __future__ import annotations

from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Literal

Kind = Literal["throttle", "throttle_bare", "quota", "status", "drop", "slow", "not_json", "empty", "error200"]


@dataclass
class Behaviour:
    """What the live API may do otherwise: one switch per open question of the contract (7, 8).

    Tests may turn a switch while the sandbox runs; it holds from the next request on. With `misread_filter`
    rows that fit a filter are the ones that it takes away. Without `honour_filter` no
    filter does anything: neither brackets nor the documented flat ones nor `asn`. `unfiltered_columns` are those
    on which a bracket filter does nothing.
    """

    count_key: Literal["total_count", "total_results"] | None = "total_count"
    always_count: tuple[str, ...] = ("customers", "jobs")
    honour_sort: bool = True
    honour_filter: bool = True
    misread_filter: bool = False
    unfiltered_columns: tuple[str, ...] = ()
    honour_page: bool = True  # of the lists that document no `page`; the others always do
    shuffle_unsorted: bool = False
    bad_key_status: Literal[401, 403] = 403
    validation: Literal["400", "422", "200"] = "400"
    create_status: Literal[200, 201] = 201
    put_null: Literal["ignore", "clear", "empty"] = "ignore"  # "empty": null is ignored, but '' surely clears a text
    put_empty: bool = True  # '' in a PUT clears a column of text; in others it is a null
    repeat_any_of: tuple[str, ...] = ()  # whose PUTs need one of the names that a create needs one of: "customers"
    customfields_by_id: bool = False  # a custom value written without its row's `id` is one more, and replaces none
    page_cap: int = 100


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
