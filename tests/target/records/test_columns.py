"""Columns of rows, custom fields included."""

from __future__ import annotations

import pytest

from target_fieldpulse.records.columns import Column

ROW = {"email": None, "customfields": [{"id": 3, "field_instance_id": 7, "value": "CRM-1"}]}


@pytest.mark.parametrize(
    "column",
    [
        Column("email"),
        Column("external_id", is_exact=True),
        Column.of_custom_field(7),
        Column.of_custom_field(7, is_exact=True),
    ],
    ids=lambda column: column.text,
)
def test_the_ledger_restores_a_column_from_its_text(column: Column) -> None:
    """The ledger stores fingerprints under the text of their columns."""
    assert Column.from_text(column.text) == column


@pytest.mark.parametrize(
    ("column", "value", "is_present"),
    [
        (Column("email"), None, True),
        (Column("phone"), None, False),
        (Column.of_custom_field(7), "CRM-1", True),
        (Column.of_custom_field(8), None, True),
    ],
    ids=lambda value: value.text if isinstance(value, Column) else repr(value),
)
def test_an_empty_column_differs_from_an_absent_one(column: Column, value: object, *, is_present: bool) -> None:
    """A row that lists custom fields has all of them; a key that the row lacks is absent."""
    assert (column.value_in(ROW), column.is_in(ROW)) == (value, is_present)
