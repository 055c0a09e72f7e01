"""Custom fields: a stable name and a type for each, and no value lost."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from fieldpulse_api.values.custom_fields import CustomFieldDefinition
from tap_fieldpulse.records.custom_field_values import CustomFieldValues


def definition(field_id: int, name: str, widget: Any = 1, **columns: Any) -> CustomFieldDefinition:
    return CustomFieldDefinition.from_row(
        {"id": field_id, "name": name, "field_widget_id": widget, "object": "job", **columns}
    )


def fields(*definitions: CustomFieldDefinition, known: dict[str, Any] | None = None) -> CustomFieldValues:
    return CustomFieldValues(definitions, "job", known or {})


def values_of(custom_fields: CustomFieldValues, each: dict[str, Any]) -> dict[str, Any] | None:
    """Return the values of a row, none of which is unexpected."""
    unexpected: dict[str, Any] = {}
    values = custom_fields.values(each, unexpected)
    assert not unexpected
    return values


def row(**values: Any) -> dict[str, Any]:
    """Return a row with values by the ids of their fields: `_7="x"`."""
    return {"customfields": [{"field_instance_id": int(n[1:]), "value": value} for n, value in values.items()]}


def test_a_newer_field_of_the_same_name_gets_its_id_as_suffix() -> None:
    """The older field keeps its name, so that a new field changes no column."""
    properties = fields(definition(7, "Gate code"), definition(9, "gate-code"), definition(11, "!!")).schema[
        "properties"
    ]
    assert set(properties) == {"gate_code", "gate_code_9", "field_11"}
    floors = fields(definition(3, "Floor"), definition(5, "Floor 7"), definition(7, "Floor"), definition(8, "Field 12"))
    named = values_of(floors, row(_3="a", _5="b", _7="c", _8="d"))
    assert named == {"floor": "a", "floor_7": "b", "floor_7_7": "c", "field_12_8": "d"}


@pytest.mark.parametrize(
    ("widget", "more", "value", "wanted", "kind"),
    [
        (1, {}, "0042", "0042", "string"),
        (2, {}, "12.50", Decimal("12.50"), "number"),
        (2, {}, 7, 7, "number"),
        (3, {}, "2027-03-31", "2027-03-31", "string"),
        (3, {}, "2027-03-31 00:00:00", "2027-03-31", "string"),
        (4, {}, "1", True, "boolean"),
        (4, {}, "No", False, "boolean"),
        (5, {}, "Monday", "Monday", "string"),
        ("2", {}, "3", Decimal(3), "number"),
        (99, {}, "what it is", "what it is", "string"),
        (None, {}, "x", "x", "string"),
        (2, {"settings": {"allowed_values": ["1", "2"]}}, "1", "1", "string"),
    ],
)
def test_a_value_has_the_type_of_its_field(
    widget: Any, more: dict[str, Any], value: Any, wanted: Any, kind: str
) -> None:
    """Text, number, date, checkbox or drop-down; an unknown type is text."""
    custom_fields = fields(definition(7, "F", widget, **more))
    assert values_of(custom_fields, row(_7=value)) == {"f": wanted}
    assert kind in custom_fields.schema["properties"]["f"]["type"]
    assert not custom_fields.misfits


def test_the_schema_declares_dates_and_lists_the_choices_of_a_drop_down() -> None:
    """Loaders use the format, users the description."""
    day, choice = definition(7, "Day", 3), definition(8, "Size", 5, settings={"allowed_values": ["S", "M"]})
    properties = fields(day, choice).schema["properties"]
    assert properties["day"]["format"] == "date"
    assert properties["size"]["description"] == "Drop-down, custom field 8, one of: S, M"
    assert properties["size"]["title"] == "Size"


@pytest.mark.parametrize(
    ("widget", "value", "text"),
    [
        (2, "about 3", "about 3"),
        (3, "31/12/2027", "31/12/2027"),
        (4, "perhaps", "perhaps"),
        (2, "1_000", "1_000"),
        (2, "٣", "٣"),
        (3, "2026-1-5", "2026-1-5"),
        (2, ["1", "2"], '["1","2"]'),
    ],
)
def test_a_value_of_another_type_is_null_and_moves_to_the_unexpected_fields(widget: int, value: Any, text: str) -> None:
    """A user entered it, so it must not be lost; a strict loader has one type for a column."""
    custom_fields, unexpected = fields(definition(7, "F", widget)), {}
    assert custom_fields.values(row(_7=value), unexpected) == {"f": None}
    assert unexpected == {"custom_fields.f": text}
    assert custom_fields.misfits == {"custom_fields.f": 1}


def test_a_value_without_a_definition_moves_to_the_unexpected_fields() -> None:
    """The field was deleted, or the account's plan excludes the list of definitions. Its path has the field's id."""
    custom_fields, unexpected = fields(), {}
    assert custom_fields.values(row(_66001="kept"), unexpected) == {}
    assert unexpected == {"custom_fields.field_66001": "kept"}
    assert custom_fields.undefined == {"field_66001": 1}


def test_long_names_stay_distinct_within_the_limit_of_a_flattened_column() -> None:
    """PostgreSQL allows 63 bytes, and the prefix takes 15 of them."""
    properties = fields(definition(7, "x" * 80 + "a"), definition(12345678, "x" * 80 + "b")).schema["properties"]
    assert len(properties) == 2
    assert all(len(f"custom_fields__{name}") <= 63 for name in properties)


def test_empty_fields_are_null_and_a_row_without_values_has_no_property() -> None:
    """A cleared value must reach the warehouse; a list without values proves nothing."""
    custom_fields = fields(definition(7, "A"), definition(8, "B"))
    assert values_of(custom_fields, row(_7="x", _8="")) == {"a": "x", "b": None}
    assert values_of(custom_fields, {"customfields": []}) == {"a": None, "b": None}
    assert values_of(custom_fields, {}) is None
    assert values_of(custom_fields, {"customfields": None}) is None


def test_both_value_columns_are_read() -> None:
    """`customfields`, and `customfields_with_related_data` if the list was requested with it."""
    custom_fields = fields(definition(7, "A"))
    related = [{"field_instance_id": "7", "value": "x", "custom_field": {"name": "A"}}]
    assert values_of(custom_fields, {"customfields_with_related_data": related}) == {"a": "x"}


@pytest.mark.parametrize("entry", [None, "x", {}, {"value": 1}, {"field_instance_id": "seven", "value": 1}])
def test_an_entry_without_a_field_id_has_no_property(entry: Any) -> None:
    """It is emitted in the raw list only."""
    assert values_of(fields(definition(7, "A")), {"customfields": [entry]}) == {"a": None}


def test_an_older_catalog_keeps_its_names_and_types() -> None:
    """A renamed field keeps its column in the warehouse; each difference is listed once."""
    before = fields(definition(7, "Gate code"), definition(8, "Crew", 2)).schema["properties"]
    after = fields(definition(7, "Door code"), definition(8, "Crew", 3), definition(9, "New"), known=before)
    assert set(after.schema["properties"]) == {"gate_code", "crew", "new"}
    assert values_of(after, row(_7="1", _8="4", _9="n")) == {"gate_code": "1", "crew": Decimal(4), "new": "n"}
    changes = "; ".join(after.changes)
    assert "field 7 was renamed; its property is still gate_code" in changes
    assert "field 8 (crew) was changed to date; it keeps the type in the catalog" in changes
    assert "field 9 is new; its property is new" in changes
    assert len(after.changes) == 3


def test_a_new_field_with_the_old_name_of_another_gets_its_own_column() -> None:
    """Field 7 was renamed, and field 9 now has its name."""
    before = fields(definition(7, "Gate code")).schema["properties"]
    after = fields(definition(7, "Door code"), definition(9, "Gate code"), known=before)
    assert values_of(after, row(_7="old", _9="new")) == {"gate_code": "old", "gate_code_9": "new"}


def test_a_deleted_field_keeps_its_column() -> None:
    """Rows may still contain its values."""
    before = fields(definition(7, "Gate code"), definition(8, "Other")).schema["properties"]
    assert values_of(fields(definition(8, "Other"), known=before), row(_7="1")) == {"gate_code": "1", "other": None}


@pytest.mark.parametrize("spelling", ["job", "Job", "jobs", "App\\Http\\Api\\Core\\Models\\BaseJob"])
def test_every_spelling_of_an_object_type_is_recognised(spelling: str) -> None:
    """Writes use short names, and rows contain names of PHP classes."""
    field = CustomFieldDefinition.from_row({"id": 7, "name": "A", "object": spelling})
    assert set(CustomFieldValues([field], "job", {}).schema["properties"]) == {"a"}
    assert not CustomFieldValues([field], "customer", {}).schema["properties"]


@pytest.mark.parametrize(
    "odd",
    [
        {"settings": None},
        {"settings": []},
        {"settings": {"allowed_values": {"a": 1}}},
        {"name": None},
        {"name": 7},
        {"field_widget_id": "text"},
        {"object": None, "related_record_names": None},
        {"related_record_names": "job"},
    ],
)
def test_a_malformed_definition_is_still_a_field(odd: dict[str, Any]) -> None:
    """No response of this list was ever published."""
    field = CustomFieldDefinition.from_row({"id": 7, "name": "A", "object": "job", **odd})
    assert len(fields(field).schema["properties"]) == 1
