"""Line items and other lists inside a record: their shape, their numbers, and amounts under a wrong name."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from fieldpulse_api.errors import RecordInvalid
from fieldpulse_api.resources.catalogue import WRITABLE
from fieldpulse_sandbox.sandbox import Sandbox
from target_fieldpulse.records.nested_values import NestedValues
from tests.harness.messages import record_message, schema_message, singer_lines
from tests.harness.target_runner import run_target
from tests.target.shared import newest_row

Config = dict[str, Any]


def wire(stream: str, column: str, value: Any) -> Any:
    resource = WRITABLE[stream]
    (field,) = (field for field in resource.write_spec.fields if field.column == column)
    return NestedValues().to_wire(field, value, resource.schema["properties"][column], column)


def lines(**component: Any) -> list[dict[str, Any]]:
    return [{"line_title": "Visit", "line_components": [{"title": "Filter", **component}]}]


@pytest.mark.parametrize(
    ("component", "sent"),
    [
        ({"quantity": 2, "unit_price": Decimal("10.5")}, {"quantity": "2", "unit_price": "10.5"}),
        ({"quantity": "1,000.00", "unit_price": "$1,234.50"}, {"quantity": "1000.00", "unit_price": "1234.50"}),
        ({"unit_price": Decimal("0.30000000000000004")}, {"unit_price": "0.3000"}),
        ({"unit_price": "5", "taxable": "t", "id": "7.0"}, {"unit_price": "5", "taxable": True, "id": 7}),
        ({"unit_price": 0, "unit_cost": "4.00"}, {"unit_price": "0", "unit_cost": "4.00"}),
        ({"unit_price": None, "sku": None}, {"unit_price": None, "sku": None}),
        ({"unit_price": "9", "price": "9", "color": "red"}, {"unit_price": "9", "price": "9", "color": "red"}),
    ],
    ids=repr,
)
def test_numbers_and_booleans_of_a_line_are_sent_in_the_form_of_the_api(component: Any, sent: Any) -> None:
    """Keys that are not documented are sent as they are."""
    assert wire("invoices", "line_items", lines(**component)) == lines(**sent)


COMPONENT = "line_items[0].line_components[0]"
PLACES = "it has more than 4 decimal places, which FieldPulse would round"
ZERO = "it would count as 0.00"


@pytest.mark.parametrize(
    ("stream", "column", "value", "message"),
    [
        ("invoices", "line_items", {"title": "Filter"}, "line_items is of type dict; a list is expected"),
        ("invoices", "line_items", ["Filter"], "line_items[0] is text of 6 characters; an object is expected"),
        (
            "estimates",
            "line_items",
            [{"line_components": "Filter"}],
            "line_items[0].line_components is text of 6 characters; a list is expected",
        ),
        (
            "invoices",
            "line_items",
            lines(quantity="two"),
            f"{COMPONENT}.quantity is text of 3 characters; a number is expected",
        ),
        ("invoices", "line_items", lines(title=["Filter"]), f"{COMPONENT}.title is of type list; text is expected"),
        (
            "invoices",
            "line_items",
            lines(unit_price="1.23456"),
            f"{COMPONENT}.unit_price is text of 7 characters; {PLACES}",
        ),
        (
            "invoices",
            "line_items",
            lines(quantity=2, price=Decimal("9.50")),
            f"{COMPONENT} has an amount in `price` and none in `unit_price`: {ZERO}",
        ),
        (
            "estimates",
            "line_items",
            lines(unit_price="0.00", Rate="$95.00"),
            f"{COMPONENT} has an amount in `Rate` and none in `unit_price`: {ZERO}",
        ),
        (
            "invoices",
            "line_items",
            [{"title": "Filter", "quantity": 1, "unit_price": 5}],
            f"line_items[0] has an amount in `unit_price` and none in `line_components`: {ZERO}",
        ),
        (
            "invoices",
            "line_items",
            [{"line_title": "Visit", "parts": [{"title": "Filter", "unit_price": "9.50"}]}],
            f"line_items[0] has an amount in `parts` and none in `line_components`: {ZERO}",
        ),
        (
            "purchase_orders",
            "items",
            [{"id": 1, "quantity": 2, "price": "3.00"}],
            f"items[0] has an amount in `price` and none in `unit_cost`: {ZERO}",
        ),
        (
            "jobs",
            "assignments",
            [{"user_id": "ada"}],
            "assignments[0].user_id is text of 3 characters; a whole number is expected",
        ),
    ],
)
def test_a_list_of_another_shape_is_refused_with_the_place(stream: str, column: str, value: Any, message: str) -> None:
    """So is a line that would be worth nothing only because of the name of its amount."""
    with pytest.raises(RecordInvalid) as caught:
        wire(stream, column, value)
    assert caught.value.what == message
    assert caught.value.where == f"field {column}"


INVOICES = schema_message("invoices", "external_id", "customer_id", "title", "line_items")


def test_an_invoice_is_created_with_its_total_or_not_at_all(
    sandbox: Sandbox, target_config: Config, tmp_path: Path
) -> None:
    """The form is in the message, and a key that is not documented is named once."""
    required = {"customer_id": sandbox.rows("customers")[0]["id"], "title": "Visit"}
    before = len(sandbox.rows("invoices"))
    text = singer_lines(
        INVOICES,
        record_message("invoices", external_id="a", **required, line_items=lines(quantity=2, price=9.5)),
        record_message("invoices", external_id="b", **required, line_items=lines(quantity=2, unit_price=9.5, note="x")),
        record_message("invoices", external_id="c", **required, line_items=json.dumps(lines(unit_price=1, note="y"))),
    )
    result = run_target(target_config, text, tmp_path)
    assert result.counts == {"created": 2, "rejected": 1}
    assert "put the amount into `unit_price`" in result.stderr
    assert "price is sent as it is" not in result.stderr
    assert result.stderr.count("line_items[].line_components[].note is sent as it is") == 1
    totals = sorted(row["total"] for row in sandbox.rows("invoices")[before:])
    assert totals == ["1.00", "19.00"]
    assert newest_row(sandbox, "invoices")["line_items"][0]["line_components"][0]["quantity"] in ("1", "2")


def test_the_form_of_a_line_is_in_the_message() -> None:
    """A line of other systems has its price itself; FieldPulse's has parts."""
    with pytest.raises(RecordInvalid) as caught:
        wire("invoices", "line_items", [{"title": "Filter", "unit_price": 5}])
    assert caught.value.hint == "put the amount into `line_components: [{unit_price}]`"
