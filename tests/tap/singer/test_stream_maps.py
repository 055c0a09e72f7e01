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


@pytest.mark.parametrize(
    ("maps", "problem"),
    [
        ({"customers": {"email": None}, "*": {"phone": None}}, "customers, *"),
        ({"customers": {"Email": None}}, "did you mean 'email'"),
    ],
)
def test_a_map_that_would_remove_nothing_is_refused(read_only: Config, maps: Config, problem: str) -> None:
    """A second map for a stream replaces the first, and a misspelled property stays."""
    with pytest.raises(ConfigError) as caught:
        TapFieldPulse(config=read_only | {"stream_maps": maps})
    assert problem in caught.value.what


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


@pytest.mark.parametrize(
    ("definition", "place", "reason"),
    [
        ({"shout": "title.upper("}, "property shout · title.upper(", "'(' was never closed"),
        ({"__filter__": "title ="}, "__filter__ · title =", "invalid syntax"),
        ({"__filtre__": "title"}, "__filtre__", "did you mean '__filter__'"),
    ],
)
def test_a_syntax_error_is_named_with_its_property(
    read_only: Config, definition: Config, place: str, reason: str
) -> None:
    """Before anything is read, and also if the stream is not selected."""
    with pytest.raises(ConfigError) as caught:
        TapFieldPulse(config=read_only | {"stream_maps": {"tags": definition}})
    assert f"stream tags · {place}" in caught.value.where
    assert reason in caught.value.what


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


def test_nothing_of_a_deselected_nested_property_is_emitted(sandbox: Sandbox, config: Config) -> None:
    """Neither a misfit of it, nor an unknown field beside the selected ones, nor a newer custom field."""
    catalog = select_streams(TapFieldPulse(config=dict(config)), ["customers"])
    picked = {("main_location", "city"), ("custom_fields", "gate_code")}
    entry = next(each for each in catalog["streams"] if each["tap_stream_id"] == "customers")
    for metadata in entry["metadata"]:
        names = tuple(metadata["breadcrumb"][1::2])
        if len(names) == 2 and names[0] in ("main_location", "custom_fields"):
            metadata["metadata"]["selected"] = names in picked
    first = sandbox.rows("customers")[0]
    place = first["main_location"] | {"tax_rate": "8 percent", "newthing": {"a": 1}}
    sandbox.store.patch("customers", first["id"], {"main_location": place})
    new = sandbox.store.create("custom_fields", {"name": "Brand new", "object": "customer", "field_widget_id": 1})
    values = [{"field_instance_id": new["id"], "value": "hidden"}, *first["customfields"]]
    sandbox.store.patch("customers", first["id"], {"customfields": values})
    emitted = run_tap(config, catalog=catalog)
    for record in emitted.records["customers"]:
        assert set(record["main_location"] or {"city": 0}) == {"city"}
        assert set(record["custom_fields"]) == {"gate_code"}
        assert not [path for path in record["unexpected_fields"] or () if path.startswith(("main_loc", "custom_f"))]
