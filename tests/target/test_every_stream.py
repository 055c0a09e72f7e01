"""Creates, updates and deletes of every writable stream."""

from __future__ import annotations

from typing import Any

import pytest

from fieldpulse_api.resources.catalogue import WRITABLE
from fieldpulse_api.resources.model import Resource
from fieldpulse_sandbox.sandbox import Sandbox
from tests.harness.messages import record_message, schema_message, singer_lines
from tests.harness.target_runner import run_target
from tests.target.shared import newest_row, row_by_id, write_requests

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
"""A record for each stream, parents first. Its external_id is the name of the stream."""
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
RESOURCES = [resource for resource in WRITABLE.values() if not resource.write_spec.target_resource]
STORED_VALUES: dict[tuple[str, str], Any] = {
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


def messages(sandbox: Sandbox, *, only: str | None = None, **changes: Record) -> str:
    """Return SCHEMA and RECORD of each stream, or of `only` one, with changed values by stream."""
    parts = []
    for stream, values in RECORDS.items():
        record = {"external_id": stream, **values, **changes.get(stream, {})}
        record |= {"user_id": sandbox.rows("users")[0]["id"]} if stream == "timesheets" else {}
        if only in (None, stream):
            parts += [schema_message(stream, *record), record_message(stream, **record)]
    return singer_lines(*parts)


def test_every_writable_stream_has_a_sample_record() -> None:
    """A new resource of the catalogue needs a record and a change here."""
    assert sorted(RECORDS) == sorted(CHANGES) == sorted(resource.name for resource in RESOURCES)


@pytest.fixture(scope="module")
def all_streams(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Run the target twice with the record of every stream."""
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
        yield sandbox, config, folder, (first, second, write_requests(sandbox, since))


def test_every_record_is_created_once(all_streams: Any) -> None:
    """Records refer to their parents by external_id. The second run writes nothing."""
    _, _, _, (first, second, sent) = all_streams
    assert (first.counts, first.status) == ({"created": len(RESOURCES)}, 0), first.stderr
    assert (second.counts, sent) == ({"unchanged": len(RESOURCES)}, [])


@pytest.mark.parametrize(("stream", "column"), STORED_VALUES, ids=map(".".join, STORED_VALUES))
def test_values_are_sent_in_the_documented_form(all_streams: Any, stream: str, column: str) -> None:
    """Times as UNIX seconds, money as text, phone numbers as E.164, short object types, codes for labels."""
    sandbox, *_ = all_streams
    assert newest_row(sandbox, stream)[column] == STORED_VALUES[stream, column]


@pytest.mark.parametrize("resource", RESOURCES, ids=lambda resource: resource.name)
def test_a_changed_field_costs_one_put_with_that_field(all_streams: Any, resource: Resource) -> None:
    """The body also has the fields that the API requires. No other column of the row changes."""
    sandbox, config, folder, _ = all_streams
    since, before = len(sandbox.requests), newest_row(sandbox, resource.name)
    computed_columns = {"updated_at", "search_text", "total", "subtotal"}
    change = {resource.name: CHANGES[resource.name]}
    result = run_target(config, messages(sandbox, only=resource.name, **change), folder)
    assert result.counts == {"updated": 1}, result.stderr
    (sent,) = write_requests(sandbox, since)
    assert sent.startswith("PUT ")
    after = row_by_id(sandbox, resource.name, before["id"])
    differing = {name for name in after if after[name] != before.get(name)} - computed_columns
    assert differing <= {*CHANGES[resource.name], "related_record_names", "settings"}
    assert differing


def test_a_deleted_record_deletes_its_row(all_streams: Any) -> None:
    """Parents may be deleted before children. Items cannot be deleted, so their record is rejected."""
    sandbox, config, folder, _ = all_streams
    deletions = {stream: {"_sdc_deleted_at": "2026-05-04T00:00:00Z"} for stream in RECORDS}
    since = len(sandbox.requests)
    result = run_target(config, messages(sandbox, **deletions), folder)
    assert result.counts == {"deleted": len(RESOURCES) - 1, "rejected": 1}, result.stderr
    assert "FieldPulse cannot delete rows of `items`" in result.stderr
    assert all(request.startswith("DELETE ") for request in write_requests(sandbox, since))
    since = len(sandbox.requests)
    second = run_target(config, messages(sandbox, **deletions), folder)
    assert second.counts == {"unchanged": len(RESOURCES) - 1, "rejected": 1}
    assert write_requests(sandbox, since) == []
    assert not any(row["title"] == "Reverse" for row in sandbox.rows("tags"))
