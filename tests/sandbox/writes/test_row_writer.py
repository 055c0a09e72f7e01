"""Creates, updates and deletes: what they accept, refuse and change."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from fieldpulse_api.resources.catalogue import BY_NAME
from fieldpulse_sandbox.sandbox import Sandbox
from fieldpulse_sandbox.schema.table_shapes import BASE_CLASS
from fieldpulse_sandbox.schema.timestamps import bare
from tests.sandbox.bodies import minimal
from tests.sandbox.client import SandboxClient

NOW = 1_795_000_000
BODIES: dict[str, dict[str, Any]] = {
    "customers": {"first_name": "Nova", "last_name": "Testperson"},
    "jobs": {"job_type": "Furnace tune-up", "billing": 1},
}


@pytest.fixture
def sandbox() -> Any:
    """Run a sandbox whose clock stands still after the seeded year."""
    with Sandbox(customers=20, clock=lambda: NOW) as sandbox:
        yield sandbox


@pytest.mark.parametrize("method", ["POST", "PUT"])
@pytest.mark.parametrize("name", ["customer_id", "job_type", "billing"])
def test_a_job_requires_three_fields_on_every_write(
    sandbox: Sandbox, client: SandboxClient, method: str, name: str
) -> None:
    """Each is required on create and, if the switch says so, on each PUT (documented)."""
    sandbox.behaviour.required_on_put = ("jobs",)
    job = sandbox.rows("jobs")[0]
    body = {key: job[key] for key in ("customer_id", "job_type", "billing") if key != name}
    response = client(method, "/jobs" if method == "POST" else f"/jobs/{job['id']}", body)
    words = name.replace("_", " ")
    assert (response.status, response.json) == (400, {"error": True, "errors": [f"The {words} field is required."]})


def test_a_refused_body_stores_nothing(sandbox: Sandbox, client: SandboxClient) -> None:
    """All problems are reported at once, and no row is stored."""
    before = sandbox.rows("jobs")
    response = client("POST", "/jobs", {"status": 9})
    assert len(response.json["errors"]) == 4
    assert sandbox.rows("jobs") == before


@pytest.mark.parametrize(
    ("shape", "status", "body"),
    [
        ("422", 422, {"message": "The job type field is required."}),
        ("200", 200, {"error": True, "response": None, "errors": ["The job type field is required."]}),
    ],
)
def test_a_validation_error_can_be_422_or_200(
    sandbox: Sandbox, client: SandboxClient, shape: Any, status: int, body: dict[str, Any]
) -> None:
    """Laravel's 422 names the fields; an error may also have status 200."""
    sandbox.behaviour.validation_status = shape
    customer = sandbox.rows("customers")[0]["id"]
    response = client("POST", "/jobs", {"customer_id": customer, "billing": 1})
    assert response.status == status
    assert body.items() <= response.json.items()
    if shape == "422":
        assert response.json["errors"] == {"job_type": ["The job type field is required."]}


def test_a_create_can_return_200(sandbox: Sandbox, client: SandboxClient) -> None:
    """The status of a create is a switch."""
    sandbox.behaviour.create_status = 200
    assert client("POST", "/customers", BODIES["customers"]).status == 200


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ({"email": "nova@example.com"}, "The first name field is required when none of"),
        ({"first_name": "N", "email": "nova@Example.com"}, "The email must be a valid email address."),
        ({"first_name": "N", "email": "nova"}, "The email must be a valid email address."),
        ({"first_name": "N" * 256}, "The first name may not be greater than 255 characters."),
        ({"first_name": "N", "notes": "n" * 7501}, "The notes may not be greater than 7500 characters."),
        ({"first_name": "N", "status": "customer"}, "The selected status is invalid."),
        ({"first_name": "N", "pipeline_status_id": 1}, "The selected pipeline status id is invalid."),
        ({"first_name": "N", "assigned_to": "somebody"}, "The assigned to must be an integer."),
        ({"first_name": "N", "phone": "none"}, "The phone must be a valid phone number."),
        ({"first_name": "N", "has_different_billing_address": "maybe"}, "The has different billing address field"),
        ({"first_name": "N", "tags": [1]}, "The selected tags.0 is invalid."),
        ({"first_name": "N", "tags": "VIP"}, "The tags must be an array."),
        ({"first_name": "N", "customfields": [{"value": "x"}]}, "The selected customfields.0.field_instance_id is"),
        ({"first_name": "N", "locations": ["Testville"]}, "The selected locations.0.object_type is invalid."),
    ],
)
def test_an_invalid_customer_is_refused(client: SandboxClient, body: dict[str, Any], problem: str) -> None:
    """Names, e-mail, lengths, allowed values, types and references are checked."""
    response = client("POST", "/customers", body)
    assert response.status == 400
    assert len(response.json["errors"]) == 1
    assert response.json["errors"][0].startswith(problem)


