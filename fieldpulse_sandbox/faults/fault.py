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
    "throttle_without_reset",
    "throttle_past_reset",
    "throttle_one_hour",
    "throttle_relative_reset",
    "quota_exceeded",
    "error_status",
    "dropped_connection",
    "slow_response",
    "slow_body",
    "endless_body",
    "truncated_connection",
    "truncated_json",
    "not_json",
    "html_502",
    "empty_body",
    "error_in_200",
    "wrong_content_type",
    "bad_gzip",
    "huge_header",
    "redirect",
    "previous_page",
    "concurrent_edit",
    "repeating_last_page",
]
KINDS: dict[Kind, str] = {
    "throttle": "429 with `RateLimit-Reset` `seconds` ahead",
    "throttle_without_reset": "429 without `RateLimit-Reset`",
    "throttle_past_reset": "429 with `RateLimit-Reset` `seconds` ago",
    "throttle_one_hour": "429 with `RateLimit-Reset` an hour ahead",
    "throttle_relative_reset": "429 with `RateLimit-Reset` as the number of seconds to wait, not as an epoch",
    "quota_exceeded": "429 of a monthly quota that is used up",
    "error_status": "the status `status` with the body of the gateway",
    "dropped_connection": "the connection ends without a byte",
    "slow_response": "the answer waits `seconds`, before or after the request is carried out",
    "slow_body": "the headers come at once, the body in pieces over `seconds`",
    "endless_body": "a body without end, until the client closes",
    "truncated_connection": "the connection ends in the middle of the body",
    "truncated_json": "half of the JSON, with the right length of that half",
    "not_json": "HTML with status 200",
    "html_502": "HTML with status 502",
    "empty_body": "status 200 without a body",
    "error_in_200": "status 200 with `error: true`",
    "wrong_content_type": "the JSON, called text/html",
    "bad_gzip": "a body that is called gzip and is none",
    "huge_header": "the answer with a header of 200,000 bytes",
    "redirect": "302 to `location`",
    "previous_page": "the list answers with the page before the one asked for",
    "concurrent_edit": "before the list is read, one of its rows is touched, copied as a new one, or deleted: `edit`",
    "repeating_last_page": "where the list is at its end, its last page comes again",
}
END_FAULT: Kind = "repeating_last_page"
LIST_FAULTS: frozenset[Kind] = frozenset({"previous_page", "concurrent_edit", END_FAULT})
"""What befalls only lists."""
LIST = re.compile("|".join(re.sub(r"{\w+}", r"[^/]+", resource.path) for resource in RESOURCES))


@dataclass
class Fault:
    """Something that goes wrong for the next `times` requests that match, after the first `skip`.

    Faults that change the response (`slow_body`, `truncated_connection` …) always let the request be carried out.
    """

    kind: Kind = field(metadata={"about": "what goes wrong"})
    method: Method | None = field(default=None, metadata={"about": "the method of the requests; none: any"})
    path: str | None = switch(None, "a shell pattern of their path, `/jobs*`; none: any")
    after_commit: bool = switch(
        default=False, about="the request is carried out first, and only its answer is lost or late"
    )
    times: int = switch(1, "how many requests it befalls", least=1)
    skip: int = switch(0, "how many that match it spares first; of `repeating_last_page`: ends of lists", least=0)
    status: int = switch(500, "the status of `error_status`", least=200, most=599)
    seconds: float = switch(
        1.0, "seconds: of `slow_response`, `slow_body`, and how far off the reset of a throttle is", least=0
    )
    location: str = switch("/elsewhere", "where `redirect` leads")
    edit: Literal["touch", "insert", "delete", "any"] = switch("any", "what `concurrent_edit` does to a row")
    seed: int = switch(0, "which row `concurrent_edit` takes")

    def matches(self, method: str, path: str) -> bool:
        """Say whether this fault still waits for such a request."""
        if self.times < 1 or (self.method and self.method != method) or not can_hit(self.kind, method, path):
            return False
        return self.path is None or fnmatchcase(path, self.path)


def can_hit(kind: Kind, method: str, path: str) -> bool:
    """Say whether such a request can meet such a fault."""
    return kind not in LIST_FAULTS or (method == "GET" and bool(LIST.fullmatch(path)))
