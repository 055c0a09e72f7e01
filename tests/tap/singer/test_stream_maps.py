"""Stream maps and selection: a map that has no effect is refused, and an error names its place."""

from __future__ import annotations

import json
from typing import Any

import pytest

from fieldpulse_api.errors import ConfigError
from fieldpulse_sandbox.sandbox import Sandbox
from tap_fieldpulse.tap import TapFieldPulse
from tests.harness.messages import Message
from tests.harness.tap_runner import run_tap, select_streams

Config = dict[str, Any]


@pytest.fixture
def read_only(shared: Sandbox) -> Config:
    return {"api_key": shared.key, "api_url": shared.url, "rate_limit_store": "memory", "requests_per_second": 50}


@pytest.mark.parametrize(
    ("maps", "nearest"),
    [
        ({"customer": {"email": None}}, "customers"),
        ({"masked": {"__source__": "custmers", "email": None}}, "customers"),
        ({"job*s_": {"notes": None}}, "allowed: "),
    ],
)
def test_a_map_of_a_stream_that_does_not_exist_is_refused(read_only: Config, maps: Config, nearest: str) -> None:
    """Fields that it was to mask would be emitted."""
    with pytest.raises(ConfigError) as caught:
        TapFieldPulse(config=read_only | {"stream_maps": maps})
    assert nearest in caught.value.what
    assert next(iter(maps)) in caught.value.where


def test_a_pattern_maps_each_stream(read_only: Config) -> None:
    """`*` is for all streams, also for one without the property."""
    emitted = run_tap(read_only | {"stream_maps": {"*": {"email": None}}}, "customers", "users", "tags")
    for name in ("customers", "users", "tags"):
        assert "email" not in emitted.schemas[name]["properties"]
        assert all("email" not in record for record in emitted.records[name])


def test_a_map_of_a_stream_that_is_not_selected_is_passed_over(read_only: Config) -> None:
    """Its expressions may not fit the empty schema of such a stream."""
    maps = {"payments": {"cents": "int(amount) * 100", "__key_properties__": ["id"]}, "tags": {"title": None}}
    emitted = run_tap(read_only | {"stream_maps": maps}, "tags")
    assert set(emitted.records) == {"tags"}
    assert "title" not in emitted.schemas["tags"]["properties"]


@pytest.mark.parametrize(
    ("definition", "place", "reason"),
    [
        ({"shout": "title.nothing()"}, "property shout · title.nothing()", "AttributeDoesNotExist"),
        ({"shout": "nowhere + 1"}, "property shout · nowhere + 1", "'nowhere' is not defined"),
        ({"shout": "int(title)"}, "property shout · int(title)", "ValueError"),
        ({"__filter__": "1/0"}, "__filter__ · 1/0", "ZeroDivisionError"),
    ],
)
def test_an_expression_that_fails_is_named_with_its_reason(
    read_only: Config, shared: Sandbox, definition: Config, place: str, reason: str
) -> None:
    """Stream, property, expression and reason, and nothing of the record."""
    with pytest.raises(ConfigError) as caught:
        run_tap(read_only | {"stream_maps": {"tags": definition}}, "tags")
    assert f"stream tags · {place}" in caught.value.where
    assert reason in caught.value.what
    assert not any(row["title"] in str(caught.value) for row in shared.rows("tags"))


def test_a_catalog_that_selects_nothing_is_logged(read_only: Config, caplog: pytest.LogCaptureFixture) -> None:
    """The run ends well, and a person sees why there are no rows."""
    catalog = select_streams(TapFieldPulse(config=read_only), [])
    emitted = run_tap(read_only, catalog=catalog)
    assert not emitted.records
    assert "selects no stream" in caplog.text


def _with_selection(catalog: Message, stream: str, selected: dict[tuple[str, ...], bool]) -> Message:
    entry = next(each for each in catalog["streams"] if each["tap_stream_id"] == stream)
    for metadata in entry["metadata"]:
        if tuple(metadata["breadcrumb"]) in selected:
            metadata["metadata"]["selected"] = selected[tuple(metadata["breadcrumb"])]
    return catalog


def test_a_nested_property_is_kept_without_its_parent(read_only: Config) -> None:
    """The object then holds the selected properties only."""
    parent = ("properties", "customer")
    catalog = select_streams(TapFieldPulse(config=read_only), ["invoices"])
    selected = {parent: False, (*parent, "properties", "email"): True}
    emitted = run_tap(read_only, catalog=_with_selection(json.loads(json.dumps(catalog)), "invoices", selected))
    assert set(emitted.schemas["invoices"]["properties"]["customer"]["properties"]) == {"email"}
    assert {tuple(record["customer"]) for record in emitted.records["invoices"]} == {("email",)}
    without = run_tap(read_only, catalog=_with_selection(catalog, "invoices", {parent: False}))
    assert "customer" not in without.schemas["invoices"]["properties"]