def test_an_unknown_customer_is_refused_everywhere(client: SandboxClient) -> None:
    """A `customer_id` must name a customer that is not deleted."""
    for path, body in (("/jobs", BODIES["jobs"]), ("/projects", {"name": "x"}), ("/estimates", {})):
        response = client("POST", path, body | {"customer_id": 99})
        assert (response.status, response.json["errors"]) == (400, ["The selected customer id is invalid."])


def test_a_display_name_without_a_name_is_unique(client: SandboxClient) -> None:
    """Two customers without names cannot share a display name; customers with names can (documented)."""
    assert client("POST", "/customers", {"display_name": "Mock Bakery"}).status == 201
    assert client("POST", "/customers", {"display_name": "Mock Bakery"}).json["errors"] == [
        "The display name has already been taken."
    ]
    assert client("POST", "/customers", {"display_name": "Mock Bakery", "first_name": "Nova"}).status == 201


@pytest.mark.parametrize("value", [1_794_000_000, "1794000000", "2026-11-06 21:20:00", "2026-11-06T21:20:00Z"])
def test_times_are_accepted_in_any_form_and_stored_bare(sandbox: Sandbox, client: SandboxClient, value: Any) -> None:
    """UNIX seconds (documented) and text (observed) are both stored as text without a zone."""
    body = BODIES["jobs"] | {"customer_id": sandbox.rows("customers")[0]["id"], "start_time": value}
    assert client("POST", "/jobs", body).rows["start_time"] == "2026-11-06 21:20:00"


def test_a_put_merges_and_stamps(sandbox: Sandbox, client: SandboxClient) -> None:
    """Only the keys in the body and `updated_at` change; an empty text is a value."""
    row = next(row for row in sandbox.rows("customers") if row["email"] and row["phone"])
    client("PUT", f"/customers/{row['id']}", {"email": "", "notes": "Moved."})
    after = next(listed for listed in sandbox.rows("customers") if listed["id"] == row["id"])
    changed = {key for key in row if row[key] != after[key]}
    assert changed == {"email", "notes", "updated_at"}
    assert (after["email"], after["updated_at"]) == ("", bare(NOW))


def test_a_change_appears_in_the_list_at_once(sandbox: Sandbox, client: SandboxClient) -> None:
    """A write invalidates the cached JSON of a row and the cached order."""
    newest = {"raw": {"sort[0][attribute]": "updated_at", "sort[0][order]": "desc"}, "limit": 1}
    row = sandbox.rows("customers")[3]
    assert client.get("/customers", **newest).ids != [row["id"]]
    client("PUT", f"/customers/{row['id']}", {"notes": "Seen."})
    first = client.get("/customers", **newest).rows[0]
    assert (first["id"], first["notes"]) == (row["id"], "Seen.")


def test_a_pipeline_change_is_stamped(sandbox: Sandbox, client: SandboxClient) -> None:
    """Another `pipeline_status_id` stamps `pipeline_status_updated_at`; the same id does not."""
    stages = [row["id"] for row in sandbox.rows("pipeline_statuses")]
    row = next(row for row in sandbox.rows("customers") if row["pipeline_status_id"])
    stages.remove(row["pipeline_status_id"])
    same = client("PUT", f"/customers/{row['id']}", {"pipeline_status_id": row["pipeline_status_id"]}).rows
    assert same["pipeline_status_updated_at"] == row["pipeline_status_updated_at"]
    moved = client("PUT", f"/customers/{row['id']}", {"pipeline_status_id": stages[0]}).rows
    assert (moved["pipeline_status_id"], moved["pipeline_status_updated_at"]) == (stages[0], bare(NOW))


@pytest.mark.parametrize("key", ["method", "method "])
def test_a_payment_changes_its_invoice(sandbox: Sandbox, client: SandboxClient, key: str) -> None:
    """Creating and deleting a payment changes the amounts; the vendor's `"method "` is accepted."""
    invoice = next(row for row in sandbox.rows("invoices") if Decimal(row["amount_unpaid"]) > 1)
    path = f"/invoices/{invoice['id']}"
    created = client("POST", "/payments", {"invoice_id": invoice["id"], "amount": "1.1", key: "cash"}).rows
    assert (created["amount"], created["method"], created["customer_id"]) == ("1.10", "cash", invoice["customer_id"])
    after = client.get(path).rows
    assert Decimal(after["amount_paid"]) == Decimal(invoice["amount_paid"]) + Decimal("1.10")
    assert Decimal(after["amount_paid"]) + Decimal(after["amount_unpaid"]) == Decimal(after["total"])
    assert after["payments"][-1]["id"] == created["id"]
    client("DELETE", f"/payments/{created['id']}")
    assert client.get(path).rows["amount_paid"] == invoice["amount_paid"]


def test_a_purchase_order_accepts_both_spellings_of_tax_rate(client: SandboxClient) -> None:
    """The vendor's example contains `"tax_rate "`."""
    for key in ("tax_rate", "tax_rate "):
        assert client("POST", "/purchase-orders", {"title": "Parts", key: "8.25"}).rows["tax_rate"] == "8.25"


