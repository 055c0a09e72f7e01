"""Keys of the source: a whole number is the same key in whatever form it comes, and padding makes no second key."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from fieldpulse_api.resources.write_model import Field, FieldType
from fieldpulse_api.values.scalars import ConversionError
from fieldpulse_sandbox.sandbox import Sandbox
from target_fieldpulse.records.field_codec import FieldCodec
from target_fieldpulse.records.ledger_key import source_key
from tests.harness.messages import record_message, schema_message, singer_lines
from tests.harness.target_runner import run_target
from tests.target.shared import CUSTOMERS, JOBS, posts, write_requests

Config = dict[str, Any]
SPELLINGS = ["7001", "7001.0", '"7001"', '"7001.00"', "7.001e3", '" 7001 "', '"7001\\u200b"', '"\\ufeff7001\\r\\n"']


@pytest.mark.parametrize(
    ("value", "key"),
    [
        (7001, "7001"),
        (7001.0, "7001"),
        (Decimal("7.001E+3"), "7001"),
        ("7001.000", "7001"),
        (Decimal("-0.0"), "0"),
        (Decimal("12.50"), "12.5"),
        (10**40, str(10**40)),
        ("12.50", "12.50"),
        ("007", "007"),
        ("007.0", "007.0"),
        ("1e3", "1e3"),
        ("1.2.0", "1.2.0"),
        ("A 1\u00a0b ", "A 1 b"),
        ("cafe\u0301", "caf\u00e9"),
        (" \u200b", ""),
    ],
    ids=repr,
)
def test_a_key_as_text(value: Any, key: str) -> None:
    """Codes that only look like numbers, such as ZIP codes, stay as they are."""
    assert source_key(value) == key


@pytest.mark.parametrize("value", [True, None, ["a"], {"a": 1}, float("nan"), float("inf")], ids=repr)
def test_what_is_neither_text_nor_a_number_is_not_a_key(value: Any) -> None:
    """The parser turns this into the rejection of the record. A row that holds it is compared all the same."""
    with pytest.raises(ConversionError):
        source_key(value)
    assert FieldCodec().match_key(Field("external_id", FieldType.KEY), value) in ("", str(value))


def test_a_number_is_the_same_key_in_every_spelling(sandbox: Sandbox, target_config: Config, tmp_path: Path) -> None:
    """One create, and in later runs nothing: spreadsheets, nullable columns and char(n) columns change the spelling."""
    lines = [
        f'{{"type":"RECORD","stream":"customers","record":{{"external_id":{text},"first_name":"Ann"}}}}'
        for text in SPELLINGS
    ]
    run_target(target_config, "\n".join([singer_lines(CUSTOMERS).strip(), *lines]), tmp_path)
    assert posts(sandbox) == ["/customers"]
    before = len(sandbox.requests)
    for line in lines:
        result = run_target(target_config, "\n".join([singer_lines(CUSTOMERS).strip(), line]), tmp_path)
        assert result.counts == {"unchanged": 1}
    assert write_requests(sandbox, before) == []


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_reference_finds_the_row_in_every_spelling(
    sandbox: Sandbox, target_config: Config, tmp_path: Path, spelling: str
) -> None:
    """The customer was written under the number 7001; the job names it in another form."""
    customer = record_message("customers", external_id=7001, first_name="Ann")
    job = f'{{"type":"RECORD","stream":"jobs","record":{{"external_id":"j","customer_external_id":{spelling},'
    job += '"job_type":"Repair"}}'
    result = run_target(target_config, singer_lines(CUSTOMERS, customer, JOBS) + job + "\n", tmp_path)
    assert result.counts == {"created": 2}
    assert sandbox.rows("jobs")[-1]["customer_id"] == sandbox.rows("customers")[-1]["id"]


def test_ids_of_fieldpulse_are_the_same_in_every_spelling(
    sandbox: Sandbox, target_config: Config, tmp_path: Path
) -> None:
    """`id` and `customer_id` as floats: the row is updated, and the job belongs to the customer."""
    row = sandbox.rows("customers")[0]
    customer = record_message("customers", id=float(row["id"]), notes="float")
    job = record_message("jobs", external_id="j", customer_id=float(row["id"]), job_type="Repair")
    assert run_target(target_config, singer_lines(CUSTOMERS, customer, JOBS, job), tmp_path).counts == {
        "updated": 1,
        "created": 1,
    }
    assert sandbox.rows("customers")[0]["notes"] == "float"
    assert sandbox.rows("jobs")[-1]["customer_id"] == row["id"]


def test_whole_floats_in_text_columns_have_no_point(sandbox: Sandbox, target_config: Config, tmp_path: Path) -> None:
    """A column of ZIP codes with a gap comes as floats, and one of phone numbers as well."""
    schema = schema_message("customers", "external_id", "first_name", "phone", "billing_zip_code", "notes")
    record = record_message(
        "customers", external_id="z", first_name="Ann ", phone=2145550101.0, billing_zip_code=75201.0, notes=12.5
    )
    assert run_target(target_config, singer_lines(schema, record), tmp_path).counts == {"created": 1}
    row = sandbox.rows("customers")[-1]
    values = (row["first_name"], row["phone"], row["billing_zip_code"], row["notes"])
    assert values == ("Ann", "2145550101", "75201", "12.5")


def test_invisible_characters_make_no_second_customer(sandbox: Sandbox, target_config: Config, tmp_path: Path) -> None:
    """The e-mail address of an existing customer, as copied from a spreadsheet."""
    row = next(row for row in sandbox.rows("customers") if row["email"])
    record = record_message("customers", external_id="new", first_name="Ann", email=f"\ufeff{row['email']}\u200b\u00a0")
    assert run_target(target_config, singer_lines(CUSTOMERS, record), tmp_path).counts == {"updated": 1}
    assert next(each for each in sandbox.rows("customers") if each["id"] == row["id"])["email"] == row["email"]
