"""Records with several faults, and the setting that leaves an invalid value out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fieldpulse_sandbox.sandbox import Sandbox
from tests.harness.messages import record_message, schema_message, singer_lines
from tests.harness.target_runner import run_target
from tests.target.shared import newest_row, row_by_id, write_requests

Config = dict[str, Any]

CUSTOMERS = schema_message(
    *("customers", "external_id", "id", "first_name", "email", "phone", "status", "tags", "custom_fields"),
    *("assigned_to", "assigned_to_email", "lead_source_id", "notes", "alt_email", "has_different_billing_address"),
)
DROP = {"invalid_fields": "drop"}


def send(config: Config, folder: Path, **values: Any) -> Any:
    return run_target(config, singer_lines(CUSTOMERS, record_message("customers", **values)), folder)


def test_a_rejection_names_all_faults_of_a_record_and_its_key(
    sandbox: Sandbox, target_config: Config, tmp_path: Path
) -> None:
    """Fields, references and custom fields. No value is in the message."""
    values = {
        "email": "no address",
        "status": "Leed",
        "assigned_to_email": "nobody@example.com",
        "custom_fields": {"Number of units": "many"},
    }
    result = send(target_config, tmp_path, external_id="k1", first_name="Ada", **values)
    assert result.counts == {"rejected": 1}
    (line,) = (line for line in result.stderr.splitlines() if "rejected: customers" in line)
    assert "k1" in line
    assert "4 faults: (1) assigned_to_email: no row of `users` has this e-mail address; (2) email is" in line
    assert "(3) status is text of 4 characters; allowed: lead, " in line
    assert (
        "(4) custom_fields.Number of units is text of 4 characters; a number like 1234.5 or 1,234.50 is expected"
        in line
    )
    assert "(fields assigned_to_email, email, status, custom_fields.Number of units)" in line
    assert not {"no address", "Leed", "nobody@", "many"} & set(line.replace('"', " ").split())


def test_custom_fields_that_are_no_object_are_a_fault_like_others(
    sandbox: Sandbox, target_config: Config, tmp_path: Path
) -> None:
    """The other faults are named beside it."""
    result = send(target_config, tmp_path, external_id="k1", first_name="Ada", custom_fields="Gate code", status="x")
    assert "2 faults: (1) status is text of 1 characters" in result.stderr
    assert "(2) custom_fields is text of 9 characters; an object of names and values is expected" in result.stderr


def test_the_list_of_faults_is_bounded(sandbox: Sandbox, target_config: Config, tmp_path: Path) -> None:
    """Five are described."""
    values = {"email": "x", "alt_email": "x", "phone": "x", "status": "x", "has_different_billing_address": "x"}
    result = send(target_config, tmp_path, external_id="k1", first_name="Ada", **values, assigned_to="x")
    assert "6 faults: (1)" in result.stderr
    assert "(5)" in result.stderr
    assert "; and 1 more" in result.stderr


def test_all_missing_required_fields_are_named(sandbox: Sandbox, target_config: Config, tmp_path: Path) -> None:
    """With the properties that could stand for them."""
    schema = schema_message("jobs", "external_id", "notes")
    result = run_target(target_config, singer_lines(schema, record_message("jobs", external_id="j")), tmp_path)
    assert "customer_id is required to create, or customer_external_id" in result.stderr
    assert "job_type is required to create" in result.stderr


@pytest.mark.parametrize("key", ["external_id", "id"])
def test_a_dropped_value_costs_only_itself(sandbox: Sandbox, target_config: Config, tmp_path: Path, key: str) -> None:
    """It is counted and named. The right value is sent when it comes, and what was written before stays."""
    row = sandbox.rows("customers")[0]
    own = {"external_id": "k1"} if key == "external_id" else {"id": row["id"]}
    config = target_config | DROP | {"report_path": str(tmp_path / "report.json")}
    bad = {"first_name": "Ada", "notes": "New", "phone": "call me", "custom_fields": {"Number of units": "many"}}
    first = send(config, tmp_path, **own, **bad)
    assert first.counts == ({"created": 1} if key == "external_id" else {"updated": 1})
    written = newest_row(sandbox, "customers") if key == "external_id" else row_by_id(sandbox, "customers", row["id"])
    assert (written["notes"], written["phone"]) == ("New", None if key == "external_id" else row["phone"])
    assert "left out: customers" in first.stderr
    assert "phone is text of 7 characters; a phone number is expected" in first.stderr
    left_out = "phone 1, custom_fields.Number of units 1"
    assert f"customers: values left out (setting invalid_fields): {left_out}" in first.stderr
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["values"]["dropped"] == {"customers": {"phone": 1, "custom_fields.Number of units": 1}}

    sent = write_requests(sandbox)
    again = send(config, tmp_path, **own, **bad)
    assert (again.counts, write_requests(sandbox)) == ({"unchanged": 1}, sent)
    assert "phone 1" in again.stderr

    right = {**bad, "phone": "214-555-0199", "custom_fields": {"Number of units": 12}}
    assert send(config, tmp_path, **own, **right).counts == {"updated": 1}
    after = row_by_id(sandbox, "customers", written["id"])
    assert after["phone"] == "214-555-0199"
    assert "12" in [entry["value"] for entry in after["customfields"]]
    assert send(config, tmp_path, **own, **bad).counts == {"unchanged": 1}
    assert row_by_id(sandbox, "customers", written["id"])["phone"] == "214-555-0199"


@pytest.mark.parametrize(
    "values",
    [{"email": "no address"}, {"assigned_to_email": "nobody@example.com"}, {"assigned_to": "x"}, {"tags": "VIP,Big"}],
    ids=str,
)
def test_what_decides_about_rows_is_never_dropped(
    sandbox: Sandbox, target_config: Config, tmp_path: Path, values: Config
) -> None:
    """A reference, a list, and a field by which a new customer is matched: without it, there might be two."""
    result = send(target_config | DROP, tmp_path, external_id="k1", first_name="Ada", **values)
    assert result.counts == {"rejected": 1}
    assert write_requests(sandbox) == []


def test_required_fields_and_amounts_are_never_dropped(sandbox: Sandbox, target_config: Config, tmp_path: Path) -> None:
    """A payment without its amount, or an item without its price, is not what the record says."""
    payments = schema_message("payments", "external_id", "invoice_id", "amount")
    items = schema_message("items", "external_id", "name", "default_unit_price")
    invoice = sandbox.rows("invoices")[0]["id"]
    text = singer_lines(
        payments,
        record_message("payments", external_id="p", invoice_id=invoice, amount="8.255"),
        items,
        record_message("items", external_id="i", name="Filter", default_unit_price="1,5"),
    )
    assert run_target(target_config | DROP, text, tmp_path).counts == {"rejected": 2}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"assigned_to": "ada"}, "assigned_to is text of 3 characters; FieldPulse ids are positive whole numbers"),
        ({"assigned_to": "ada"}, "put the name into assigned_to_email"),
        ({"tags": "VIP,Landlord"}, 'and not a name; put your list into JSON, like ["VIP", "Landlord"]'),
        ({"tags": ["Vlp"]}, "or set create_missing_references: [tags]"),
    ],
    ids=str,
)
def test_a_wrong_reference_says_what_to_do(
    sandbox: Sandbox, target_config: Config, tmp_path: Path, values: Config, message: str
) -> None:
    """The advice is for the property that is wrong."""
    result = send(target_config, tmp_path, external_id="k1", first_name="Ada", **values)
    assert result.counts == {"rejected": 1}
    assert message in result.stderr


def test_a_list_in_one_text_creates_no_row_of_that_name(
    sandbox: Sandbox, target_config: Config, tmp_path: Path
) -> None:
    """Also where missing tags are created. A name with a comma is clear in a list."""
    config = target_config | {"create_missing_references": ["tags"]}
    assert send(config, tmp_path, external_id="k1", first_name="Ada", tags="VIP,Landlord").counts == {"rejected": 1}
    assert send(config, tmp_path, external_id="k1", first_name="Ada", tags=["Dallas, TX"]).counts == {"created": 1}
    assert newest_row(sandbox, "tags")["title"] == "Dallas, TX"


def test_a_wrong_customer_id_names_the_property_for_a_key(
    sandbox: Sandbox, target_config: Config, tmp_path: Path
) -> None:
    """`external_id` is the key of the record itself."""
    schema = schema_message("jobs", "external_id", "customer_id", "job_type")
    record = record_message("jobs", external_id="j", customer_id="c-9", job_type="Tune-up")
    result = run_target(target_config, singer_lines(schema, record), tmp_path)
    assert "put your own key into customer_external_id" in result.stderr
