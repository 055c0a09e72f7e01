"""What can go wrong with single requests. The texts are those of `--help` and the README."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Literal

from fieldpulse_api.resources.catalogue import RESOURCES
from fieldpulse_sandbox.behaviour.switches import switch

Method = Literal["GET", "POST", "PUT", "DELETE"]
Kind = Literal[
    "throttle",
    "throttle_bare",
    "throttle_past",
    "throttle_hour",
    "throttle_delta",
    "quota",
    "status",
    "drop",
    "slow",
    "drip",
    "endless",
    "cut",
    "truncated",
    "not_json",
    "html_502",
    "empty",
    "error200",
    "text_type",
    "bad_gzip",
    "huge_header",
    "redirect",
    "repeat",
    "slide",
    "endless_list",
]
KINDS: dict[Kind, str] = {
    "throttle": "429 with `RateLimit-Reset` `seconds` ahead",
    "throttle_bare": "429 without `RateLimit-Reset`",
    "throttle_past": "429 with `RateLimit-Reset` `seconds` ago",
    "throttle_hour": "429 with `RateLimit-Reset` an hour ahead",
    "throttle_delta": "429 with `RateLimit-Reset` as the number of seconds to wait, not as an epoch",
    "quota": "429 of a monthly quota that is used up",
    "status": "the status `status` with the body of the gateway",
    "drop": "the connection ends without a byte",
    "slow": "the answer waits `seconds`, before or after the request is carried out",
    "drip": "the headers come at once, the body in pieces over `seconds`",
    "endless": "a body without end, until the client closes",
    "cut": "the connection ends in the middle of the body",
    "truncated": "half of the JSON, with the right length of that half",
    "not_json": "HTML with status 200",
    "html_502": "HTML with status 502",
    "empty": "status 200 without a body",
    "error200": "status 200 with `error: true`",
    "text_type": "the JSON, called text/html",
    "bad_gzip": "a body that is called gzip and is none",
    "huge_header": "the answer with a header of 200,000 bytes",
    "redirect": "302 to `location`",
    "repeat": "the list answers with the page before the one asked for",
    "slide": "before the list is read, one of its rows is touched, copied as a new one, or deleted: `slide`",
    "endless_list": "where the list is at its end, its last page comes again",
}
AT_END: Kind = "endless_list"
OF_LISTS: frozenset[Kind] = frozenset({"repeat", "slide", AT_END})
"""What befalls only lists."""
LIST = re.compile("|".join(re.sub(r"{\w+}", r"[^/]+", resource.path) for resource in RESOURCES))


@dataclass
class Fault:
    """Something that goes wrong for the next `times` requests that match, after the first `skip`.

    What reshapes the backend's answer (`drip`, `cut`, `truncated` …) leaves the request carried out in any case.
    """

    kind: Kind = field(metadata={"about": "what goes wrong"})
    method: Method | None = field(default=None, metadata={"about": "the method of the requests; none: any"})
    path: str | None = switch(None, "a shell pattern of their path, `/jobs*`; none: any")
    after_commit: bool = switch(
        default=False, about="the request is carried out first, and only its answer is lost or late"
    )
    times: int = switch(1, "how many requests it befalls", least=1)
    skip: int = switch(0, "how many that match it spares first; of `endless_list`: ends of lists", least=0)
    status: int = switch(500, "the status of `status`", least=200, most=599)
    seconds: float = switch(1.0, "seconds: of `slow`, `drip`, and how far off the reset of a throttle is", least=0)
    location: str = switch("/elsewhere", "where `redirect` leads")
    slide: Literal["touch", "insert", "delete", "any"] = switch("any", "what `slide` does to a row")
    seed: int = switch(0, "which row `slide` takes")

    def matches(self, method: str, path: str) -> bool:
        """Say whether this fault still waits for such a request."""
        if self.times < 1 or (self.method and self.method != method) or not befalls(self.kind, method, path):
            return False
        return self.path is None or fnmatchcase(path, self.path)


def befalls(kind: Kind, method: str, path: str) -> bool:
    """Say whether such a request can meet such a fault."""
    return kind not in OF_LISTS or (method == "GET" and bool(LIST.fullmatch(path)))
