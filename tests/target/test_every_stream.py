"""Every writable stream: created once, changed by one request, deleted."""

from __future__ import annotations

from typing import Any

import pytest

from fieldpulse_api.resources.catalogue import WRITABLE
from fieldpulse_api.resources.model import Resource
from fieldpulse_sandbox.sandbox import Sandbox
from tests.harness.messages import record_message, schema_message, singer_lines
from tests.harness.target_runner import run_target

Config = dict[str, Any]
Record = dict[str, Any]

RECORDS: dict[str, Record] = {
    "tags": {"title": "Reverse", "type": "customer", "color": "#102030"},
    "asset_categories": {"title": "Heat pumps"},
    "custom_fields": {"name": "Deposit", "object": "job", "field_widget_id": 2},
    "customers": {"first_name": "Every", "email": "Every@EXAMPLE.com", "phone": "(214) 555-0110", "tags": ["Reverse"]},
    "customer_contacts": {"customer_external_id": "customers", "first_name": "Con", "phone": "214 555 0111"},
    "locations": {"customer_external_id": "customers", "title": "Site", "city": "Dallas", "is_main_location": True},
    "projects": {"customer_external_id": "customers", "name": "Roof", "completion_percentage": 5},
    "jobs": {
        "customer_external_id": "customers",
        "project_external_id": "projects",
        "location_external_id": "locations",
        "customer_contact_external_id": "customer_contacts",
        "job_type": "Repair",
        "start_time": "2026-05-01T10:00:00-05:00",
    },
    "subtasks": {"job_external_id": "jobs", "title": "Ladder", "due_date": "2026-05-02T00:00:00Z"},
    "comments": {"subtask_external_id": "subtasks", "text": "Bring two"},
    "timesheets": {
        "job_external_id": "jobs",
        "clock_in_title": "Start",
        "clock_in_time": "2026-05-01T15:00:00Z",
        "type": "job",
    },
    "estimates": {"customer_external_id": "customers", "title": "Offer", "status": "Estimate"},
    "invoices": {
        "customer_external_id": "customers",
        "job_external_id": "jobs",
        "title": "Bill",
        "status": "Draft",
        "line_items": [
            {"line_title": "Work", "line_components": [{"title": "Hour", "quantity": "1", "unit_price": "90"}]}
        ],
    },
    "payments": {
        "invoice_external_id": "invoices",
        "amount": 90.5,
        "payment_date": "2026-05-03T12:00:00Z",
        "method": "cash",
    },
    "items": {"name": "Filter", "sku": "F-1", "default_unit_price": 12.5, "is_active": True},
    "material_lists": {"title": "Van", "job_external_id": "jobs"},
    "purchase_orders": {
        "title": "Parts",
        "job_external_id": "jobs",
        "order_phone": "+1 214 555 0112",
        "tax_rate": 8.25,
    },
    "assets": {
        "customer_external_id": "customers",
        "title": "Furnace",
        "asset_category": "heat pumps",
        "location": "Attic",
    },
}
"""A record for each stream, parents first; its external id is the stream's name."""
CHANGES: dict[str, Record] = {
    "tags": {"color": "#405060"},
    "asset_categories": {"title": "Pumps"},
    "custom_fields": {"position": 3},
    "customers": {"notes": "Changed"},
    "customer_contacts": {"notes": "Changed"},
    "locations": {"city": "Austin"},
    "projects": {"description": "Changed"},
    "jobs": {"notes": "Changed"},
    "subtasks": {"description": "Changed"},
    "comments": {"text": "Changed"},
    "timesheets": {"clock_out_time": "2026-05-01T17:00:00Z"},
    "estimates": {"notes": "Changed"},
    "invoices": {"notes": "Changed"},
    "payments": {"notes": "Changed"},
    "items": {"default_unit_cost": 3.5},
    "material_lists": {"notes": "Changed"},
    "purchase_orders": {"comment": "Changed"},
    "assets": {"model": "Changed"},
}
WRITTEN = [resource for resource in WRITABLE.values() if not resource.write_spec.target_resource]
SHOWN: dict[tuple[str, str], Any] = {
    ("customers", "email"): "Every@example.com",
    ("customer_contacts", "phone"): "+12145550111",
    ("jobs", "start_time"): "2026-05-01 15:00:00",
    ("payments", "amount"): "90.50",
    ("payments", "payment_date"): "2026-05-03 12:00:00",
    ("items", "default_unit_price"): "12.5000",
    ("purchase_orders", "order_phone"): "+12145550112",
    ("locations", "object_type"): "App\\Http\\Api\\Core\\Models\\BaseCustomer",
    ("comments", "commentable_type"): "App\\Http\\Api\\Core\\Models\\BaseSubtask",
    ("assets", "location_description"): "Attic",
    ("invoices", "status"): 4,  # its payment has set it
}


