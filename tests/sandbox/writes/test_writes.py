"""What creates, updates and deletes accept, refuse and change."""

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
def box() -> Any:
    """Start a sandbox whose clock stands still after the seeded year."""
    with Sandbox(customers=20, clock=lambda: NOW) as box:
        yield box


@pytest.mark.parametrize("method", ["POST", "PUT"])
@pytest.mark.parametrize("name", ["customer_id", "job_type", "billing"])
def test_a_job_needs_three_fields_on_every_write(box: Sandbox, ask: SandboxClient, method: str, name: str) -> None:
    """Each of them is required on create and again on each PUT (D)."""
    job = box.rows("jobs")[0]
    body = {key: job[key] for key in ("customer_id", "job_type", "billing") if key != name}
    reply = ask(method, "/jobs" if method == "POST" else f"/jobs/{job['id']}", body)
    words = name.replace("_", " ")
    assert (reply.status, reply.json) == (400, {"error": True, "errors": [f"The {words} field is required."]})


def test_a_refused_body_stores_nothing(box: Sandbox, ask: SandboxClient) -> None:
    """All problems are reported at once, and no row appears."""
    before = box.rows("jobs")
    reply = ask("POST", "/jobs", {"status": 9})
    assert len(reply.json["errors"]) == 4
    assert box.rows("jobs") == before


@pytest.mark.parametrize(
    ("shape", "status", "body"),
    [
        ("422", 422, {"message": "The job type field is required."}),
        ("200", 200, {"error": True, "response": None, "errors": ["The job type field is required."]}),
    ],
)
def test_validation_has_two_other_shapes(
    box: Sandbox, ask: SandboxClient, shape: Any, status: int, body: dict[str, Any]
) -> None:
    """Laravel's 422 names the fields; an error may also come in a 200."""
    box.behaviour.validation_status = shape
    customer = box.rows("customers")[0]["id"]
    reply = ask("POST", "/jobs", {"customer_id": customer, "billing": 1})
    assert reply.status == status
    assert body.items() <= reply.json.items()
    if shape == "422":
        assert reply.json["errors"] == {"job_type": ["The job type field is required."]}


def test_create_may_answer_200(box: Sandbox, ask: SandboxClient) -> None:
    """The status of a create is a switch."""
    box.behaviour.create_status = 200
    assert ask("POST", "/customers", BODIES["customers"]).status == 200


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
        ({"first_name": "N", "locations": [{"city": "Testville"}]}, "The locations.0.object_type field is required."),
    ],
)
def test_a_bad_customer_is_refused(ask: SandboxClient, body: dict[str, Any], problem: str) -> None:
    """Names, mail, limits, enums, kinds and references are checked."""
    reply = ask("POST", "/customers", body)
    assert reply.status == 400
    assert len(reply.json["errors"]) == 1
    assert reply.json["errors"][0].startswith(problem)


def test_an_unknown_customer_is_refused_everywhere(ask: SandboxClient) -> None:
    """A customer_id must name a live customer, also where nothing else is checked."""
    for path, body in (("/jobs", BODIES["jobs"]), ("/projects", {"name": "x"}), ("/estimates", {})):
        reply = ask("POST", path, body | {"customer_id": 99})
        assert (reply.status, reply.json["errors"]) == (400, ["The selected customer id is invalid."])


def test_a_display_name_without_a_name_is_unique(ask: SandboxClient) -> None:
    """Two nameless customers cannot share a display name; named ones can (D)."""
    assert ask("POST", "/customers", {"display_name": "Mock Bakery"}).status == 201
    assert ask("POST", "/customers", {"display_name": "Mock Bakery"}).json["errors"] == [
        "The display name has already been taken."
    ]
    assert ask("POST", "/customers", {"display_name": "Mock Bakery", "first_name": "Nova"}).status == 201


@pytest.mark.parametrize("given", [1_794_000_000, "1794000000", "2026-11-06 21:20:00", "2026-11-06T21:20:00Z"])
def test_times_are_taken_in_any_form_and_stored_bare(box: Sandbox, ask: SandboxClient, given: Any) -> None:
    """UNIX seconds (D) and text (O) both end up as text without a zone."""
    body = BODIES["jobs"] | {"customer_id": box.rows("customers")[0]["id"], "start_time": given}
    assert ask("POST", "/jobs", body).rows["start_time"] == "2026-11-06 21:20:00"


def test_a_put_merges_and_stamps(box: Sandbox, ask: SandboxClient) -> None:
    """Only the keys present change, and updated_at; '' is a value of a text."""
    row = next(row for row in box.rows("customers") if row["email"] and row["phone"])
    ask("PUT", f"/customers/{row['id']}", {"email": "", "notes": "Moved."})
    after = next(one for one in box.rows("customers") if one["id"] == row["id"])
    changed = {key for key in row if row[key] != after[key]}
    assert changed == {"email", "notes", "updated_at"}
    assert (after["email"], after["updated_at"]) == ("", bare(NOW))


def test_a_change_is_seen_in_the_list_at_once(box: Sandbox, ask: SandboxClient) -> None:
    """What was kept of a row is not answered after a write: neither its JSON nor its place."""
    newest = {"raw": {"sort[0][attribute]": "updated_at", "sort[0][order]": "desc"}, "limit": 1}
    row = box.rows("customers")[3]
    assert ask.get("/customers", **newest).ids != [row["id"]]
    ask("PUT", f"/customers/{row['id']}", {"notes": "Seen."})
    first = ask.get("/customers", **newest).rows[0]
    assert (first["id"], first["notes"]) == (row["id"], "Seen.")


