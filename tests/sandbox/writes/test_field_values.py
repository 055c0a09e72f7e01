"""The form in which a written value is stored, where that is not the form in which it came."""

from __future__ import annotations

from typing import Any

import pytest

from fieldpulse_api.resources.catalogue import BY_NAME
from fieldpulse_sandbox.sandbox import Sandbox
from fieldpulse_sandbox.schema.table_shapes import BASE_CLASS
from tests.sandbox.bodies import minimal, paths
from tests.sandbox.client import SandboxClient


def _created(box: Sandbox, ask: SandboxClient, name: str, body: dict[str, Any]) -> Any:
    resource = BY_NAME[name]
    return ask("POST", paths(box, resource)[0], minimal(box, resource) | body)


@pytest.mark.parametrize(
    ("name", "column", "given", "cell"),
    [
        ("payments", "amount", "270", "270.00"),
        ("payments", "amount", 1.1, "1.10"),
        ("payments", "amount", "-5.005", "-5.01"),
        ("invoices", "discount", 5, "5.00"),
        ("invoices", "tax_rate", "9.5", "9.50"),
        ("invoices", "tax_rate", "8.375", "8.375"),
        ("items", "default_unit_price", "200", "200.0000"),
        ("items", "default_unit_cost", 80.5, "80.5000"),
        ("items", "unit_cost_per_unit_measure", "0.12345", "0.1235"),
        ("items", "default_quantity", "1.0", "1"),
        ("items", "quantity_available", "12", 12),
        ("items", "minimum_order_quantity", "2.50", "2.5"),
        ("projects", "completion_percentage", 40, "40"),
        ("purchase_orders", "tax_rate", "8.25", "8.25"),
    ],
)
def test_decimals_are_text_with_the_places_of_their_column(
    box: Sandbox, ask: SandboxClient, name: str, column: str, given: Any, cell: Any
) -> None:
    """Amounts have two places, unit prices four, quantities as few as they can; stock is a number (V)."""
    assert _created(box, ask, name, {column: given}).rows[column] == cell


@pytest.mark.parametrize("given", ["1,5", "NaN", "1_000", "ten", "1e99", True, [1], "1" * 13])
def test_what_is_no_decimal_is_refused(box: Sandbox, ask: SandboxClient, given: Any) -> None:
    """Only plain numbers of a size that money has are taken."""
    reply = _created(box, ask, "payments", {"amount": given})
    assert (reply.status, reply.json["errors"]) == (400, ["The amount must be a number."])


@pytest.mark.parametrize("given", ["2026-02-30", "2026-5-1", "2026-05-15 13:00:00", 1_795_000_000, "1795000000"])
def test_a_plain_date_has_no_other_form(box: Sandbox, ask: SandboxClient, given: Any) -> None:
    """`install_date` is a day and no time (V)."""
    reply = _created(box, ask, "assets", {"install_date": given})
    assert reply.json["errors"] == ["The install date does not match the format Y-m-d."]


@pytest.mark.parametrize("given", ["customer", BASE_CLASS + "Customer"])
def test_object_types_are_taken_short_or_as_classes(box: Sandbox, ask: SandboxClient, given: str) -> None:
    """Both forms are in use (conflict); a row has the class, a definition of a custom field the short name."""
    assert _created(box, ask, "locations", {"object_type": given}).rows["object_type"] == BASE_CLASS + "Customer"
    assert _created(box, ask, "comments", {"commentable_type": given}).rows["commentable_type"].endswith("Customer")
    assert _created(box, ask, "custom_fields", {"object": given}).rows["object"] == "customer"


def test_the_row_of_a_comment_is_one_of_its_type(box: Sandbox, ask: SandboxClient) -> None:
    """An id that only another type has is refused, also when a PUT changes one of the two."""
    job, task = box.rows("jobs")[0]["id"], box.rows("subtasks")[0]["id"]
    refused = (400, ["The selected commentable id is invalid."])
    wrong = _created(box, ask, "comments", {"commentable_id": job, "commentable_type": "subtasks"})
    assert (wrong.status, wrong.json["errors"]) == refused
    made = _created(box, ask, "comments", {"commentable_id": task, "commentable_type": "subtasks"}).rows
    assert made["commentable_type"] == BASE_CLASS + "Subtask"
    for body in ({"commentable_id": job}, {"commentable_type": "job"}):
        moved = ask("PUT", f"/comments/{made['id']}", body)
        assert (moved.status, moved.json["errors"]) == refused
    both = {"commentable_id": job, "commentable_type": "job"}
    assert ask("PUT", f"/comments/{made['id']}", both).rows["commentable_id"] == job


