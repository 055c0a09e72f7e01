"""What a run tells of itself: at its end, and every few seconds before."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timezone

from fieldpulse_api.http.traffic import TrafficFacts


def now() -> datetime:
    """Return the time, with the zone UTC."""
    return datetime.now(timezone.utc)


@dataclass(kw_only=True)
class StreamFacts:
    """What one stream of a run has come to.

    Of the tap: `server_count` and `verdict` are those of the list; `new`, `changed` and `deleted` count rows by change
    and are None where changes are not tracked; `drift` are the warnings about values that the catalogue does not
    expect; `bookmark` is where the next run continues. Of the target: `outcomes` counts the records by outcome.
    `error` is what ended the stream.
    """

    name: str
    began_at: datetime = field(default_factory=now)
    ended_at: datetime | None = None
    records: int = 0
    requests: int = 0
    server_count: int | None = None
    verdict: str | None = None
    new: int | None = None
    changed: int | None = None
    deleted: int | None = None
    bookmark: str | None = None
    drift: list[str] = field(default_factory=list)
    outcomes: dict[str, int] = field(default_factory=dict)
    error: str | None = None


@dataclass(frozen=True, kw_only=True)
class RunFacts:
    """What a run has come to. `account` is None until FieldPulse was asked.

    Units: `requests_per_second` is the budget.
    """

    account: str | None
    requests_per_second: float
    traffic: TrafficFacts = field(default_factory=TrafficFacts)
    streams: list[StreamFacts] = field(default_factory=list)
    open_rejects: int = 0
    is_dry: bool = False
