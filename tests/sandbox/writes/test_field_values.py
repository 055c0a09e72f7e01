"""The stored form of written values, where it differs from the written form."""

from __future__ import annotations

from typing import Any

import pytest

from fieldpulse_api.resources.catalogue import BY_NAME
from fieldpulse_sandbox.sandbox import Sandbox
from fieldpulse_sandbox.schema.table_shapes import BASE_CLASS
from tests.sandbox.bodies import minimal, paths
from tests.sandbox.client import SandboxClient


def _created(sandbox: Sandbox, client: SandboxClient, name: str, body: dict[str, Any]) -> Any:
    resource = BY_NAME[name]
    return client("POST", paths(sandbox, resource)[0], minimal(sandbox, resource) | body)


@pytest.mark.parametrize(
    ("name", "column", "value", "cell"),
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
    sandbox: Sandbox, client: SandboxClient, name: str, column: str, value: Any, cell: Any
) -> None:
    """Amounts have two places, unit prices four, quantities no trailing zeros; stock is a number (verified)."""
    assert _created(sandbox, client, name, {column: value}).rows[column] == cell


@pytest.mark.parametrize("value", ["1,5", "NaN", "1_000", "ten", "1e99", True, [1], "1" * 13])
def test_an_invalid_decimal_is_refused(sandbox: Sandbox, client: SandboxClient, value: Any) -> None:
    """Only plain numbers of a realistic size are accepted."""
    response = _created(sandbox, client, "payments", {"amount": value})
    assert (response.status, response.json["errors"]) == (400, ["The amount must be a number."])


@pytest.mark.parametrize("value", ["2026-02-30", "2026-5-1", "2026-05-15 13:00:00", 1_795_000_000, "1795000000"])
def test_a_plain_date_has_one_form(sandbox: Sandbox, client: SandboxClient, value: Any) -> None:
    """`install_date` is a day without a time (verified)."""
    response = _created(sandbox, client, "assets", {"install_date": value})
    assert response.json["errors"] == ["The install date does not match the format Y-m-d."]


@pytest.mark.parametrize("value", ["customer", BASE_CLASS + "Customer"])
def test_object_types_are_accepted_short_or_as_classes(sandbox: Sandbox, client: SandboxClient, value: str) -> None:
    """The sources conflict. A row has the class; a definition of a custom field has the short name."""
    assert _created(sandbox, client, "locations", {"object_type": value}).rows["object_type"] == BASE_CLASS + "Customer"
    assert (
        _created(sandbox, client, "comments", {"commentable_type": value}).rows["commentable_type"].endswith("Customer")
    )
    assert _created(sandbox, client, "custom_fields", {"object": value}).rows["object"] == "customer"


def test_a_comment_refers_to_a_row_of_its_type(sandbox: Sandbox, client: SandboxClient) -> None:
    """An id of another type is refused, also if a PUT changes only assignment of the two columns."""
    job, task = sandbox.rows("jobs")[0]["id"], sandbox.rows("subtasks")[0]["id"]
    refused = (400, ["The selected commentable id is invalid."])
    wrong = _created(sandbox, client, "comments", {"commentable_id": job, "commentable_type": "subtasks"})
    assert (wrong.status, wrong.json["errors"]) == refused
    created = _created(sandbox, client, "comments", {"commentable_id": task, "commentable_type": "subtasks"}).rows
    assert created["commentable_type"] == BASE_CLASS + "Subtask"
    for body in ({"commentable_id": job}, {"commentable_type": "job"}):
        moved = client("PUT", f"/comments/{created['id']}", body)
        assert (moved.status, moved.json["errors"]) == refused
    both = {"commentable_id": job, "commentable_type": "job"}
    assert client("PUT", f"/comments/{created['id']}", both).rows["commentable_id"] == job


def test_a_field_may_read_back_under_another_name(sandbox: Sandbox, client: SandboxClient) -> None:
    """Assets are written with `location` and read with `location_description` (API facts 4.18)."""
    created = _created(sandbox, client, "assets", {"location": "Attic", "location_description": "Cellar"}).rows
    assert created["location_description"] == "Attic"
    assert "location" not in created
    after = client("PUT", f"/assets/{created['id']}", {"location_description": "Cellar"}).rows
    assert after["location_description"] == "Attic"


def test_undocumented_columns_are_written(sandbox: Sandbox, client: SandboxClient) -> None:
    """Computed columns and values of a wrong type are ignored."""
    value = {"external_id": "crm-1", "import_id": 7, "qbo_id": "55", "tags_string": "x"}
    row = _created(sandbox, client, "items", value).rows
    assert (row["external_id"], row["import_id"], row["qbo_id"]) == ("crm-1", 7, "55")
    job = _created(
        sandbox, client, "jobs", {"type": "visit", "is_visible": "x", "tags_string": "x", "status_log": 1}
    ).rows
    assert (job["type"], job["is_visible"], job["tags_string"]) == ("visit", True, None)
    document = _created(sandbox, client, "invoices", {"total": "9.00", "amount_paid": "9.00"}).rows
    assert (document["total"], document["amount_paid"]) == ("0.00", "0.00")


def test_ids_of_tags_and_crews_are_numbers(sandbox: Sandbox, client: SandboxClient) -> None:
    """Ids may be sent as text; rows have numbers, and no tag twice."""
    tag, user, team = (sandbox.rows(name)[0]["id"] for name in ("tags", "users", "teams"))
    crew = [{"user_id": str(user), "team_id": team}]
    created = _created(sandbox, client, "projects", {"tags": [str(tag), tag], "assignments": crew}).rows
    (assignment,) = created["assignments"]
    assert created["tags"] == [tag]
    assert (assignment["user_id"], assignment["team_id"], assignment["assignable_id"]) == (user, team, created["id"])
    assert assignment["id"]
    response = _created(sandbox, client, "projects", {"assignments": [{"user_id": team}]})
    assert response.json["errors"] == ["The selected assignments.0.user_id is invalid."]


def test_fields_without_a_column_are_checked(sandbox: Sandbox, client: SandboxClient) -> None:
    """`job_ids` of an asset must name jobs; no response has them."""
    job = sandbox.rows("jobs")[0]["id"]
    assert _created(sandbox, client, "assets", {"job_ids": [99]}).json["errors"] == [
        "The selected job_ids.0 is invalid."
    ]
    created = _created(sandbox, client, "assets", {"job_ids": [job]})
    assert created.status == 201
    assert "job_ids" not in created.rows


def test_two_tags_may_share_a_title(sandbox: Sandbox, client: SandboxClient) -> None:
    """Uniqueness is not documented, so that a test can detect a duplicate create."""
    body = {"title": "VIP", "type": "customer", "color": "#007abe"}
    numbers = {client("POST", "/tags", body).rows["id"] for _ in range(2)}
    assert len(numbers) == 2
    assert len([row for row in sandbox.rows("tags") if row["title"] == "VIP"]) == 3


def test_a_deleted_customer_leaves_its_jobs(sandbox: Sandbox, client: SandboxClient) -> None:
    """Jobs keep its id and can be updated; a new job cannot refer to it."""
    job = next(row for row in sandbox.rows("jobs") if row["customer_id"])
    again = {key: job[key] for key in ("customer_id", "job_type", "billing")}
    assert client("DELETE", f"/customers/{job['customer_id']}").status == 200
    after = client("PUT", f"/jobs/{job['id']}", again | {"subtitle": "Later"})
    assert (after.status, after.rows["customer_id"], after.rows["customer"]) == (200, job["customer_id"], None)
    assert client("POST", "/jobs", again).json["errors"] == ["The selected customer id is invalid."]