def test_a_field_may_read_back_under_another_name(box: Sandbox, ask: SandboxClient) -> None:
    """Assets are written with `location` and read with `location_description`, which writes nothing (4.18)."""
    made = _created(box, ask, "assets", {"location": "Attic", "location_description": "Cellar"}).rows
    assert made["location_description"] == "Attic"
    assert "location" not in made
    after = ask("PUT", f"/assets/{made['id']}", {"location_description": "Cellar"}).rows
    assert after["location_description"] == "Attic"


def test_other_columns_are_taken_as_well(box: Sandbox, ask: SandboxClient) -> None:
    """What is a column is set although it is not documented; what follows from others, or does not fit, is not."""
    given = {"external_id": "crm-1", "import_id": 7, "qbo_id": "55", "tags_string": "x"}
    row = _created(box, ask, "items", given).rows
    assert (row["external_id"], row["import_id"], row["qbo_id"]) == ("crm-1", 7, "55")
    job = _created(box, ask, "jobs", {"type": "visit", "is_visible": "x", "tags_string": "x", "status_log": 1}).rows
    assert (job["type"], job["is_visible"], job["tags_string"]) == ("visit", True, None)
    document = _created(box, ask, "invoices", {"total": "9.00", "amount_paid": "9.00"}).rows
    assert (document["total"], document["amount_paid"]) == ("0.00", "0.00")


def test_ids_of_tags_and_crews_are_numbers(box: Sandbox, ask: SandboxClient) -> None:
    """Ids may come as text; rows have numbers, and no tag twice."""
    tag, user, team = (box.rows(name)[0]["id"] for name in ("tags", "users", "teams"))
    crew = [{"user_id": str(user), "team_id": team}]
    made = _created(box, ask, "projects", {"tags": [str(tag), tag], "assignments": crew}).rows
    (one,) = made["assignments"]
    assert made["tags"] == [tag]
    assert (one["user_id"], one["team_id"], one["assignable_id"]) == (user, team, made["id"])
    assert one["id"]
    reply = _created(box, ask, "projects", {"assignments": [{"user_id": team}]})
    assert reply.json["errors"] == ["The selected assignments.0.user_id is invalid."]


def test_fields_that_are_no_columns_are_checked_and_not_shown(box: Sandbox, ask: SandboxClient) -> None:
    """`job_ids` of an asset must name jobs; no answer has them."""
    job = box.rows("jobs")[0]["id"]
    assert _created(box, ask, "assets", {"job_ids": [99]}).json["errors"] == ["The selected job_ids.0 is invalid."]
    made = _created(box, ask, "assets", {"job_ids": [job]})
    assert made.status == 201
    assert "job_ids" not in made.rows


def test_two_tags_may_share_a_title(box: Sandbox, ask: SandboxClient) -> None:
    """No uniqueness is documented, so that whoever creates twice is seen to."""
    body = {"title": "VIP", "type": "customer", "color": "#007abe"}
    numbers = {ask("POST", "/tags", body).rows["id"] for _ in range(2)}
    assert len(numbers) == 2
    assert len([row for row in box.rows("tags") if row["title"] == "VIP"]) == 3


def test_a_deleted_customer_leaves_its_jobs(box: Sandbox, ask: SandboxClient) -> None:
    """They keep its id and can still be updated; a new job cannot be given to it."""
    job = next(row for row in box.rows("jobs") if row["customer_id"])
    again = {key: job[key] for key in ("customer_id", "job_type", "billing")}
    assert ask("DELETE", f"/customers/{job['customer_id']}").status == 200
    after = ask("PUT", f"/jobs/{job['id']}", again | {"subtitle": "Later"})
    assert (after.status, after.rows["customer_id"], after.rows["customer"]) == (200, job["customer_id"], None)
    assert ask("POST", "/jobs", again).json["errors"] == ["The selected customer id is invalid."]
