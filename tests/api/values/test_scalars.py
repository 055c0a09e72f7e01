"""Conversion of single values: all forms of the API, exact numbers, and None instead of an error where asked."""

from __future__ import annotations

from datetime import datetime, timezone
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from fieldpulse_api.values.scalars import (
    ConversionError,
    iso_timestamp,
    optional_int,
    optional_time,
    to_boolean,
    to_date,
    to_decimal_text,
    to_integer,
    to_timestamp,
    to_utc,
)

CHICAGO = ZoneInfo("America/Chicago")
NOON = datetime(2026, 3, 31, 12, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    "value",
    [
        "2026-03-31 12:00:00",
        "2026-03-31T12:00:00Z",
        "2026-03-31T07:00:00-05:00",
        1774958400,
        "1774958400",
        "1774958400000",
    ],
)
def test_every_form_of_a_time_is_the_same_time(value: Any) -> None:
    """A time without zone is in the zone of the settings, here UTC."""
    assert to_utc(value, timezone.utc) == optional_time(value, timezone.utc) == NOON
    assert to_timestamp(value, timezone.utc) == iso_timestamp(NOON) == "2026-03-31T12:00:00.000000Z"


def test_the_zone_applies_only_to_times_without_one() -> None:
    """Daylight saving time included."""
    assert to_utc("2026-03-31 07:00:00", CHICAGO) == to_utc("2026-03-31T12:00:00Z", CHICAGO) == NOON


@pytest.mark.parametrize("value", ["", "0000-00-00 00:00:00", "-0001-11-30 00:00:00"])
def test_a_zero_date_is_null(value: str) -> None:
    """MySQL's forms of an empty time."""
    assert to_utc(value, timezone.utc) is to_timestamp(value, timezone.utc) is None


@pytest.mark.parametrize(
    "value",
    ["yesterday", "2026-13-01", True, 1e400, None, [], 10**30, "17120115", "17749584000", "17120115000000", "1" * 15],
)
def test_a_value_that_is_not_a_time_is_an_error_or_none(value: Any) -> None:
    """The caller chooses."""
    assert optional_time(value, timezone.utc) is None
    with pytest.raises(ConversionError):
        to_utc(value, timezone.utc)


@pytest.mark.parametrize(
    ("value", "number"), [(7, 7), ("7", 7), (" -7 ", -7), (7.0, 7), (Decimal("7.00"), 7), ("", None)]
)
def test_integers(value: Any, number: int | None) -> None:
    """Ids arrive as numbers and as text."""
    assert to_integer(value) == optional_int(value) == number


@pytest.mark.parametrize("value", [True, "7.5", 7.5, "1_000", "٣", None, {}, float("nan"), "1" * 30])
def test_a_value_that_is_not_an_integer_is_an_error_or_none(value: Any) -> None:
    """The caller chooses."""
    assert optional_int(value) is None
    with pytest.raises(ConversionError):
        to_integer(value)


@pytest.mark.parametrize(
    ("value", "text"), [("12.50", "12.50"), (12.5, "12.5"), ("1e3", "1000"), ("", None), (Decimal("0.10"), "0.10")]
)
def test_decimals_keep_their_digits(value: Any, text: str | None) -> None:
    """Without an exponent, as databases accept them."""
    assert to_decimal_text(value) == text


@pytest.mark.parametrize("value", ["1_000", "NaN", "Infinity", "1e999", True, None, "12,50"])
def test_a_value_that_is_not_a_decimal_is_an_error(value: Any) -> None:
    """Python's Decimal would accept some of them."""
    with pytest.raises(ConversionError):
        to_decimal_text(value)


@pytest.mark.parametrize(("value", "wanted"), [(1, True), ("0", False), ("True", True), (False, False), ("", None)])
def test_booleans(value: Any, wanted: bool | None) -> None:
    """The API sends four forms."""
    assert to_boolean(value) is wanted


@pytest.mark.parametrize(
    ("value", "wanted"), [("2026-03-31", "2026-03-31"), ("2026-03-31 00:00:00", "2026-03-31"), ("", None)]
)
def test_dates(value: str, wanted: str | None) -> None:
    """A time of midnight is dropped."""
    assert to_date(value) == wanted


@pytest.mark.parametrize("value", ["2026-03-31 10:00:00", "31/03/2026", "2026-02-30", 20260331])
def test_a_value_that_is_not_a_date_is_an_error(value: Any) -> None:
    """Another time of day would be lost."""
    with pytest.raises(ConversionError):
        to_date(value)
