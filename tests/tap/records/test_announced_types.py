"""Every record is as its schema announces, whatever FieldPulse sends. The harness validates all records of tests."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from fieldpulse_api.resources.catalogue import RESOURCES
from fieldpulse_sandbox.behaviour.profiles import profile_of
from fieldpulse_sandbox.sandbox import Sandbox
from tap_fieldpulse.tap import TapFieldPulse
from tests.harness.tap_runner import run_tap, select_streams

Config = dict[str, Any]
FLATTENED = {"flattening_enabled": True, "flattening_max_depth": 1}
DETAILS = ["customers", "jobs", "estimates"]


@pytest.fixture
def untidy() -> Iterator[Sandbox]:
    """Start an account with unknown columns, and values that do not fit their types."""
    with Sandbox(customers=30, behaviour=profile_of(unknown_columns=True, tag_elements="objects")) as sandbox:
        store = sandbox.store
        store.patch("customers", sandbox.rows("customers")[0]["id"], {"parent_id": "n/a", "tags": ["VIP", 7]})
        invoice = sandbox.rows("invoices")[0]
        store.patch("invoices", invoice["id"], {"line_discount": "ten", "due_date": "soon", "customer": "gone"})
        line = {"id": "x", "line_components": [{"quantity": "two", "new": 1}]}
        store.patch("estimates", sandbox.rows("estimates")[0]["id"], {"line_items": [line], "expenses": ["a"]})
        yield sandbox


def config_of(sandbox: Sandbox, **settings: Any) -> Config:
    account = {"api_key": sandbox.key, "api_url": sandbox.url, "rate_limit_store": "memory", "requests_per_second": 50}
    return account | settings


def decimals(schema: Any) -> Iterator[dict[str, Any]]:
    """Yield the decimals at any depth of a schema."""
    if isinstance(schema, dict):
        if schema.get("format") == "x-singer.decimal":
            yield schema
        for value in schema.values():
            yield from decimals(value)


@pytest.mark.parametrize("depth", [0, 1, 2])
@pytest.mark.parametrize("account", ["untidy", "hostile"])
def test_every_record_is_as_announced(untidy: Sandbox, account: str, depth: int) -> None:
    """Of every stream, with rows read by id, labels and custom fields, flat and not."""
    flat = {"flattening_enabled": True, "flattening_max_depth": depth} if depth else {}
    settings = {"add_labels": True, "detail_streams": DETAILS, **flat}
    if account == "untidy":
        result = run_tap(config_of(untidy, **settings))
        assert result.records["customers"][0]["parent_id"] is None
    else:
        with Sandbox(customers=20, profile="hostile") as sandbox:
            result = run_tap(config_of(sandbox, timezone="America/Chicago", **settings))
    assert {name for name, records in result.records.items() if records} == {resource.name for resource in RESOURCES}


def test_what_was_not_announced_is_kept_beside_the_columns(untidy: Sandbox) -> None:
    """The column is null. The value is found by its path, and is named and counted in the log."""
    result = run_tap(config_of(untidy), "customers", "invoices", "estimates")
    customer, invoice, estimate = (result.records[name][0] for name in ("customers", "invoices", "estimates"))
    assert (customer["parent_id"], customer["tags"]) == (None, [None, None])
    assert customer["unexpected_fields"]["parent_id"] == "n/a"
    assert "tags.0" in customer["unexpected_fields"]
    assert (invoice["line_discount"], invoice["due_date"], invoice["customer"]) == (None, None, None)
    assert {"line_discount": "ten", "due_date": "soon"}.items() <= invoice["unexpected_fields"].items()
    assert estimate["line_items"][0]["line_components"] == [{"quantity": None, "new": 1}]
    assert estimate["unexpected_fields"]["line_items.0.line_components.0.quantity"] == "two"
    assert estimate["unexpected_fields"]["expenses.0"] == "a"


def test_a_flat_record_has_no_column_of_an_object_that_is_null(untidy: Sandbox) -> None:
    """The SDK leaves the name of the object. An unknown field inside an object moves to the unexpected fields."""
    for location in untidy.rows("locations"):
        untidy.store.patch("locations", location["id"], {"location_coords": {"latitude": 1.5, "altitude": 9}})
    last = untidy.rows("locations")[-1]
    untidy.store.patch("locations", last["id"], {"location_coords": None})
    records = run_tap(config_of(untidy, **FLATTENED), "locations").records["locations"]
    first = records[0]
    assert (first["location_coords__latitude"], "location_coords__altitude" in first) == (1.5, False)
    assert '"location_coords.altitude": 9' in first["unexpected_fields"].replace('":9', '": 9')
    assert all("location_coords" not in record for record in records)


@pytest.mark.parametrize("settings", [{}, FLATTENED], ids=["nested", "flat"])
def test_every_decimal_has_a_precision_and_a_scale(shared: Sandbox, settings: Config) -> None:
    """A loader for Snowflake otherwise makes NUMBER(38,0), which drops the cents. Stream maps keep them."""
    maps = {"stream_maps": {"payments": {"paid": "amount"}}}
    schemas = run_tap(config_of(shared, **settings, **maps)).schemas
    found = {name: list(decimals(schema)) for name, schema in schemas.items()}
    assert all((each["precision"], each["scale"]) == (38, 9) for each_list in found.values() for each in each_list)
    assert sum(map(len, found.values())) > 40
    assert "paid" in schemas["payments"]["properties"]
    assert found["payments"][0]["precision"] == 38


def test_a_precision_is_announced_with_a_catalog_too(shared: Sandbox) -> None:
    """The catalog of the SDK drops both keywords."""
    config = config_of(shared)
    catalog = select_streams(TapFieldPulse(config=config), ["payments"])
    amount = run_tap(config, catalog=catalog).schemas["payments"]["properties"]["amount"]
    assert (amount["precision"], amount["scale"]) == (38, 9)


@pytest.mark.parametrize("has_catalog", [False, True])
def test_decimals_may_be_numbers(shared: Sandbox, has_catalog: bool) -> None:
    """Also with a catalog that was made before the setting, and inside arrays."""
    catalog = select_streams(TapFieldPulse(config=config_of(shared)), ["payments", "invoices"]) if has_catalog else None
    exact = run_tap(config_of(shared), "payments", "invoices")
    streams = () if has_catalog else ("payments", "invoices")
    numbers = run_tap(config_of(shared, decimals_as_numbers=True), *streams, catalog=catalog)
    assert not list(decimals(numbers.schemas))
    assert numbers.schemas["payments"]["properties"]["amount"]["type"] == ["number", "null"]
    for before, after in zip(exact.records["payments"], numbers.records["payments"], strict=True):
        assert isinstance(after["amount"], float | int)
        assert Decimal(str(after["amount"])) == Decimal(before["amount"])
    line = next(record["line_items"] for record in numbers.records["invoices"] if record["line_items"])[0]
    assert isinstance(line["line_components"][0]["unit_price"], float | int)
