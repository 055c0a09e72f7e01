"""The parser of records, which keeps the first error of an invalid record."""

from __future__ import annotations

from typing import Any

import pytest

from fieldpulse_api.resources.catalogue import WRITABLE
from target_fieldpulse.records.field_codec import FieldCodec
from target_fieldpulse.records.ledger_key import KeyKind, LedgerKey
from target_fieldpulse.records.parsed_record import ParsedRecord, RecordParser

CUSTOMERS = WRITABLE["customers"]


def parse(record: dict[str, Any], **settings: bool) -> ParsedRecord:
    return RecordParser(CUSTOMERS, FieldCodec(), **settings).parse(record)


@pytest.mark.parametrize(
    ("record", "kind", "value"),
    [
        ({"external_id": "a", "id": 7}, KeyKind.EXTERNAL_ID, "a"),
        ({"external_id": 7}, KeyKind.EXTERNAL_ID, "7"),
        ({"id": "7"}, KeyKind.ROW_ID, "7"),
        ({"external_id": "", "id": 7}, KeyKind.ROW_ID, "7"),
    ],
    ids=str,
)
def test_the_key_is_the_external_id_else_the_id(record: dict[str, Any], kind: KeyKind, value: str) -> None:
    """An empty external_id counts as a missing value."""
    assert parse(record).key == LedgerKey("customers", kind, value)


@pytest.mark.parametrize(
    ("record", "field"),
    [
        ({}, "external_id"),
        ({"external_id": ["a"]}, "external_id"),
        ({"external_id": "a", "id": 0}, "id"),
        ({"external_id": "a", "deleted_at": "soon"}, "deleted_at"),
    ],
    ids=str,
)
def test_an_invalid_record_keeps_its_error_and_its_valid_key(record: dict[str, Any], field: str) -> None:
    """It is rejected in the order of its key, and reported under it."""
    parsed = parse(record)
    assert parsed.error
    assert parsed.error.where == f"field {field}"
    assert parsed.key.value == ("a" if record.get("external_id") == "a" else "")


def test_a_null_has_a_hash_only_if_nulls_clear() -> None:
    """Otherwise it has no effect on the row."""
    record = {"external_id": "a", "first_name": "Ada", "notes": None}
    assert set(parse(record).property_hashes) == {"first_name"}
    assert set(parse(record, clear_nulls=True).property_hashes) == {"first_name", "notes"}


def test_a_stored_external_id_is_a_property_of_its_own() -> None:
    """Its hash makes the target write it to rows that were created before the setting."""
    assert "external_id" not in parse({"external_id": "a"}).property_hashes
    assert "external_id" in parse({"external_id": "a"}, stores_external_id=True).property_hashes


def test_hashes_differ_between_filling_and_overwriting() -> None:
    """After `fill_empty_only` is switched off, every property is written again."""
    record = {"external_id": "a", "first_name": "Ada"}
    assert parse(record).property_hashes != parse(record, fill_empty_only=True).property_hashes


def test_json_text_is_parsed_and_empty_text_is_null() -> None:
    """Warehouses store nested values as text, and files have empty text for nulls."""
    values = parse({"external_id": "a", "tags": '["Warranty"]', "assigned_to": "", "notes": " \u200b"}).values
    assert (values["tags"], values["assigned_to"], values["notes"]) == (["Warranty"], None, None)
