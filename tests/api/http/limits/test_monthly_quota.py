"""Tests of the monthly quota: months, limits, forecasts and messages."""

from __future__ import annotations

import math
from datetime import datetime, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fieldpulse_api.errors import ConfigError
from fieldpulse_api.http.api_key import ApiKey
from fieldpulse_api.http.limits.monthly_quota import MonthCount, MonthlyQuota, MonthUse, month_start
from fieldpulse_api.http.settings import ClientSettings
from fieldpulse_plugin.settings import client_settings

DAY = 86400.0


def epoch(*parts: int) -> float:
    return datetime(*parts, tzinfo=timezone.utc).timestamp()


@given(st.integers(0, int(epoch(2400, 1, 1))))
def test_a_month_begins_at_its_first_day_in_utc(at: int) -> None:
    """Whatever the time zone of the machine."""
    first = datetime.fromtimestamp(at, timezone.utc).replace(day=1, hour=0, minute=0, second=0)
    assert month_start(at) == first.timestamp()


def test_a_count_goes_on_in_its_month_and_begins_at_0_in_the_next() -> None:
    """The next month's count is complete, as the store was there when the month began."""
    count = MonthCount(epoch(2026, 11, 5), 70)
    count.turn_to(epoch(2026, 11, 30, 23, 59, 59))
    assert count == MonthCount(epoch(2026, 11, 5), 70)
    count.turn_to(epoch(2026, 12, 1))
    assert count == MonthCount(epoch(2026, 12, 1), 0)


def test_a_clock_that_is_set_back_over_the_month_loses_no_count() -> None:
    """The requests stay in the month in which they were counted."""
    count = MonthCount(epoch(2026, 12, 1), 70)
    count.turn_to(epoch(2026, 11, 30, 23, 59, 58))
    assert count == MonthCount(epoch(2026, 12, 1), 70)


@pytest.mark.parametrize("since", [math.nan, math.inf, -1.0, 0.0, 9e9])
@pytest.mark.parametrize("requests", [5, -1])
def test_a_damaged_count_begins_at_0(since: float, requests: int) -> None:
    """It counts from now on."""
    count = MonthCount(since, requests)
    count.turn_to(epoch(2026, 11, 5))
    assert count == MonthCount(epoch(2026, 11, 5), 0)


@pytest.mark.parametrize(
    ("since", "at", "forecast"),
    [
        ((2026, 11, 1), (2026, 11, 11), 300),
        ((2026, 11, 1), (2026, 12, 1), 100),
        ((2026, 11, 1), (2026, 12, 9), 100),  # the run went on into the next month without a request
        ((2026, 11, 20), (2026, 11, 30), 110),
        ((2026, 11, 1), (2026, 11, 2), 3000),
        ((2026, 11, 1), (2026, 11, 1, 23, 59), None),
        ((2026, 11, 29), (2026, 11, 29, 12), None),
    ],
)
def test_the_forecast_is_linear_and_takes_a_day(since: tuple, at: tuple, forecast: int | None) -> None:
    """The rate since counting began goes on until the month ends; less than a day says nothing."""
    assert MonthUse(100, epoch(*since), epoch(*at)).forecast == forecast


def test_the_text_names_the_days_of_the_forecast_and_a_count_that_began_late() -> None:
    """A reader sees what the figures are based on."""
    text = MonthUse(8213, epoch(2026, 11, 12, 14, 3), epoch(2026, 11, 22, 14, 3)).text(MonthlyQuota(20_000, 500))
    assert text == (
        "requests in 2026-11 (UTC): 8,213 of 20,000 with a reserve of 500, counted since 2026-11-12 14:03; "
        "forecast for the month: 15,124, from 2026-11-12 to 2026-11-22"
    )
    assert MonthUse(7, epoch(2026, 11, 1), epoch(2026, 11, 1, 5)).text(None) == "requests in 2026-11 (UTC): 7"


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"monthly_quota": 100, "monthly_quota_reserve": 100}, "leaves no requests"),
        ({"monthly_quota_reserve": 100}, "no effect without a monthly quota"),
        ({"monthly_quota": 100, "rate_limit_store": "memory"}, "needs a store"),
    ],
)
def test_settings_that_cannot_work_are_refused(config: dict, message: str) -> None:
    """Before any request is sent."""
    with pytest.raises(ConfigError, match=message) as caught:
        client_settings({"api_key": "key", **config})
    assert "monthly_quota" in caught.value.where
    assert caught.value.hint


def test_the_library_refuses_a_quota_that_nothing_counts() -> None:
    """Its users have no settings of a plugin."""
    with pytest.raises(ConfigError, match="needs a store"):
        ClientSettings(api_key=ApiKey("key"), rate_limit_store="memory", monthly_quota=MonthlyQuota(10))
