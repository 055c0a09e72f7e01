"""The shaper: it turns rows of the API into exact records with time zones and without excluded columns."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fieldpulse_api.resources.catalogue import RESOURCES
from fieldpulse_api.resources.model import Resource
from tap_fieldpulse.records.shaper import UNEXPECTED, Shaper

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "id": {"type": "integer"},
        "whole": {"type": ["integer", "null"]},
        "money": {"type": ["string", "null"], "format": "x-singer.decimal"},
        "at": {"type": ["string", "null"], "format": "date-time"},
        "day": {"type": ["string", "null"], "format": "date"},
        "flag": {"type": ["boolean", "null"]},
        "words": {"type": ["string", "null"]},
        "degrees": {"type": ["number", "null"]},
        "object": {
            "type": ["object", "null"],
            "properties": {"at": {"type": ["string", "null"], "format": "date-time"}},
        },
        "list": {"type": ["array", "null"], "items": {"type": ["integer", "null"]}},
        "people": {
            "type": ["array", "null"],
            "items": {"type": "object", "properties": {"id": {"type": "integer"}}, "additionalProperties": False},
        },
    },
}


@pytest.mark.parametrize(
    ("name", "wire", "emitted"),
    [
        ("whole", 12, 12),
        ("whole", " 12", 12),
        ("whole", Decimal("12.0"), 12),
        ("whole", "", None),
        ("money", "200.000000", "200.000000"),
        ("money", "0.1", "0.1"),
        ("money", Decimal("12.10"), "12.10"),
        ("money", 7, "7"),
        ("money", "1e3", "1000"),
        ("money", "", None),
        ("at", "2026-03-09 18:22:41", "2026-03-09T18:22:41.000000Z"),
        ("at", "2026-03-09T18:20:11.000001Z", "2026-03-09T18:20:11.000001Z"),
        ("at", "2026-03-09T13:20:11-05:00", "2026-03-09T18:20:11.000000Z"),
        ("at", 1773080561, "2026-03-09T18:22:41.000000Z"),
        ("at", "", None),
        ("at", "0000-00-00 00:00:00", None),
        ("at", "-0001-11-30 00:00:00", None),
        ("day", "2020-05-15", "2020-05-15"),
        ("day", "2020-05-15 00:00:00", "2020-05-15"),
        ("day", "0000-00-00", None),
        ("flag", 1, True),
        ("flag", "0", False),
        ("flag", "", None),
        ("words", "", ""),
        ("words", 2145550147, "2145550147"),
        ("words", {"a": [1]}, '{"a":[1]}'),
        ("degrees", "32.5", Decimal("32.5")),
        ("object", [], None),
        ("object", {"at": "2026-03-09 18:22:41"}, {"at": "2026-03-09T18:22:41.000000Z"}),
        ("list", ["1", 2, None], [1, 2, None]),
        ("people", [{"id": 1, "api_token": "t", "phone": "p"}], [{"id": 1}]),
    ],
)
def test_a_value_is_emitted_in_its_declared_form(name: str, wire: object, emitted: object) -> None:
    """Each form that the API uses for a type becomes the declared form."""
    shaper = Shaper(SCHEMA)
    assert shaper({"id": 1, name: wire}) == {"id": 1, name: emitted, UNEXPECTED: None}
    assert not shaper.misfits
    assert not shaper.unknown_fields


@pytest.mark.parametrize(
    ("name", "wire"),
    [
        ("whole", "a dozen"),
        ("whole", True),
        ("whole", 2**63),
        ("whole", "9" * 5000),
        ("whole", Decimal("1e400")),
        ("money", "12,50"),
        ("money", "1e999999999"),
        ("money", "1.0123456789"),
        ("money", "1" * 30),
        ("at", "yesterday"),
        ("at", "2026-13-45 99:99:99"),
        ("at", 10**18),
        ("day", "2020-05-15 10:00:00"),
        ("flag", "perhaps"),
        ("flag", []),
        ("object", "{}"),
        ("list", {"1": 1}),
    ],
)
def test_a_value_of_another_type_is_null_and_moves_to_the_unexpected_fields(name: str, wire: object) -> None:
    """No value is dropped or guessed, and none breaks the announced schema."""
    shaper = Shaper(SCHEMA)
    assert shaper({"id": 1, name: wire}) == {"id": 1, name: None, UNEXPECTED: {name: wire}}
    assert shaper.misfits == {name: 1}


def test_the_path_of_a_value_has_the_indexes_of_its_elements() -> None:
    """Values are counted by the path without them."""
    element = {"type": ["object", "null"], "properties": {"parts": {"type": "array", "items": {"type": "integer"}}}}
    shaper = Shaper({"properties": {"lines": {"type": ["array", "null"], "items": element}}})
    record = shaper({"lines": [{"parts": [1, 2]}, {"parts": [3, "four"]}, "five"]})
    assert record["lines"] == [{"parts": [1, 2]}, {"parts": [3, None]}, None]
    assert record[UNEXPECTED] == {"lines.1.parts.1": "four", "lines.2": "five"}
    assert shaper.misfits == {"lines.parts": 1, "lines": 1}


def test_an_unknown_column_moves_to_the_unexpected_fields() -> None:
    """A column that the vendor adds reaches the warehouse with the next run."""
    shaper = Shaper(SCHEMA)
    assert shaper({"id": 1, "new_thing": {"a": 1}}) == {"id": 1, UNEXPECTED: {"new_thing": {"a": 1}}}
    assert set(shaper.unknown_fields) == {"new_thing"}


def test_secrets_and_positions_are_dropped_at_any_depth() -> None:
    """Embedded users contain tokens and live positions, also where no schema declares them."""
    shaper = Shaper(SCHEMA)
    user = {"name": "x", "api_token": "t", "Password": "p", "last_known_location": {"latitude": 1}}
    assert shaper({"id": 1, "words": {"api_token": "t", "a": 1}}) == {"id": 1, "words": '{"a":1}', UNEXPECTED: None}
    assert shaper({"id": 1, "api_token": "t", "someone": [{"deep": user}]}) == {
        "id": 1,
        UNEXPECTED: {"someone": [{"deep": {"name": "x"}}]},
    }


def test_times_without_a_zone_are_in_the_zone_of_the_setting() -> None:
    """UTC is inferred for most accounts, and an account may differ."""
    shaper = Shaper(SCHEMA, zone=ZoneInfo("America/Chicago"))
    assert shaper({"id": 1, "at": "2026-01-01 06:00:00"})["at"] == "2026-01-01T12:00:00.000000Z"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.decimals(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(list(SCHEMA["properties"])), json_values))
def test_every_json_value_can_be_shaped(row: dict[str, Any]) -> None:
    """The record has the columns of the row, and can be written as JSON."""
    record = Shaper(SCHEMA)(row)
    assert set(record) == {*row, UNEXPECTED}
    json.loads(msgspec.json.Encoder(decimal_format="number").encode(record))


@pytest.mark.parametrize("resource", RESOURCES, ids=lambda resource: resource.name)
def test_shaping_a_record_again_changes_nothing(resource: Resource, shared: Any) -> None:
    """The emitted form is valid input, so shaping is idempotent."""
    shaper = Shaper(resource.schema, excluded=resource.excluded_fields)
    for row in shared.rows(resource.name)[:5]:
        record = shaper(row)
        del record[UNEXPECTED]
        assert shaper(record) == record | {UNEXPECTED: None}
        assert not shaper.misfits
