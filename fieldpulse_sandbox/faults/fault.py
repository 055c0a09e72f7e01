"""Faults: what can go wrong with a single request.

The descriptions are printed by `--help` and in the documentation.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Annotated, Literal

from msgspec import Meta

from fieldpulse_api.resources.catalogue import RESOURCES

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
    "throttle_past_reset": "429 with `RateLimit-Reset` `seconds` in the past",
    "throttle_one_hour": "429 with `RateLimit-Reset` one hour ahead",
    "throttle_relative_reset": "429 with `RateLimit-Reset` as a number of seconds, not as a UNIX time",
    "quota_exceeded": "429 because the monthly quota is used up",
    "error_status": "the status `status` with the body of the gateway, or with `message`",
    "dropped_connection": "the connection closes before the first byte of the response",
    "slow_response": "the response starts `seconds` late; the request is carried out before or after the wait",
    "slow_body": "the headers come at once, the body in pieces over `seconds`",
    "endless_body": "a body that never ends, until the client closes the connection",
    "truncated_connection": "the connection closes in the middle of the body",
    "truncated_json": "the first half of the JSON, with the correct length of that half",
    "not_json": "HTML with status 200",
    "html_502": "HTML with status 502",
    "empty_body": "status 200 without a body",
    "error_in_200": "status 200 with `error: true`",
    "wrong_content_type": "the JSON with the content type text/html",
    "bad_gzip": "a body that is declared as gzip and is not",
    "huge_header": "the response with an extra header of 200,000 bytes",
    "redirect": "302 to `location`",
    "previous_page": "a list returns the page before the requested one",
    "concurrent_edit": "before a list is read, one of its rows is touched, copied or deleted: see `edit`",
    "repeating_last_page": "a page past the end of a list returns the last page again",
}
END_FAULT: Kind = "repeating_last_page"
LIST_FAULTS: frozenset[Kind] = frozenset({"previous_page", "concurrent_edit", END_FAULT})
"""Kinds that apply to lists only."""
LIST_PATH = re.compile("|".join(re.sub(r"{\w+}", r"[^/]+", resource.path) for resource in RESOURCES))
DAY_SECONDS = 86_400


@dataclass
class Fault:
    """A fault for the next `times` matching requests, after the first `skip` of them.

    A fault that changes the response (`slow_body`, `truncated_connection` …) always lets the request be carried out.
    """

    kind: Kind
    method: Annotated[Method | None, Meta(description="method of the requests; `none`: any")] = None
    path: Annotated[str | None, Meta(description="shell pattern of the path, such as `/jobs*`; `none`: any")] = None
    after_commit: Annotated[
        bool, Meta(description="the request is carried out first; only its response is lost or late")
    ] = False
    times: Annotated[int, Meta(ge=1, description="number of requests that get the fault")] = 1
    skip: Annotated[
        int,
        Meta(
            ge=0, description="matching requests to spare before the first fault; `repeating_last_page`: ends to spare"
        ),
    ] = 0
    status: Annotated[int, Meta(ge=200, le=599, description="status of `error_status`")] = 500
    message: Annotated[str | None, Meta(description="message of `error_status`; `none`: the gateway's")] = None
    seconds: Annotated[
        float,
        Meta(ge=0, le=DAY_SECONDS, description="duration of `slow_response` and `slow_body`; distance of a reset time"),
    ] = 1.0
    location: Annotated[str, Meta(description="target of `redirect`")] = "/elsewhere"
    edit: Annotated[
        Literal["touch", "insert", "delete", "any"], Meta(description="what `concurrent_edit` does to a row")
    ] = "any"
    seed: Annotated[int, Meta(description="decides which row `concurrent_edit` changes")] = 0

    def matches(self, method: str, path: str) -> bool:
        """Return whether the fault still waits for such a request."""
        if self.times < 1 or (self.method and self.method != method) or not can_hit(self.kind, method, path):
            return False
        return self.path is None or fnmatchcase(path, self.path)


def can_hit(kind: Kind, method: str, path: str) -> bool:
    """Return whether such a request can have a fault of this kind."""
    return kind not in LIST_FAULTS or (method == "GET" and bool(LIST_PATH.fullmatch(path)))