def messages(sandbox: Sandbox, *, only: str | None = None, **more: Record) -> str:
    """Return a message for each stream, or for one, with more in some of the records."""
    parts = []
    for stream, values in RECORDS.items():
        known = {"external_id": stream, **values, **more.get(stream, {})}
        known |= {"user_id": sandbox.rows("users")[0]["id"]} if stream == "timesheets" else {}
        if only in (None, stream):
            parts += [schema_message(stream, *known), record_message(stream, **known)]
    return singer_lines(*parts)


def written(sandbox: Sandbox, since: int) -> list[str]:
    return [f"{request.method} {request.path}" for request in sandbox.requests[since:] if request.method != "GET"]


def newest(sandbox: Sandbox, stream: str) -> Record:
    return max(sandbox.rows(stream), key=lambda row: int(row["id"]))


def test_every_writable_stream_has_a_sample_record() -> None:
    """A resource that is added to the catalogue is added here."""
    assert sorted(RECORDS) == sorted(CHANGES) == sorted(resource.name for resource in WRITTEN)


@pytest.fixture(scope="module")
def all_streams(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Write every record once, in one run, and once more."""
    folder = tmp_path_factory.mktemp("all_streams")
    with Sandbox(customers=30) as sandbox:
        config = {
            "api_key": sandbox.key,
            "api_url": sandbox.url,
            "rate_limit_store": "memory",
            "ledger_url": f"sqlite:///{folder}/ledger.db",
            "rejects_path": str(folder / "rejects.singer"),
            "hard_delete": True,
        }
        first = run_target(config, messages(sandbox), folder)
        since = len(sandbox.requests)
        second = run_target(config, messages(sandbox), folder)
        yield sandbox, config, folder, (first, second, written(sandbox, since))


def test_every_record_is_created_once(all_streams: Any) -> None:
    """In one run, with parents referred to by external_id. The same records again send nothing."""
    _, _, _, (first, second, sent) = all_streams
    assert (first.counts, first.status) == ({"created": len(WRITTEN)}, 0), first.said
    assert (second.counts, sent) == ({"unchanged": len(WRITTEN)}, [])


@pytest.mark.parametrize(("stream", "column"), SHOWN, ids=map(".".join, SHOWN))
def test_values_are_sent_in_the_documented_form(all_streams: Any, stream: str, column: str) -> None:
    """Times as UNIX seconds, money as text, phone numbers as E.164, short object types, codes for labels."""
    sandbox, *_ = all_streams
    assert newest(sandbox, stream)[column] == SHOWN[stream, column]


@pytest.mark.parametrize("resource", WRITTEN, ids=lambda resource: resource.name)
def test_a_changed_field_costs_one_put_with_that_field(all_streams: Any, resource: Resource) -> None:
    """Plus the fields that the API requires. Changes that others made in FieldPulse stay."""
    sandbox, config, folder, _ = all_streams
    since, before = len(sandbox.requests), newest(sandbox, resource.name)
    stamped = {"updated_at", "search_text", "total", "subtotal"}
    change = {resource.name: CHANGES[resource.name]}
    result = run_target(config, messages(sandbox, only=resource.name, **change), folder)
    assert result.counts == {"updated": 1}, result.stderr
    (sent,) = written(sandbox, since)
    assert sent.startswith("PUT ")
    after = next(row for row in sandbox.rows(resource.name) if row["id"] == before["id"])
    differing = {name for name in after if after[name] != before.get(name)} - stamped
    assert differing <= {*CHANGES[resource.name], "related_record_names", "settings"}
    assert differing


def test_a_deleted_record_deletes_its_row(all_streams: Any) -> None:
    """In any order. Items cannot be deleted, and are rejected. The same records again are unchanged."""
    sandbox, config, folder, _ = all_streams
    gone = {stream: {"_sdc_deleted_at": "2026-05-04T00:00:00Z"} for stream in RECORDS}
    since = len(sandbox.requests)
    result = run_target(config, messages(sandbox, **gone), folder)
    assert result.counts == {"deleted": len(WRITTEN) - 1, "rejected": 1}, result.stderr
    assert "FieldPulse cannot delete rows of `items`" in result.stderr
    assert all(request.startswith("DELETE ") for request in written(sandbox, since))
    since = len(sandbox.requests)
    again = run_target(config, messages(sandbox, **gone), folder)
    assert again.counts == {"unchanged": len(WRITTEN) - 1, "rejected": 1}
    assert written(sandbox, since) == []
    assert not any(row["title"] == "Reverse" for row in sandbox.rows("tags"))
