"""Line items of estimates and invoices: ids, totals, prices."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from fieldpulse_sandbox.sandbox import Sandbox
from tests.sandbox.client import SandboxClient

PART = {"quantity": "2", "unit_price": "10.5"}
both = pytest.mark.parametrize("name", ["estimates", "invoices"])


def _create(sandbox: Sandbox, client: SandboxClient, name: str = "invoices", **body: Any) -> Any:
    lines = {"line_items": [{"line_components": [PART, PART]}, {"line_components": [PART]}]}
    return client("POST", f"/{name}", {"customer_id": sandbox.rows("customers")[0]["id"]} | lines | body)


def _update(client: SandboxClient, invoice: dict[str, Any], *lines: Any) -> Any:
    return client("PUT", f"/invoices/{invoice['id']}/price-update", {"line_items": list(lines)})


@both
def test_line_items_determine_the_total(sandbox: Sandbox, client: SandboxClient, name: str) -> None:
    """The amounts follow from the components, less the discount, plus the tax."""
    created = _create(sandbox, client, name).rows
    assert (created["subtotal"], created["total"], created["amount_unpaid"]) == ("63.000000", "63.00", "63.00")
    after = client("PUT", f"/{name}/{created['id']}", {"discount": "13", "tax_rate": "10"}).rows
    assert (after["subtotal"], after["subtotal_discounted"]) == ("63.000000", "50.000000")
    assert (after["tax"], after["total"], after["service_price"]) == ("5.00", "55.00", "55.00")


@both
def test_lines_and_components_get_ids_and_the_form_of_live_rows(
    sandbox: Sandbox, client: SandboxClient, name: str
) -> None:
    """Each has a unique id and every key of live rows; an id that is sent stays."""
    seeded = sandbox.rows(name)[0]["line_items"][0]
    created = _create(sandbox, client, name).rows["line_items"]
    parts = [part for line in created for part in line["line_components"]]
    assert [line["line_number"] for line in created] == [0, 1]
    assert len({element["id"] for element in (*created, *parts)}) == 5
    assert set(created[0]) == set(seeded)
    assert set(parts[0]) == set(seeded["line_components"][0])
    assert (parts[0]["quantity"], parts[0]["unit_price"], parts[0]["unit_cost"]) == ("2", "10.5000", "0.0000")
    resent = _create(sandbox, client, name, line_items=created).rows["line_items"]
    assert resent == created


def test_new_prices_change_components_and_totals(sandbox: Sandbox, client: SandboxClient) -> None:
    """Only the named components change, in the sent prices, and the amounts follow."""
    created = _create(sandbox, client).rows
    first, second = created["line_items"]
    part = first["line_components"][0]
    prices = {"id": part["id"], "unit_cost": "3", "unit_price": 20}
    cost = {"id": second["line_components"][0]["id"], "unit_cost": "1.5"}
    response = _update(
        client,
        created,
        {"id": str(first["id"]), "line_components": [prices]},
        {"id": second["id"], "line_components": [cost]},
    )
    assert (response.status, response.rows["id"]) == (200, created["id"])
    lines = client.get(f"/invoices/{created['id']}").rows["line_items"]
    assert lines == response.rows["line_items"]
    assert lines[0]["line_components"][0] == part | {"unit_cost": "3.0000", "unit_price": "20.0000"}
    assert lines[0]["line_components"][1] == first["line_components"][1]
    assert lines[1]["line_components"][0] == second["line_components"][0] | {"unit_cost": "1.5000"}
    assert (response.rows["total"], response.rows["amount_unpaid"]) == ("82.00", "82.00")


def test_new_prices_keep_the_amount_paid(sandbox: Sandbox, client: SandboxClient) -> None:
    """The unpaid amount is the new total less the payments."""
    invoice = next(row for row in sandbox.rows("invoices") if Decimal(row["amount_paid"]) > 0)
    line = invoice["line_items"][0]
    part = line["line_components"][0]
    change = {"id": line["id"], "line_components": [{"id": part["id"], "unit_price": "99999"}]}
    after = _update(client, invoice, change).rows
    assert after["amount_paid"] == invoice["amount_paid"]
    assert Decimal(after["total"]) == Decimal(after["amount_paid"]) + Decimal(after["amount_unpaid"])


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"id": 99}, "The selected line_items.0.id is invalid."),
        ({"id": None}, "The line_items.0.id field is required."),
        ({"line_components": None}, "The line_items.0.line_components field is required."),
        ({"line_components": "x"}, "The line_items.0 must be an array."),
        ({"line_components": [{"id": 99}]}, "The selected line_items.0.line_components.0.id is invalid."),
        ({"line_components": [{"unit_price": "1"}]}, "The selected line_items.0.line_components.0.id is invalid."),
        ({"line_components": [{"unit_price": "x"}]}, "The line_items.0.line_components.0.unit_price must be a number."),
    ],
)
def test_prices_of_unknown_lines_are_refused(
    sandbox: Sandbox, client: SandboxClient, change: dict[str, Any], problem: str
) -> None:
    """An unknown line or component, or a price that is not a number, changes nothing."""
    created = _create(sandbox, client).rows
    line = {key: created["line_items"][0][key] for key in ("id", "line_components")}
    response = _update(client, created, line | change)
    assert (response.status, response.json["errors"]) == (400, [problem])
    assert client.get(f"/invoices/{created['id']}").rows == created


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        ("x", "The not optional line items must be an array."),
        (["x"], "The line_items.0 must be an array."),
        ([{"line_components": ["x"]}], "The line_items.0 must be an array."),
        (
            [{"line_components": [{"quantity": "two"}]}],
            "The line_items.0.line_components.0.quantity must be a number.",
        ),
    ],
)
def test_invalid_lines_are_refused(sandbox: Sandbox, client: SandboxClient, lines: Any, problem: str) -> None:
    """Lines are objects, with components whose numbers are numbers."""
    response = _create(sandbox, client, line_items=lines)
    assert (response.status, response.json["errors"]) == (400, [problem])