def test_types_are_written_short_and_read_as_classes(sandbox: Sandbox, client: SandboxClient) -> None:
    """Object types differ between write and read (verified)."""
    job = sandbox.rows("jobs")[0]["id"]
    created = client("POST", "/comments", {"text": "x", "commentable_id": job, "commentable_type": "job"}).rows
    assert created["commentable_type"] == BASE_CLASS + "Job"


def test_inline_locations_become_rows(sandbox: Sandbox, client: SandboxClient) -> None:
    """A main location in a customer's body becomes a row, and is embedded in the customer."""
    place = {"object_type": "customer", "address_1": "9 Proof Hill Dr", "city": "Testville", "is_main_location": True}
    created = client("POST", "/customers", BODIES["customers"] | {"locations": [place]}).rows
    assert created["main_location"]["object_id"] == created["id"]
    assert client.get(f"/locations/{created['main_location']['id']}").rows["address_1"] == "9 Proof Hill Dr"
    updated = client("PUT", f"/customers/{created['id']}", {"locations": [place | {"city": "Mockport"}]}).rows
    assert (updated["main_location"]["id"], updated["main_location"]["city"]) == (
        created["main_location"]["id"],
        "Mockport",
    )


def test_only_jobs_count_their_assignments(sandbox: Sandbox, client: SandboxClient) -> None:
    """Projects, material lists and subtasks accept assignments without a count."""
    crew = {"assignments": [{"user_id": sandbox.rows("users")[0]["id"]}]}
    for name in ("projects", "material_lists", "subtasks"):
        resource = BY_NAME[name]
        created = client("POST", resource.create_path or resource.path, minimal(sandbox, resource) | crew).rows
        assert created["assignments"][0]["assignable_id"] == created["id"]
        assert "assignment_count" not in created


def test_the_two_statuses_of_a_job_change_together(sandbox: Sandbox, client: SandboxClient) -> None:
    """Status 4 sets the completed `status_id` and `completed_at`; a `status_id` sets its status."""
    job = next(row for row in sandbox.rows("jobs") if row["status"] == 1)
    resent = {key: job[key] for key in ("customer_id", "job_type", "billing")}
    done = client("PUT", f"/jobs/{job['id']}", resent | {"status": 4}).rows
    statuses = {row["type"]: row["id"] for row in sandbox.rows("job_statuses")}
    assert done["status_id"] == statuses["completed"]
    assert done["completed_at"].endswith(".000000Z")
    assert client("PUT", f"/jobs/{job['id']}", resent | {"status_id": statuses["travel_time"]}).rows["status"] == 6


def test_a_renamed_customer_is_renamed_in_its_invoices(sandbox: Sandbox, client: SandboxClient) -> None:
    """Invoices embed their customer; a change appears there without a stamp on the invoice."""
    invoice = sandbox.rows("invoices")[0]
    client("PUT", f"/customers/{invoice['customer_id']}", {"display_name": "Renamed"})
    after = client.get(f"/invoices/{invoice['id']}").rows
    assert (after["customer"]["display_name"], after["updated_at"]) == ("Renamed", invoice["updated_at"])


@pytest.mark.parametrize("raw", ["[1]", '"text"'])
def test_a_body_that_is_not_an_object_is_refused(sandbox: Sandbox, client: SandboxClient, raw: str) -> None:
    """A list and a text are not accepted."""
    response = client("POST", "/tags", [1] if raw == "[1]" else "text")
    assert (response.status, list(response.json)) == (400, ["message"])


def test_a_status_moves_an_estimate_to_the_invoices_and_back(sandbox: Sandbox, client: SandboxClient) -> None:
    """Both are rows of one table (observed): the row leaves one list for the other, and was not deleted."""
    estimate = sandbox.rows("estimates")[0]
    assert client("PUT", f"/estimates/{estimate['id']}", {"status": 2}).status == 200
    assert client.get(f"/estimates/{estimate['id']}").status == 404
    assert client.get(f"/invoices/{estimate['id']}").rows["customer_id"] == estimate["customer_id"]
    assert client("PUT", f"/invoices/{estimate['id']}", {"status": 1}).status == 200
    assert client.get(f"/estimates/{estimate['id']}").rows["deleted_at"] is None
    sandbox.behaviour.status_moves_documents = False
    assert client("PUT", f"/estimates/{estimate['id']}", {"status": 2}).status == 200
    assert client.get(f"/estimates/{estimate['id']}").rows["status"] == 2


def test_payments_set_the_status_of_their_invoice(sandbox: Sandbox, client: SandboxClient) -> None:
    """5 after a part, 4 after the rest; the create returns the invoice as well (observed)."""
    invoice = next(row for row in sandbox.rows("invoices") if row["amount_paid"] == "0.00" and row["total"] > "1.00")
    statuses = []
    for amount in ("1.00", f"{float(invoice['total']) - 1:.2f}"):
        response = client("POST", "/payments", {"invoice_id": invoice["id"], "amount": amount})
        statuses.append(response.json["invoice"]["status"])
    assert statuses == [5, 4]
