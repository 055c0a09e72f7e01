"""The monthly quota: requests counted by calendar month, the limit that settings put on them, and a forecast.

FieldPulse documents a quota for each month, but neither its size nor when its month begins. Months are UTC here.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, datetime, timezone
from functools import lru_cache
from time import time

from fieldpulse_api.errors import ConfigError, QuotaExceeded

_LOGGER = logging.getLogger(__name__)
UNLIMITED = 2**53
"""More than every count, and exact as a float."""
MAX_CLOCK_STEP_SECONDS = 3600.0
_DAY_SECONDS = 86400
_EPOCH = date(1970, 1, 1).toordinal()


@dataclass(frozen=True)
class MonthlyQuota:
    """How many requests of a calendar month may be sent: `requests` less the `reserve`, which is for other programs.

    Raises: ConfigError if the reserve leaves none.
    """

    requests: int
    reserve: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.reserve < self.requests:
            raise ConfigError(
                f"The reserve of {self.reserve:,} leaves no requests of a monthly quota of {self.requests:,}.",
                where="settings monthly_quota and monthly_quota_reserve",
                hint="set a reserve that is smaller than the quota",
            )

    @property
    def limit(self) -> int:
        """Return how many requests may be sent in a month."""
        return self.requests - self.reserve


@dataclass
class MonthCount:
    """How many requests were counted in a calendar month, and since when, in seconds of the epoch.

    `since` is the beginning of the month, or later if no count was found. An unset count is not valid.
    """

    since: float = -1.0
    requests: int = 0

    def is_valid(self, now: float) -> bool:
        """Return whether a process can have written this count. The clock may have been set back by an hour."""
        return 0 < self.since <= now + MAX_CLOCK_STEP_SECONDS and 0 <= self.requests < UNLIMITED

    def turn_to(self, now: float) -> None:
        """Begin at 0 in a new month, and where the count is missing or damaged."""
        if not self.is_valid(now):
            self.since, self.requests = now, 0
        elif self.since < month_start(now):
            self.since, self.requests = month_start(now), 0


@dataclass(frozen=True)
class MonthUse:
    """The requests that were counted in a month, from `since` until `at`, in seconds of the epoch."""

    requests: int
    since: float
    at: float

    @property
    def month(self) -> str:
        """Return the month, such as `2026-11`."""
        return _day(self.since)[:7]

    @property
    def ends_at(self) -> float:
        """Return when the month ends, in seconds of the epoch."""
        return month_start(month_start(self.since) + 31 * _DAY_SECONDS)

    @property
    def forecast(self) -> int | None:
        """Return how many requests there will be at the month's end, if they go on as since `since`.

        None if that is less than a day.
        """
        at = min(self.at, self.ends_at)
        seconds = at - self.since
        if seconds < _DAY_SECONDS:
            return None
        return self.requests + round(self.requests * (self.ends_at - at) / seconds)

    def text(self, quota: MonthlyQuota | None) -> str:
        """Return the use and the forecast for a person."""
        text = f"requests in {self.month} (UTC): {self.requests:,}"
        if quota:
            text += f" of {quota.requests:,}" + (f" with a reserve of {quota.reserve:,}" if quota.reserve else "")
        if self.since > month_start(self.since):
            text += f", counted since {datetime.fromtimestamp(self.since, timezone.utc):%Y-%m-%d %H:%M}"
        if self.forecast is None:
            return text
        return f"{text}; forecast for the month: {self.forecast:,}, from {_day(self.since)} to {_day(self.at)}"


class QuotaWatch:
    """The month's count as a process saw it last, and what follows from it.

    `place` is where the requests are counted; empty where they are not, and there is no quota then.
    """

    def __init__(self, quota: MonthlyQuota | None, clock: Callable[[], float] = time) -> None:
        self.limit = quota.limit if quota else UNLIMITED
        self.place = ""
        self.quota, self._clock = quota, clock
        self._count = MonthCount()

    def observe(self, since: float, requests: int, *, counted: int = 0) -> None:
        """Note a count to which this process has added `counted`.

        Log a warning if there was none before, or another one, in this month.
        Raises: QuotaExceeded if the quota does not allow these: they were not counted.
        """
        before, is_refused = self._count, counted > 0 and requests > self.limit
        if is_refused:
            requests -= counted
        if since == before.since:
            before.requests = max(before.requests, requests)  # another thread may have seen a later count
        else:
            self._count = MonthCount(since, requests)
            if self.quota and since > month_start(since) and (requests <= counted or before.since > 0):
                _LOGGER.warning(
                    "The count of this month's requests begins at 0, because none was found (%s). "
                    "Those that were sent before are not in it: monthly_quota may stop a run too late.",
                    self.place,
                )
        if is_refused:
            raise self._exceeded(MonthUse(requests, since, self._clock()))

    def check(self, more: int) -> None:
        """Raise QuotaExceeded if another request would be above the limit after `more` than were counted."""
        count = replace(self._count)
        count.turn_to(self._clock())
        if count.requests + more >= self.limit:
            raise self._exceeded(MonthUse(count.requests + more, count.since, self._clock()))

    def use(self) -> MonthUse | None:
        """Return the use of the month as it was seen last; None if it was not, or is not counted."""
        if not self.place or self._count.since < 0:
            return None
        return MonthUse(self._count.requests, self._count.since, self._clock())

    def _exceeded(self, use: MonthUse) -> QuotaExceeded:
        assert self.quota  # noqa: S101  for mypy
        reserve = f", and {self.quota.reserve:,} of them are the reserve" if self.quota.reserve else ""
        return QuotaExceeded(
            f"The requests that monthly_quota allows in {use.month} are used up: {use.requests:,} of "
            f"{self.quota.requests:,} were counted{reserve}.",
            where=f"setting monthly_quota · count in {self.place}",
            hint=f"run again from {_day(use.ends_at)} 00:00 UTC, or raise monthly_quota if FieldPulse allows more; "
            "state is kept",
        )


def month_start(at: float) -> float:
    """Return when the calendar month (UTC) of a time begins. Both are in seconds of the epoch."""
    return _month_start(int(at // _DAY_SECONDS))


@lru_cache(maxsize=8)
def _month_start(day: int) -> float:
    return float((date.fromordinal(_EPOCH + day).replace(day=1).toordinal() - _EPOCH) * _DAY_SECONDS)


def _day(at: float) -> str:
    return datetime.fromtimestamp(at, timezone.utc).date().isoformat()
