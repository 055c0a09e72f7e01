"""What counts as a change: FieldPulse would get another value. Another spelling of the same value is not a change."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from fieldpulse_api.resources.catalogue import WRITABLE
from fieldpulse_sandbox.sandbox import Sandbox
from target_fieldpulse.records.field_codec import FieldCodec
from target_fieldpulse.records.property_hashes import hash_properties
from tests.harness.messages import record_message, schema_message, singer_lines
from tests.harness.target_runner import run_target
from tests.target.shared import row_by_id, write_requests

Config = dict[str, Any]
CODEC = FieldCodec(ZoneInfo("America/Chicago"))


def hashes(stream: str, name: str, value: Any) -> dict[str, str]:
    return hash_properties(WRITABLE[stream].write_spec, {name: value}, CODEC)


@pytest.mark.parametrize(
    ("stream", "name", "spellings"),
    [
        ("items", "default_unit_price", [12.5, Decimal("12.50"), "12.5", "12.5000", " 12.50 "]),
        ("items", "is_active", [True, 1, "1", "true", "TRUE", Decimal(1)]),
        ("jobs", "customer_id", [7001, 7001.0, "7001", Decimal("7.001E+3")]),
        ("jobs", "customer_external_id", [7001, 7001.0, "7001", " 7001"]),
        (
            "jobs",
            "start_time",
            ["2026-03-01T15:00:00Z", "2026-03-01T15:00:00.000000+00:00", "2026-03-01 10:00:00-05:00", 1772377200],
        ),
        ("customers", "first_name", ["Ann", "Ann  ", "Ann\u00a0"]),
        ("customers", "email", ["a@example.com", "a@EXAMPLE.com", "\ufeffa@example.com"]),
        ("customers", "billing_zip_code", [75201, 75201.0, "75201"]),
        ("customers", "pipeline_status", ["New Lead", " new  lead", "NEW LEAD"]),
        ("customers", "tags", [["Landlord", 7], ["landlord ", "7"]]),
        ("jobs", "customer_external_id", ["Jos\u00e9 7", "Jose\u0301\u00a07", "Jos\u00e9 7\u200b"]),
        ("comments", "commentable_type", ["customer", "Customer", "App\\Models\\Customer"]),
        (
            "invoices",
            "not_optional_line_items",
            [[{"unit_price": 12.5, "quantity": 1}], [{"quantity": "1", "unit_price": "12.50"}]],
        ),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_spellings_of_one_value_have_one_hash(stream: str, name: str, spellings: list[Any]) -> None:
    """A change of a column's type, another tap or a way through CSV changes the spelling of every value."""
    assert all(hashes(stream, name, value) == hashes(stream, name, spellings[0]) for value in spellings)


@pytest.mark.parametrize(
    ("stream", "name", "before", "after"),
    [
        ("customers", "billing_zip_code", "07030", "7030"),
        ("customers", "phone", "2145550101", "2145550101 x5"),
        ("customers", "first_name", "ann", "Ann"),
        ("customers", "custom_fields", {"Code": "007"}, {"Code": "7"}),
        ("items", "default_unit_price", "12.5", "12.51"),
        ("items", "is_active", True, False),
        ("jobs", "start_time", "2026-03-01T15:00:00Z", "2026-03-01T15:00:01Z"),
    ],
)
def test_another_value_has_another_hash(stream: str, name: str, before: Any, after: Any) -> None:
    """These are changes, however small."""
    assert hashes(stream, name, before) != hashes(stream, name, after)


def test_an_edit_in_fieldpulse_survives_another_spelling(
    sandbox: Sandbox, target_config: Config, tmp_path: Path
) -> None:
    """The source sent 12.5, the office made it 99, and then the source sends 12.50."""
    row_id = sandbox.rows("items")[0]["id"]
    schema = schema_message("items", "id", "default_unit_price", "is_active", "name")

    def send(**values: Any) -> dict[str, int]:
        return run_target(
            target_config, singer_lines(schema, record_message("items", id=row_id, **values)), tmp_path
        ).counts

    assert send(default_unit_price=12.5, is_active=True, name="Filter") == {"updated": 1}
    sandbox.store.patch("items", row_id, {"default_unit_price": "99.0000"})
    before = len(sandbox.requests)
    assert send(default_unit_price="12.50", is_active="true", name="Filter ") == {"unchanged": 1}
    assert write_requests(sandbox, before) == []
    assert row_by_id(sandbox, "items", row_id)["default_unit_price"] == "99.0000"


@pytest.mark.parametrize(
    ("name", "spellings", "other"),
    [
        ("Gate code", ["42", "42 "], "0042"),
        ("Gate code", ["1.10"], "1.1"),
        ("Gate code", ["true"], "1"),
        ("Number of units", [3, 3.0, "3", "3.0", "03"], "4"),
        ("Service plan", [True, 1, "1", "true", "yes", "Y"], False),
        ("Preferred day", ["Monday", "MONDAY", " monday"], "Friday"),
        ("Contract until", ["2026-05-01", "2026-05-01T00:00:00"], "2026-05-02"),
    ],
)
def test_a_custom_field_is_compared_by_its_type(
    sandbox: Sandbox, target_config: Config, tmp_path: Path, name: str, spellings: list[Any], other: Any
) -> None:
    """Another spelling leaves what the office has edited; another value is sent, also if the row was never written."""
    row_id = sandbox.rows("customers")[0]["id"]
    schema = schema_message("customers", "id", "custom_fields")

    def send(value: Any, folder: str) -> dict[str, int]:
        text = singer_lines(schema, record_message("customers", id=row_id, custom_fields={name: value}))
        config = target_config | {"ledger_url": f"sqlite:///{tmp_path}/{folder}.db"}
        return run_target(config, text, tmp_path).counts

    send(spellings[0], "a")
    assert {tuple(send(value, "a")) for value in spellings} == {("unchanged",)}
    assert {tuple(send(value, f"new{number}")) for number, value in enumerate(spellings)} == {("unchanged",)}
    assert send(other, "b") == {"updated": 1}
    assert send(spellings[0], "c") == {"updated": 1}
    assert send(other, "a") == {"updated": 1}
