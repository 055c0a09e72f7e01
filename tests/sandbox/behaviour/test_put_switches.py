"""Switches of a PUT: null, empty text, and names that are required again."""

from __future__ import annotations

from typing import Any

import pytest

from fieldpulse_sandbox.sandbox import Sandbox
from tests.sandbox.client import SandboxClient


def _put(sandbox: Sandbox, client: SandboxClient, body: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """PUT a body to a customer with all columns set; return the row before and after."""
    row = next(row for row in sandbox.rows("customers") if row["assigned_to"] and row["email"] and row["phone"])
    response = client("PUT", f"/customers/{row['id']}", body)
    assert response.status == 200, response.json
    return row, response.rows


@pytest.mark.parametrize("column", ["assigned_to", "email", "tags", "has_different_billing_address"])
@pytest.mark.parametrize(("switch", "is_kept"), [("ignore", True), ("empty", True), ("clear", False)])
def test_an_explicit_null_is_ignored_or_clears(
    sandbox: Sandbox, client: SandboxClient, switch: Any, is_kept: bool, column: str
) -> None:
    """A cleared column holds what it holds in a row that never set it."""
    sandbox.behaviour.put_null = switch
    everything = {"tags": [sandbox.rows("tags")[0]["id"]], "has_different_billing_address": True}
    before = _put(sandbox, client, everything)[1]
    unset = {"tags": [], "has_different_billing_address": False}.get(column)
    after = _put(sandbox, client, {column: None})[1]
    assert after[column] == (before[column] if is_kept else unset)


@pytest.mark.parametrize(
    ("null", "empty", "is_kept"),
    [
        ("ignore", True, False),
        ("ignore", False, True),
        ("empty", True, False),
        ("empty", False, False),
        ("clear", True, False),
        ("clear", False, True),
    ],
)
def test_an_empty_text_clears_or_is_ignored(
    sandbox: Sandbox, client: SandboxClient, null: Any, empty: bool, is_kept: bool
) -> None:
    """By default an empty text is a value of every text column."""
    sandbox.behaviour.put_null, sandbox.behaviour.put_empty_clears = null, empty
    before, after = _put(sandbox, client, {"email": "", "phone": "", "notes": "Moved."})
    unchanged = (before["email"], before["phone"], "Moved.")
    assert (after["email"], after["phone"], after["notes"]) == (unchanged if is_kept else ("", "", "Moved."))


@pytest.mark.parametrize(("switch", "is_kept"), [("ignore", True), ("empty", True), ("clear", False)])
def test_an_empty_text_is_null_in_columns_without_text(
    sandbox: Sandbox, client: SandboxClient, switch: Any, is_kept: bool
) -> None:
    """A column of ids holds no text, so an empty text does what null does (assumed)."""
    sandbox.behaviour.put_null = switch
    before, after = _put(sandbox, client, {"assigned_to": ""})
    assert after["assigned_to"] == (before["assigned_to"] if is_kept else None)


@pytest.mark.parametrize("name", ["first_name", "last_name", "display_name"])
def test_customers_can_require_a_name_on_every_update(sandbox: Sandbox, client: SandboxClient, name: str) -> None:
    """By default a PUT requires none. With the switch it requires one of three; other resources are not affected."""
    customer, tag = (sandbox.rows(name)[0] for name in ("customers", "tags"))
    path = f"/customers/{customer['id']}"
    assert client("PUT", path, {"notes": "x"}).status == 200
    sandbox.behaviour.required_on_put = ("customers",)
    response = client("PUT", path, {"notes": "y"})
    assert response.status == 400
    assert response.json["errors"][0].startswith("The first name field is required when none of")
    assert client("PUT", path, {"notes": "y", name: "Nova"}).status == 200
    assert client("PUT", f"/tags/{tag['id']}", {"color": "#000000"}).status == 200


def test_a_contact_stays_with_the_customer_of_its_path(sandbox: Sandbox, client: SandboxClient) -> None:
    """The path names the customer of a contact; `customer_id` in the body changes nothing."""
    first, second = (row["id"] for row in sandbox.rows("customers")[:2])
    path = f"/customers/{first}/customer-contact"
    created = client("POST", path, {"first_name": "Nova", "customer_id": second}).rows
    assert created["customer_id"] == first
    after = client("PUT", f"{path}/{created['id']}", {"last_name": "Testperson", "customer_id": second}).rows
    assert (after["customer_id"], after["last_name"]) == (first, "Testperson")