def test_a_pipeline_move_is_stamped(box: Sandbox, ask: SandboxClient) -> None:
    """A PUT of another pipeline_status_id stamps pipeline_status_updated_at; the same one does not."""
    stages = [row["id"] for row in box.rows("pipeline_statuses")]
    row = next(row for row in box.rows("customers") if row["pipeline_status_id"])
    stages.remove(row["pipeline_status_id"])
    same = ask("PUT", f"/customers/{row['id']}", {"pipeline_status_id": row["pipeline_status_id"]}).rows
    assert same["pipeline_status_updated_at"] == row["pipeline_status_updated_at"]
    moved = ask("PUT", f"/customers/{row['id']}", {"pipeline_status_id": stages[0]}).rows
    assert (moved["pipeline_status_id"], moved["pipeline_status_updated_at"]) == (stages[0], bare(NOW))


@pytest.mark.parametrize("key", ["method", "method "])
def test_a_payment_moves_its_invoice(box: Sandbox, ask: SandboxClient, key: str) -> None:
    """Creating and deleting a payment changes the amounts; the vendor's `"method "` is taken as well."""
    invoice = next(row for row in box.rows("invoices") if Decimal(row["amount_unpaid"]) > 1)
    path = f"/invoices/{invoice['id']}"
    made = ask("POST", "/payments", {"invoice_id": invoice["id"], "amount": "1.1", key: "cash"}).rows
    assert (made["amount"], made["method"], made["customer_id"]) == ("1.10", "cash", invoice["customer_id"])
    after = ask.get(path).rows
    assert Decimal(after["amount_paid"]) == Decimal(invoice["amount_paid"]) + Decimal("1.10")
    assert Decimal(after["amount_paid"]) + Decimal(after["amount_unpaid"]) == Decimal(after["total"])
    assert after["payments"][-1]["id"] == made["id"]
    ask("DELETE", f"/payments/{made['id']}")
    assert ask.get(path).rows["amount_paid"] == invoice["amount_paid"]


def test_a_purchase_order_takes_both_spellings_of_tax_rate(ask: SandboxClient) -> None:
    """`"tax_rate "` is in the vendor's example."""
    for key in ("tax_rate", "tax_rate "):
        assert ask("POST", "/purchase-orders", {"title": "Parts", key: "8.25"}).rows["tax_rate"] == "8.25"


def test_types_are_written_short_and_read_as_classes(box: Sandbox, ask: SandboxClient) -> None:
    """Object types differ between write and read (V)."""
    job = box.rows("jobs")[0]["id"]
    made = ask("POST", "/comments", {"text": "x", "commentable_id": job, "commentable_type": "job"}).rows
    assert made["commentable_type"] == BASE_CLASS + "Job"


def test_inline_locations_become_rows(box: Sandbox, ask: SandboxClient) -> None:
    """A customer's main location in its body is a row of /locations and is embedded in the customer."""
    place = {"object_type": "customer", "address_1": "9 Proof Hill Dr", "city": "Testville", "is_main_location": True}
    made = ask("POST", "/customers", BODIES["customers"] | {"locations": [place]}).rows
    assert made["main_location"]["object_id"] == made["id"]
    assert ask.get(f"/locations/{made['main_location']['id']}").rows["address_1"] == "9 Proof Hill Dr"
    again = ask("PUT", f"/customers/{made['id']}", {"locations": [place | {"city": "Mockport"}]}).rows
    assert (again["main_location"]["id"], again["main_location"]["city"]) == (made["main_location"]["id"], "Mockport")


def test_assignments_are_written_without_a_column_that_the_row_lacks(box: Sandbox, ask: SandboxClient) -> None:
    """Projects, material lists and subtasks take assignments; only jobs count them."""
    crew = {"assignments": [{"user_id": box.rows("users")[0]["id"]}]}
    for name in ("projects", "material_lists", "subtasks"):
        resource = BY_NAME[name]
        made = ask("POST", resource.create_path or resource.path, minimal(box, resource) | crew).rows
        assert made["assignments"][0]["assignable_id"] == made["id"]
        assert "assignment_count" not in made


def test_the_two_statuses_of_a_job_move_together(box: Sandbox, ask: SandboxClient) -> None:
    """Status 4 brings the completed status_id and completed_at; a status_id brings its status."""
    job = next(row for row in box.rows("jobs") if row["status"] == 1)
    resent = {key: job[key] for key in ("customer_id", "job_type", "billing")}
    done = ask("PUT", f"/jobs/{job['id']}", resent | {"status": 4}).rows
    statuses = {row["type"]: row["id"] for row in box.rows("job_statuses")}
    assert done["status_id"] == statuses["completed"]
    assert done["completed_at"].endswith(".000000Z")
    assert ask("PUT", f"/jobs/{job['id']}", resent | {"status_id": statuses["travel_time"]}).rows["status"] == 6


def test_a_renamed_customer_is_renamed_in_its_invoices(box: Sandbox, ask: SandboxClient) -> None:
    """Invoices embed their customer; its change shows there without a stamp on the invoice."""
    invoice = box.rows("invoices")[0]
    ask("PUT", f"/customers/{invoice['customer_id']}", {"display_name": "Renamed"})
    after = ask.get(f"/invoices/{invoice['id']}").rows
    assert (after["customer"]["display_name"], after["updated_at"]) == ("Renamed", invoice["updated_at"])


@pytest.mark.parametrize("raw", ["[1]", '"text"'])
def test_a_body_that_is_no_object_is_refused(box: Sandbox, ask: SandboxClient, raw: str) -> None:
    """A list or a text is no body."""
    reply = ask("POST", "/tags", [1] if raw == "[1]" else "text")
    assert (reply.status, list(reply.json)) == (400, ["message"])
