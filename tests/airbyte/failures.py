"""What FieldPulse may answer instead of a page of rows, and how a sync must end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fieldpulse_sandbox.faults.fault import Fault


@dataclass(frozen=True)
class Case:
    """Faults and switches of an account, the stream that is read, and the end of the read.

    Without an `error` the read must bring all rows. `most_requests` shows that nothing is tried again.
    """

    name: str
    stream: str = "jobs"
    faults: tuple[Fault, ...] = ()
    switches: Mapping[str, Any] = field(default_factory=dict)
    error: str | None = None
    most_requests: int | None = None
    missing_rows: int = 0
    """At most."""


_REPEATED = "Something went wrong in the connector"  # the CDK has no word for it

CASES = (
    Case("throttled, with a reset time", faults=(Fault("throttle", seconds=2),)),
    Case("throttled, without a reset time", faults=(Fault("throttle_without_reset"),)),
    Case("throttled, until a time that has passed", faults=(Fault("throttle_past_reset"),)),
    Case("throttled, with seconds instead of a time", faults=(Fault("throttle_relative_reset", seconds=2),)),
    Case("throttled for an hour", faults=(Fault("throttle_one_hour"),), error="rate limit wait time", most_requests=1),
    Case("monthly quota used up", faults=(Fault("quota_exceeded"),), error="used up", most_requests=1),
    Case("error in HTTP 200", faults=(Fault("error_in_200", skip=1),), error="rejected the request", most_requests=2),
    Case("HTML in HTTP 200", "customers", (Fault("not_json"),)),
    Case("HTML in HTTP 200, for a parent", "customer_contacts", (Fault("not_json", path="/customers"),)),
    Case("truncated JSON", "customers", faults=(Fault("truncated_json"),)),
    Case("empty body", faults=(Fault("empty_body"),)),
    Case("broken gzip", faults=(Fault("bad_gzip"),)),
    Case("dropped connection", faults=(Fault("dropped_connection"),)),
    Case("HTML in HTTP 502", faults=(Fault("html_502"),)),
    Case("HTTP 500, twice", faults=(Fault("error_status", times=2),)),
    Case("wrong key", faults=(Fault("error_status", status=401),), error="rejected the API key", most_requests=1),
    Case("forbidden", faults=(Fault("error_status", status=403),), error="rejected the API key", most_requests=1),
    Case("HTTP 422", faults=(Fault("error_status", status=422),), error="rejected the request", most_requests=1),
    Case("no such list", "vendors", switches={"unavailable_resources": ("vendors",)}, error="no such path"),
    Case(
        "a customer deleted before its contacts are read",
        "customer_contacts",
        (Fault("error_status", status=404, path="/customers/*"),),
        missing_rows=9,
    ),
    Case("null past the end", switches={"past_the_end": "null"}),
    Case("a server that ignores `limit`", switches={"honour_limit": False}),
    Case("such a list that ends with a short page", "timesheets", switches={"honour_limit": False}, error=_REPEATED),
    Case("a list that ignores `page`", "timesheets", switches={"honour_page": False}),
    Case("no counts", "timesheets", switches={"count_key": None}),
    Case("numbers as text", switches={"numbers_as_text": True}),
    Case("empty text for null", switches={"null_as_empty_text": True}),
    Case("times with a zone", switches={"time_format": "offset"}),
)
