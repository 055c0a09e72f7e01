"""Custom fields: a stable name and a type for each, and no value lost."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from fieldpulse_api.values.custom_fields import CustomFieldDefinition
from tap_fieldpulse.records.custom_field_values import CustomFieldValues


def definition(number: int, name: str, widget: Any = 1, **more: Any) -> CustomFieldDefinition:
    return CustomFieldDefinition.from_row(
        {"id": number, "name": name, "field_widget_id": widget, "object": "job", **more}
    )


def fields(*definitions: CustomFieldDefinition, known: dict[str, Any] | None = None) -> CustomFieldValues:
    return CustomFieldValues(definitions, "job", known or {})


def row(**values: Any) -> dict[str, Any]:
    """Return a row with values by their definitions' numbers: `_7="x"`."""
    return {"customfields": [{"field_instance_id": int(n[1:]), "value": value} for n, value in values.items()]}


def test_names_that_collide_are_told_apart_by_the_number_of_the_newer_one() -> None:
    """The older field keeps its name, so that a new field changes no column."""
    properties = fields(definition(7, "Gate code"), definition(9, "gate-code"), definition(11, "!!")).schema[
        "properties"
    ]
    assert set(properties) == {"gate_code", "gate_code_9", "field_11"}
    floors = fields(definition(3, "Floor"), definition(5, "Floor 7"), definition(7, "Floor"), definition(8, "Field 12"))
    named = floors.values(row(_3="a", _5="b", _7="c", _8="d", _12="e"))
    assert named == {"floor": "a", "floor_7": "b", "floor_7_7": "c", "field_12_8": "d", "field_12": "e"}


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
    """Text, number, date, checkbox, drop-down; an unknown kind is text."""
    one = fields(definition(7, "F", widget, **more))
    assert one.values(row(_7=value)) == {"f": wanted}
    assert kind in one.schema["properties"]["f"]["type"]
    assert not one.misfits


def test_a_date_is_announced_as_one_and_a_drop_down_says_what_is_allowed() -> None:
    """Loaders and people read the schema."""
    day, choice = definition(7, "Day", 3), definition(8, "Size", 5, settings={"allowed_values": ["S", "M"]})
    properties = fields(day, choice).schema["properties"]
    assert properties["day"]["format"] == "date"
    assert properties["size"]["description"] == "Drop-down, custom field 8, one of: S, M"
    assert properties["size"]["title"] == "Size"


def test_a_date_that_will_be_a_column_is_announced_as_text() -> None:
    """A loader that parses dates would break at `end of 2027`; it is converted all the same."""
    flat = CustomFieldValues([definition(7, "Day", 3)], "job", {}, is_flattened=True)
    assert "format" not in flat.schema["properties"]["day"]
    assert flat.values(row(_7="2027-03-31 00:00:00")) == {"day": "2027-03-31"}


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
def test_a_value_that_does_not_fit_is_kept_as_text_and_counted(widget: int, value: Any, text: str) -> None:
    """People typed it; it is not ours to drop."""
    one = fields(definition(7, "F", widget))
    assert one.values(row(_7=value)) == {"f": text}
    assert one.misfits == {"custom_fields.f": 1}


def test_a_value_without_a_definition_is_carried_by_its_number() -> None:
    """The field was deleted, or the plan does not let definitions be read."""
    one = fields()
    assert one.values(row(_66001="kept")) == {"field_66001": "kept"}
    assert one.undefined == {"field_66001": 1}


def test_a_row_says_which_fields_are_empty_or_that_it_shows_none() -> None:
    """A cleared value must reach the warehouse; a list that shows no values says nothing."""
    one = fields(definition(7, "A"), definition(8, "B"))
    assert one.values(row(_7="x", _8="")) == {"a": "x", "b": None}
    assert one.values({"customfields": []}) == {"a": None, "b": None}
    assert one.values({}) is None
    assert one.values({"customfields": None}) is None


def test_values_are_found_under_both_names_that_the_api_has() -> None:
    """`customfields` by id, `customfields_with_related_data` where a list was asked for it."""
    one = fields(definition(7, "A"))
    related = [{"field_instance_id": "7", "value": "x", "custom_field": {"name": "A"}}]
    assert one.values({"customfields_with_related_data": related}) == {"a": "x"}


@pytest.mark.parametrize("entry", [None, "x", {}, {"value": 1}, {"field_instance_id": "seven", "value": 1}])
def test_an_entry_that_names_no_field_stays_in_the_raw_list(entry: Any) -> None:
    """It cannot be named, and is emitted all the same, where it stood."""
    assert fields(definition(7, "A")).values({"customfields": [entry]}) == {"a": None}


def test_a_catalog_that_was_made_before_keeps_its_names_and_types() -> None:
    """A rename must not move a warehouse's column; what is new or different is said once."""
    before = fields(definition(7, "Gate code"), definition(8, "Crew", 2)).schema["properties"]
    after = fields(definition(7, "Door code"), definition(8, "Crew", 3), definition(9, "New"), known=before)
    assert set(after.schema["properties"]) == {"gate_code", "crew", "new"}
    assert after.values(row(_7="1", _8="4", _9="n")) == {"gate_code": "1", "crew": Decimal(4), "new": "n"}
    said = "; ".join(after.changes)
    assert "field 7 was renamed; its property is still gate_code" in said
    assert "field 8 (crew) was changed to date; it keeps the type in the catalog" in said
    assert "field 9 is new; its property is new" in said
    assert len(after.changes) == 3


def test_a_new_field_with_the_old_name_of_another_does_not_take_its_column() -> None:
    """Field 7 was renamed, and field 9 now has its name."""
    before = fields(definition(7, "Gate code")).schema["properties"]
    after = fields(definition(7, "Door code"), definition(9, "Gate code"), known=before)
    assert after.values(row(_7="old", _9="new")) == {"gate_code": "old", "gate_code_9": "new"}


def test_a_field_that_was_deleted_keeps_its_column() -> None:
    """Its values may still be in the rows."""
    before = fields(definition(7, "Gate code"), definition(8, "Other")).schema["properties"]
    assert fields(definition(8, "Other"), known=before).values(row(_7="1")) == {"gate_code": "1", "other": None}


@pytest.mark.parametrize("spelt", ["job", "Job", "jobs", "App\\Http\\Api\\Core\\Models\\BaseJob"])
def test_an_object_type_is_recognised_however_it_is_spelt(spelt: str) -> None:
    """The evidence shows short names for writes and PHP classes for reads."""
    one = CustomFieldDefinition.from_row({"id": 7, "name": "A", "object": spelt})
    assert set(CustomFieldValues([one], "job", {}).schema["properties"]) == {"a"}
    assert not CustomFieldValues([one], "customer", {}).schema["properties"]


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
def test_a_definition_of_an_odd_shape_is_still_a_field(odd: dict[str, Any]) -> None:
    """No reply of this list was ever published."""
    one = CustomFieldDefinition.from_row({"id": 7, "name": "A", "object": "job", **odd})
    assert len(fields(one).schema["properties"]) == 1
