"""The shaper is fast in ways that must not show: its records are those of a plain one, on every kind of value."""

from __future__ import annotations

from decimal import Decimal
from itertools import cycle, islice
from typing import Any

import pytest

from fieldpulse_api.resources.catalogue import RESOURCES
from fieldpulse_api.resources.model import Resource
from fieldpulse_plugin.settings import zone_of
from tap_fieldpulse.records.layout import COMPILED_FROM
from tap_fieldpulse.records.shaper import Shaper
from tests.tap.records.plain_shaper import PlainShaper

TIMES = (
    "2026-03-09 18:22:41",
    "2026-03-09T18:22:41",
    "2026-03-09T18:20:11Z",
    "2026-03-09T18:20:11z",
    "2026-03-09T18:20:11.000000Z",
    "2026-03-09T18:20:11.000001Z",
    "2026-03-09 18:20:11.5",
    "2026-03-09T13:20:11-05:00",
    "2026-03-09T13:20+05:30",
    "2026-03-09T18:20:11Z ",
    " 2026-03-09 18:22:41",
    "2026-03-09 18:22:41\n",
    "2026-02-29 00:00:00",
    "2024-02-29 00:00:00",
    "2026-13-45 99:99:99",
    "2026-03-09 24:00:00",
    "2026-03-09 23:59:60",
    "2026-03-09 18:22:",
    "2026-03-09 18:22:4",
    "2026-03-09 18:22:4Z",
    "2026-03-09 18:22:41.",
    "2026-03-09 18:22",
    "2026-03-09",
    "20260309T182241Z",
    "2026-W11-1T18:22:41",
    "2026-03-09x18:22:41",
    "\N{FULLWIDTH DIGIT TWO}026-03-09 18:22:41",
    "2026-03-09 18:22:4\N{ARABIC-INDIC DIGIT ONE}",
    "0001-01-01 00:00:00",
    "9999-12-31T23:59:59Z",
    "0000-00-00 00:00:00",
    "-0001-11-30 00:00:00",
    "1773080561",
    "1773080561000",
    "177308056",
    "2026-03-08 02:30:00",  # does not exist in Chicago
    "2026-11-01 01:30:00",  # comes twice there
)
NUMBERS = (
    *("7", "-7", "+7", "007", "-0", "0", "00", "0.00", "-0.50", ".5", "5.", "12.10", "1e3", "1_000", "12,50", " 12 "),
    *("9" * 18, "9" * 29 + ".5", "9" * 30, "1." + "0" * 12, "1.0123456789", "1" * 61, "0." + "1" * 31, "١٢", "7\n"),
    *(2**63, 2**63 - 1, -(2**63), -(2**63) - 1, 0, 1, 10**18, 1773080561, -1),
    *(Decimal("12.0"), Decimal("12.10"), Decimal("1e400"), Decimal("1e-9"), 0.5, -0.0, 1e300),
)
OTHERS = (
    *("", " ", "text", "true", "0", "yes", "NULL", "\ud800", "\x00", "é", True, False, None),
    *([], [None], ["1", 2], [[1]], {}, {"a": 1}, {"id": "7", "api_token": "t", "at": {"password": 1}}, [{"id": "x"}]),
)
HOSTILE = (*TIMES, *NUMBERS, *OTHERS)


def hostile_rows(row: dict[str, Any]) -> list[dict[str, Any]]:
    """Return rows in which each field has each hostile value once, and others in which each value inside it does."""
    flat = [
        {name: HOSTILE[(number + place) % len(HOSTILE)] for place, name in enumerate(row)}
        for number in range(len(HOSTILE))
    ]
    return [*flat, *(with_hostile_leaves(row, iter(islice(cycle(HOSTILE), number, None))) for number in range(40))]


def with_hostile_leaves(value: Any, values: Any) -> Any:
    """Return a value in which all but objects and arrays is replaced."""
    if isinstance(value, dict):
        return {name: with_hostile_leaves(each, values) for name, each in value.items()}
    return [with_hostile_leaves(each, values) for each in value] if isinstance(value, list) else next(values)


@pytest.mark.parametrize("zone", ["UTC", "America/Chicago"])
@pytest.mark.parametrize("resource", RESOURCES, ids=lambda resource: resource.name)
def test_records_are_those_of_the_plain_shaper(resource: Resource, zone: str, shared: Any) -> None:
    """All rows of the sandbox, and rows of hostile values: before and after the layouts are compiled."""
    options = {"excluded": resource.excluded_fields, "flags_property": resource.flags_property}
    options["zone"] = zone_of(zone, "timezone")
    shaper, plain = Shaper(resource.schema, **options), PlainShaper(resource.schema, **options)
    rows = shared.rows(resource.name)
    hostile = [each for row in rows[:1] for each in hostile_rows(row | {"new_column": 1, "api_key": "k"})]
    many = list(islice(cycle(rows), COMPILED_FROM + 1)) if rows else []
    for row in [*hostile, *many, *hostile, *rows]:
        assert repr(shaper(row)) == repr(plain(row))  # which tells 1 from True and from 1.0, and the order of fields
    assert shaper.misfits == plain.misfits
