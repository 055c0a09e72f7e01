"""Columns beyond those of the lists: custom fields, labels of codes, and details by id."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from fieldpulse_api.resources.catalogue import RESOURCES
from fieldpulse_sandbox.faults.fault import Fault
from fieldpulse_sandbox.sandbox import Sandbox
from tap_fieldpulse.tap import TapFieldPulse
from tests.harness.tap_runner import run_tap, select_streams

Config = dict[str, Any]
WITH_VALUES = [resource.name for resource in RESOURCES if resource.custom_field_object]


def definition(sandbox: Sandbox, name: str) -> dict[str, Any]:
    return next(row for row in sandbox.rows("custom_fields") if row["name"] == name)


def test_every_stream_with_custom_fields_emits_them_typed_and_named(shared: Sandbox) -> None:
    """The lists of jobs and material lists contain values only if a parameter requests them."""
    config = {"api_key": shared.key, "api_url": shared.url, "rate_limit_store": "memory", "requests_per_second": 50}
    emitted = run_tap(config, *WITH_VALUES)
    for name in WITH_VALUES:
        properties = emitted.schemas[name]["properties"]["custom_fields"]["properties"]
        assert properties, name
        assert all(set(record["custom_fields"]) == set(properties) for record in emitted.records[name])
        assert any(any(record["custom_fields"].values()) for record in emitted.records[name]), name
    jobs = emitted.records["jobs"]
    assert {type(record["custom_fields"]["crew_size"]) for record in jobs} == {int, type(None)}
    misfits = [(record["unexpected_fields"] or {}).get("custom_fields.crew_size") for record in jobs]
    assert "about 3" in misfits
    assert {record["custom_fields"]["ladder_needed"] for record in emitted.records["jobs"]} >= {True, False, None}


def test_the_raw_values_are_emitted_in_both_modes(sandbox: Sandbox, config: Config) -> None:
    """The mode `typed` adds a property, and `raw` does not."""
    typed, raw = (run_tap(config | {"custom_fields": how}, "customers") for how in ("typed", "raw"))
    assert [record["customfields"] for record in typed.records["customers"]] == [
        record["customfields"] for record in raw.records["customers"]
    ]
    assert "custom_fields" not in raw.records["customers"][0]
    assert "custom_fields" not in raw.schemas["customers"]["properties"]


def test_a_run_with_a_catalog_keeps_its_columns_and_logs_each_change_once(
    sandbox: Sandbox, config: Config, caplog: pytest.LogCaptureFixture
) -> None:
    """Values of renamed, retyped and new fields are emitted, and the schema announces them."""
    catalog = select_streams(TapFieldPulse(config=dict(config)), ["customers"])
    sandbox.store.patch("custom_fields", definition(sandbox, "Gate code")["id"], {"name": "Door code"})
    sandbox.store.patch("custom_fields", definition(sandbox, "Number of units")["id"], {"field_widget_id": 3})
    sandbox.store.create("custom_fields", {"name": "Brand new", "object": "customer", "field_widget_id": 1})
    before = run_tap(config, catalog=copy.deepcopy(catalog))
    announced = before.schemas["customers"]["properties"]["custom_fields"]["properties"]
    assert {"gate_code", "number_of_units", "brand_new"} <= set(announced)
    assert "door_code" not in announced
    assert announced["number_of_units"]["type"] == ["number", "null"]
    assert all(set(record["custom_fields"]) == set(announced) for record in before.records["customers"])
    warnings = [record.getMessage() for record in caplog.records if "since the catalog was made" in record.getMessage()]
    assert len(warnings) == 3


def test_values_are_named_by_field_id_if_the_definitions_cannot_be_read(sandbox: Sandbox, config: Config) -> None:
    """The plan of an account may not allow reading the definitions (API facts 4.9). The run continues."""
    sandbox.add_fault(Fault("error_status", path="/custom-fields", status=404, times=99))
    emitted = run_tap(config, "customers")
    field_id = definition(sandbox, "Gate code")["id"]
    unexpected = [record["unexpected_fields"] or {} for record in emitted.records["customers"]]
    assert any(f"custom_fields.field_{field_id}" in values for values in unexpected)


def test_a_stream_without_custom_fields_does_not_read_the_definitions(sandbox: Sandbox, config: Config) -> None:
    """A run every five minutes should send few requests."""
    catalog = select_streams(TapFieldPulse(config={}, validate_config=False), ["tags"])
    run_tap(config, catalog=catalog)
    assert {request.path for request in sandbox.requests} == {"/tags"}


@pytest.mark.parametrize("add_labels", [True, False])
def test_labels_of_codes_are_emitted_if_the_setting_is_on(shared: Sandbox, add_labels: bool) -> None:
    """The schema announces a label, and it is null if the code is unknown."""
    config = {"api_key": shared.key, "api_url": shared.url, "rate_limit_store": "memory", "add_labels": add_labels}
    emitted = run_tap(config, "jobs", "invoices", "payments", "users")
    for name, label in {"jobs": "status", "invoices": "status", "payments": "method", "users": "role"}.items():
        assert (f"{label}_label" in emitted.schemas[name]["properties"]) is add_labels
        assert all((f"{label}_label" in record) is add_labels for record in emitted.records[name])
    if add_labels:
        assert {(record["status"], record["status_label"]) for record in emitted.records["jobs"]} >= {
            (1, "New"),
            (4, "Completed"),
        }
        assert {(record["method"], record["method_label"]) for record in emitted.records["payments"]} >= {
            ("cash", "Cash")
        }


def test_an_unknown_code_has_a_null_label_and_is_logged(
    sandbox: Sandbox, config: Config, caplog: pytest.LogCaptureFixture
) -> None:
    """Invoices with status -1 were observed, and their meaning is unknown."""
    sandbox.store.patch("invoices", sandbox.rows("invoices")[0]["id"], {"status": -1})
    emitted = run_tap(config | {"add_labels": True}, "invoices")
    assert [record["status_label"] for record in emitted.records["invoices"] if record["status"] == -1] == [None]
    assert "codes without a known label: status -1 (1)" in caplog.text


def test_the_schema_describes_the_codes() -> None:
    """The descriptions do not depend on the setting."""
    described = {resource.name: resource.schema["properties"] for resource in RESOURCES}
    assert "4 Completed" in described["jobs"]["status"]["description"]
    assert "6 Void" in described["estimates"]["status"]["description"]
    assert "5 Limited" in described["users"]["role"]["description"]


def test_details_are_read_only_for_emitted_rows(sandbox: Sandbox, config: Config) -> None:
    """A first run reads all rows by id, the next run only the changed rows."""
    config |= {"detail_streams": ["jobs"]}
    first = run_tap(config, "jobs")
    assert all(record["status_log"] and "total_price" in record for record in first.records["jobs"])
    request_count = len([request for request in sandbox.requests if request.path.startswith("/jobs/4")])
    assert request_count == len(sandbox.rows("jobs"))
    changed = sandbox.rows("jobs")[3]["id"]
    sandbox.store.update("jobs", changed, {"subtitle": "Changed"})
    sandbox.requests.clear()
    second = run_tap(config, "jobs", state=first.state)
    assert changed in second.ids("jobs")
    assert (
        len([request for request in sandbox.requests if request.path.startswith("/jobs/4")])
        == len(second.ids("jobs"))
        <= 3
    )


def test_a_row_that_is_deleted_before_its_details_are_read_is_emitted_from_the_list(
    sandbox: Sandbox, config: Config
) -> None:
    """The row existed when the list was read."""
    deleted_id = sandbox.rows("jobs")[0]["id"]
    sandbox.add_fault(Fault("error_status", path=f"/jobs/{deleted_id}", status=404, times=9))
    records = run_tap(config | {"detail_streams": ["jobs"]}, "jobs").records["jobs"]
    assert [record for record in records if "status_log" not in record] == [
        record for record in records if record["id"] == deleted_id
    ]


def test_a_trimmed_catalog_stays_trimmed_and_is_logged(
    sandbox: Sandbox, config: Config, caplog: pytest.LogCaptureFixture
) -> None:
    """Only announced columns are emitted, and labels that the settings request are added."""
    catalog = select_streams(TapFieldPulse(config={}, validate_config=False), ["jobs"])
    entry = next(each for each in catalog["streams"] if each["tap_stream_id"] == "jobs")
    columns = ("id", "status", "updated_at")
    entry["schema"]["properties"] = {name: entry["schema"]["properties"][name] for name in columns}
    entry["metadata"] = [
        metadata
        for metadata in entry["metadata"]
        if not metadata["breadcrumb"] or metadata["breadcrumb"][-1] in columns
    ]
    emitted = run_tap(config | {"add_labels": True}, catalog=catalog)
    wanted = {*columns, "status_label", "custom_fields"}
    assert set(emitted.schemas["jobs"]["properties"]) == wanted
    assert all(set(record) == wanted for record in emitted.records["jobs"])
    assert "The catalog lacks columns" in caplog.text


def test_labels_are_not_selected_if_the_user_deselected_columns(sandbox: Sandbox, config: Config) -> None:
    """The catalog is older than the setting, and has columns that are deselected."""
    catalog = select_streams(TapFieldPulse(config={}, validate_config=False), ["jobs"])
    entry = next(each for each in catalog["streams"] if each["tap_stream_id"] == "jobs")
    for metadata in entry["metadata"]:
        if metadata["breadcrumb"]:
            metadata["metadata"]["selected"] = metadata["breadcrumb"][-1] in ("id", "subtitle")
    emitted = run_tap(config | {"add_labels": True}, catalog=catalog)
    assert all(set(record) == {"id", "subtitle", "updated_at"} for record in emitted.records["jobs"])
    assert set(emitted.schemas["jobs"]["properties"]) == {"id", "subtitle", "updated_at"}
