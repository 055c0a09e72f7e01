"""The settings `match`, `write_mode` and `external_id_fields`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fieldpulse_sandbox.faults.fault import Fault
from fieldpulse_sandbox.sandbox import Sandbox
from tests.harness.messages import record_message, schema_message, singer_lines
from tests.harness.target_runner import run_target
from tests.target.shared import CUSTOMERS, posts, row_by_id

Config = dict[str, Any]

MATCH_SETS = {"customers": [["email"], ["phone"], ["display_name"]]}


def customer(**values: Any) -> str:
    """Return the SCHEMA and the record of one customer."""
    return singer_lines(CUSTOMERS, record_message("customers", **{"external_id": "m", **values}))


@pytest.fixture
def existing_customer(sandbox: Sandbox) -> dict[str, Any]:
    """Return a customer with a unique e-mail address, phone number and display name."""
    row = sandbox.rows("customers")[3]
    values = {"email": "known@example.com", "phone": "(214) 555-0199", "display_name": "Known & Sons"}
    sandbox.store.patch("customers", row["id"], values)
    return {**row, **values}


@pytest.mark.parametrize(
    "values",
    [
        {"email": "KNOWN@example.com"},
        {"email": "other@example.com", "phone": "+1 214 555 0199"},
        {"display_name": "  known &  sons"},
    ],
    ids=["email", "phone", "name"],
)
def test_the_first_matching_set_decides(
    sandbox: Sandbox, target_config: Config, tmp_path: Path, existing_customer: Config, values: Config
) -> None:
    """The ledger links the row, so that later records update it with other values of the matched columns."""
    config = target_config | {"match": MATCH_SETS}
    assert run_target(config, customer(notes="one", **values), tmp_path).counts == {"updated": 1}
    changed = customer(email="new@example.com", phone="214 555 0100", display_name="New", notes="two")
    assert run_target(config, changed, tmp_path).counts == {"updated": 1}
    row = row_by_id(sandbox, "customers", existing_customer["id"])
    assert (row["notes"], row["email"], posts(sandbox)) == ("two", "new@example.com", [])


def test_empty_match_sets_never_match(
    sandbox: Sandbox, target_config: Config, tmp_path: Path, existing_customer: Config
) -> None:
    """Every external_id has its own row."""
    config = target_config | {"match": {"customers": []}}
    assert run_target(config, customer(first_name="K", email="known@example.com"), tmp_path).counts == {"created": 1}


@pytest.mark.parametrize(
    ("mode", "matched", "unmatched"),
    [
        ("upsert", "updated", "created"),
        ("create_only", "skipped", "created"),
        ({"customers": "update_only"}, "updated", "skipped"),
        ({"*": "create_only", "customers": "upsert"}, "updated", "created"),
    ],
    ids=str,
)
def test_the_write_mode_limits_creates_and_updates(
    target_config: Config, tmp_path: Path, existing_customer: Config, mode: Any, matched: str, unmatched: str
) -> None:
    """It applies to all streams, or by stream. Excluded records count as skipped."""
    records = (
        record_message("customers", external_id="hit", email="known@example.com", notes="x"),
        record_message("customers", external_id="miss", first_name="M", email="miss@example.com"),
    )
    counts = run_target(target_config | {"write_mode": mode}, singer_lines(CUSTOMERS, *records), tmp_path).counts
    assert counts == {matched: 1, unmatched: 1}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"match": {"customer": [["email"]]}}, "did you mean 'customers'"),
        ({"match": {"customers": [["e_mail"]]}}, "did you mean 'email'"),
        ({"match": {"customers": ["email"]}}, "match"),
        ({"write_mode": "upserts"}, "did you mean 'upsert'"),
        ({"write_mode": {"customers": "insert"}}, "allowed: upsert, create_only, update_only"),
        ({"external_id_fields": {"comments": "CRM"}}, "external_id_fields.comments"),
        ({"phone_region": "XX"}, "phone_region"),
        ({"max_creates": "many"}, "max_creates"),
        ({"max_deletes": "-5%"}, "max_deletes"),
        ({"null_policy": "wipe"}, "allowed: ignore, clear"),
    ],
    ids=str,
)
def test_an_invalid_setting_is_reported_with_the_allowed_values(
    target_config: Config, tmp_path: Path, settings: Config, message: str
) -> None:
    """The exit status is 2."""
    result = run_target(target_config | settings, customer(first_name="W"), tmp_path)
    assert result.status == 2
    assert message in result.stderr


def test_a_stored_external_id_finds_its_row_without_a_ledger(
    sandbox: Sandbox, target_config: Config, tmp_path: Path
) -> None:
    """Customers store it in a custom field, and items in a column."""
    config = target_config | {"external_id_fields": {"customers": "Gate code", "items": "external_id"}}
    text = singer_lines(
        CUSTOMERS,
        *(record_message("customers", external_id=f"crm-{n}", first_name="Twin") for n in range(3)),
        schema_message("items", "external_id", "name"),
        record_message("items", external_id="sku-1", name="Filter"),
    )
    assert run_target(config, text, tmp_path).counts == {"created": 4}
    for path in tmp_path.glob("ledger.db*"):
        path.unlink()
    assert run_target(config, text, tmp_path).counts == {"unchanged": 4}
    assert sum(row["first_name"] == "Twin" for row in sandbox.rows("customers")) == 3
    assert [row["external_id"] for row in sandbox.rows("items") if row["name"] == "Filter"] == ["sku-1"]


def test_a_stored_external_id_settles_an_uncertain_create(
    sandbox: Sandbox, target_config: Config, tmp_path: Path
) -> None:
    """It distinguishes the jobs of the run from similar jobs that another client creates at the same time."""
    create = sandbox.store.create

    def create_twice(name: str, values: dict[str, Any]) -> dict[str, Any]:
        if name == "jobs":
            create(name, {**values, "customfields": []})
        return create(name, values)

    sandbox.store.create = create_twice  # type: ignore[method-assign]  # another client of the server
    sandbox.add_fault(Fault("dropped_connection", method="POST", path="/jobs", after_commit=True, times=3))
    customer = sandbox.rows("customers")[0]["id"]
    schema = schema_message("jobs", "external_id", "customer_id", "job_type")
    jobs = [record_message("jobs", external_id=f"v{n}", customer_id=customer, job_type="Visit") for n in range(4)]
    config = target_config | {"external_id_fields": {"jobs": "Permit number"}}
    assert run_target(config, singer_lines(schema, *jobs), tmp_path).counts == {"created": 4}
    own_rows = [
        row for row in sandbox.store.tables["jobs"].rows.values() if row["job_type"] == "Visit" and row["customfields"]
    ]
    assert sorted(row["customfields"][0]["value"] for row in own_rows) == ["v0", "v1", "v2", "v3"]


def test_an_unknown_custom_field_cannot_store_external_ids(target_config: Config, tmp_path: Path) -> None:
    """The error lists the existing custom fields."""
    result = run_target(
        target_config | {"external_id_fields": {"customers": "CRM id"}}, customer(first_name="C"), tmp_path
    )
    assert result.status == 2
    assert "Gate code" in result.stderr


def test_an_account_without_custom_fields_cannot_store_external_ids(
    sandbox: Sandbox, target_config: Config, tmp_path: Path
) -> None:
    """The error names the setting, and nothing is written."""
    sandbox.behaviour.unavailable_resources = ("custom_fields",)
    config = target_config | {"external_id_fields": {"customers": "Gate code"}}
    result = run_target(config, customer(first_name="C"), tmp_path)
    assert (result.status, result.states) == (2, [])
    assert "where: setting external_id_fields.customers" in result.stderr
    assert {request.method for request in sandbox.requests} == {"GET"}
