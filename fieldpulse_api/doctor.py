"""Is what we assume true of this account? Reads only, at most 60 requests."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Literal

from .catalogue import BY_NAME, RESOURCES
from .client import Client
from .errors import FieldPulseError, QuotaSpent
from .pages import Pages, Reading
from .resource import Resource

_MOST_SKEW_SECONDS = 30


@dataclass(frozen=True)
class Finding:
    """One line of the report; `do` says what to do about a FAIL."""

    grade: Literal["ok", "warn", "FAIL"]
    about: str
    text: str
    do: str = ""


def findings(client: Client) -> Iterator[Finding]:
    """Yield what is true of the account: the key, the clocks, and of each list whether it answers, counts, sorts."""
    try:
        reply = client.get(BY_NAME["customers"].path, {"page": "1", "limit": "1"})
    except FieldPulseError as error:
        yield Finding("FAIL", "key", error.what, error.do)
        return
    yield Finding("ok", "key", f"accepted at {client.settings.api_url}")
    skew = (datetime.now(timezone.utc) - reply.date).total_seconds()
    grade: Literal["ok", "warn"] = "ok" if abs(skew) < _MOST_SKEW_SECONDS else "warn"
    yield Finding(grade, "clock", f"this machine is {skew:+.0f} s from the server's Date; bookmarks use the server's")
    customer = next((int(row["id"]) for row in reply.response or [] if isinstance(row, dict) and row.get("id")), None)
    for resource in RESOURCES:
        if resource.parent and customer is None:
            yield Finding("warn", resource.name, f"not asked for: there are no {resource.parent}")
            continue
        yield _of_list(client, resource, resource.path.format(customer_id=customer))


def _of_list(client: Client, resource: Resource, path: str) -> Finding:
    pages = Pages(client, resource, Reading(page_size=1), path)
    try:
        first = pages.ask(resource.order(resource.key, "asc"), 1)
        if resource.parent or not first.rows or not resource.sorts:
            return Finding("ok", resource.name, f"answers; {_counts(pages.tally.counted)}")
        last = pages.ask(resource.order(resource.key, "desc"), 1, count=False)
    except QuotaSpent:
        raise
    except FieldPulseError as error:
        return Finding(
            "FAIL", resource.name, error.what, f"deselect the stream, if your plan does not have it ({error.do})"
        )
    counted = pages.tally.counted
    if first.ids[:1] != last.ids[:1] or counted == 1:
        return Finding("ok", resource.name, f"answers and sorts; {_counts(counted)}")
    return Finding("warn", resource.name, f"answers, and does not sort by id: it is read twice; {_counts(counted)}")


def _counts(counted: int | None) -> str:
    return "sends no count" if counted is None else f"counts {counted:,} rows"
