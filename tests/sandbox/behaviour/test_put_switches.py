"""What the live API may do with a PUT otherwise: nulls, empty texts, names that are needed again."""

from __future__ import annotations

from typing import Any

import pytest

from fieldpulse_sandbox.sandbox import Sandbox
from tests.sandbox.client import SandboxClient


def _put(box: Sandbox, ask: SandboxClient, body: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """PUT this to a customer that has everything; return it before and after."""
    row = next(row for row in box.rows("customers") if row["assigned_to"] and row["email"] and row["phone"])
    reply = ask("PUT", f"/customers/{row['id']}", body)
    assert reply.status == 200, reply.json
    return row, reply.rows


@pytest.mark.parametrize("column", ["assigned_to", "email", "tags", "has_different_billing_address"])
@pytest.mark.parametrize(("switch", "is_kept"), [("ignore", True), ("empty", True), ("clear", False)])
def test_an_explicit_null_is_ignored_or_clears(
    box: Sandbox, ask: SandboxClient, switch: Any, is_kept: bool, column: str
) -> None:
    """Cleared, a column is what it is in a row where nobody set it."""
    box.behaviour.put_null = switch
    everything = {"tags": [box.rows("tags")[0]["id"]], "has_different_billing_address": True}
    before = _put(box, ask, everything)[1]
    unset = {"tags": [], "has_different_billing_address": False}.get(column)
    after = _put(box, ask, {column: None})[1]
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
    box: Sandbox, ask: SandboxClient, null: Any, empty: bool, is_kept: bool
) -> None:
    """By default '' is a value of a text column, of any kind of text."""
    box.behaviour.put_null, box.behaviour.put_empty_clears = null, empty
    before, after = _put(box, ask, {"email": "", "phone": "", "notes": "Moved."})
    kept = (before["email"], before["phone"], "Moved.")
    assert (after["email"], after["phone"], after["notes"]) == (kept if is_kept else ("", "", "Moved."))


@pytest.mark.parametrize(("switch", "is_kept"), [("ignore", True), ("empty", True), ("clear", False)])
def test_an_empty_text_is_a_null_where_no_text_is(box: Sandbox, ask: SandboxClient, switch: Any, is_kept: bool) -> None:
    """A column of ids holds no text, so '' does what null does (assumed)."""
    box.behaviour.put_null = switch
    before, after = _put(box, ask, {"assigned_to": ""})
    assert after["assigned_to"] == (before["assigned_to"] if is_kept else None)


@pytest.mark.parametrize("name", ["first_name", "last_name", "display_name"])
def test_customers_may_need_a_name_on_every_update(box: Sandbox, ask: SandboxClient, name: str) -> None:
    """By default a PUT needs none; with the switch one of the three is enough, and other resources need nothing."""
    customer, tag = (box.rows(one)[0] for one in ("customers", "tags"))
    path = f"/customers/{customer['id']}"
    assert ask("PUT", path, {"notes": "x"}).status == 200
    box.behaviour.names_required_on_put = ("customers",)
    reply = ask("PUT", path, {"notes": "y"})
    assert reply.status == 400
    assert reply.json["errors"][0].startswith("The first name field is required when none of")
    assert ask("PUT", path, {"notes": "y", name: "Nova"}).status == 200
    assert ask("PUT", f"/tags/{tag['id']}", {"color": "#000000"}).status == 200


def test_a_contact_stays_with_the_customer_of_its_path(box: Sandbox, ask: SandboxClient) -> None:
    """The path says whose a contact is; a customer_id in the body changes nothing."""
    first, second = (row["id"] for row in box.rows("customers")[:2])
    path = f"/customers/{first}/customer-contact"
    made = ask("POST", path, {"first_name": "Nova", "customer_id": second}).rows
    assert made["customer_id"] == first
    after = ask("PUT", f"{path}/{made['id']}", {"last_name": "Testperson", "customer_id": second}).rows
    assert (after["customer_id"], after["last_name"]) == (first, "Testperson")
