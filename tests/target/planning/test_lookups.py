"""Look-ups, which match the current values of rows."""

from __future__ import annotations

from fieldpulse_api.resources.catalogue import BY_NAME
from target_fieldpulse.planning.lookups import Lookup
from target_fieldpulse.records.columns import Column
from target_fieldpulse.records.field_codec import FieldCodec


def lookup(*columns: str) -> Lookup:
    return Lookup(BY_NAME["customers"], map(Column, columns), FieldCodec())


def values_by_column(**values: str) -> dict[Column, str]:
    return {Column(name): value for name, value in values.items()}


def test_a_changed_value_no_longer_matches() -> None:
    """A match uses the values of the latest write, and ignores case and surrounding spaces."""
    index = lookup("email")
    index.upsert(1, {"email": "a@example.com"})
    index.upsert(2, {"email": "b@example.com"})
    assert index.find(values_by_column(email="a@example.com")) == [1]
    index.upsert(1, {"email": "B@example.com "})
    assert index.find(values_by_column(email="a@example.com")) == []
    assert index.find(values_by_column(email=" b@EXAMPLE.com")) == [1, 2]


def test_a_phone_number_matches_in_every_spelling() -> None:
    """The country code and the punctuation are optional. An incomplete number is compared by its digits."""
    index = lookup("phone")
    for number, phone in enumerate(["(214) 555-0110", "+1 214 555 0111", "555-0112"], start=1):
        index.upsert(number, {"phone": phone})
    assert index.find(values_by_column(phone="+12145550110")) == [1]
    assert index.find(values_by_column(phone="214.555.0111")) == [2]
    assert index.find(values_by_column(phone="5550112")) == [3]


def test_all_columns_of_a_set_must_match() -> None:
    """A partial write keeps the other columns. A removed row no longer matches."""
    index = lookup("first_name", "last_name")
    index.upsert(1, {"first_name": "Ada", "last_name": "One"})
    index.upsert(2, {"first_name": "Ada", "last_name": "Two"})
    assert index.find(values_by_column(first_name="ada", last_name="ONE")) == [1]
    index.upsert(2, {"last_name": "One"})
    assert index.find(values_by_column(first_name="ada", last_name="one")) == [1, 2]
    index.remove(1)
    assert index.find(values_by_column(first_name="ada", last_name="one")) == [2]
    assert index.find(values_by_column(first_name="ada", last_name="two")) == []


def test_rows_are_found_by_a_custom_field() -> None:
    """A write without custom fields leaves them unchanged."""
    column = Column.of_custom_field(7)
    index = Lookup(BY_NAME["customers"], [column], FieldCodec())
    index.upsert(1, {"customfields": [{"id": 3, "field_instance_id": 7, "value": "crm-1"}]})
    index.upsert(1, {"first_name": "Ada"})
    assert index.find({column: "CRM-1"}) == [1]
