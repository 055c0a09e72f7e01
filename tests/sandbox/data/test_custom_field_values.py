"""Custom values with their definitions: which requests return them, and what they contain."""

from __future__ import annotations

from typing import Any

import pytest

from fieldpulse_api.resources.catalogue import BY_NAME
from fieldpulse_sandbox.data.custom_field_values import DEFINITIONS_KEY, PARAMETERS
from fieldpulse_sandbox.sandbox import Sandbox
from tests.sandbox.client import SandboxClient

asking = pytest.mark.parametrize(("name", "parameter"), PARAMETERS.items())
COLUMNS = ("id", "company_id", "field_instance_id", "value", "created_at", "updated_at")


def _expected(sandbox: Sandbox, name: str, number: int) -> list[dict[str, Any]]:
    fields = {
        row["id"]: {key: row[key] for key in ("id", "name", "field_widget_id")} for row in sandbox.rows("custom_fields")
    }
    values = sandbox.store.get(name, number)["customfields"]
    return [value | {"custom_field": fields[value["field_instance_id"]]} for value in values]


def _with_value(sandbox: Sandbox, name: str) -> dict[str, Any]:
    return next(row for row in sandbox.store.tables[name].rows.values() if row["customfields"])


def test_the_parameters_are_the_documented_ones() -> None:
    """Jobs and material lists use different parameters (documented)."""
    assert PARAMETERS == {"jobs": "with_custom_fields", "material_lists": "withCustomfieldsAndRelatedData"}


@asking
def test_a_list_returns_values_with_definitions_on_request(read: SandboxClient, name: str, parameter: str) -> None:
    """Each value has id, name and widget of its definition; the rest of the row does not change."""
    path = BY_NAME[name].path
    asked = read.get(path, limit=100, raw={parameter: "true"}).rows
    plain = read.get(path, limit=100).rows
    assert [row.pop(DEFINITIONS_KEY) for row in asked] == [_expected(read.sandbox, name, row["id"]) for row in plain]
    assert asked == plain


@asking
def test_some_rows_have_values_and_some_an_empty_array(read: SandboxClient, name: str, parameter: str) -> None:
    """Each entry has the columns of a value, its owner and its definition."""
    values_of_rows = [
        row[DEFINITIONS_KEY] for row in read.get(BY_NAME[name].path, limit=100, raw={parameter: "true"}).rows
    ]
    assert [] in values_of_rows
    owner = f"{name.removesuffix('s')}_id"
    entries = [entry for values in values_of_rows for entry in values]
    assert entries
    assert all(set(entry) == {*COLUMNS, owner, "custom_field"} for entry in entries)


@asking
@pytest.mark.parametrize("value", ["false", "", "no", None])
def test_a_list_returns_no_values_without_the_parameter(
    read: SandboxClient, name: str, parameter: str, value: str | None
) -> None:
    """Without the parameter, with another value, or with that of another list, rows have no values."""
    others = {other: "true" for other in PARAMETERS.values() if other != parameter}
    query = others if value is None else {parameter: value}
    for row in read.get(BY_NAME[name].path, limit=100, raw=query).rows:
        assert not {DEFINITIONS_KEY, "customfields"} & set(row)


@pytest.mark.parametrize("path", ["/customers", "/invoices", "/items", "/projects", "/assets"])
def test_other_lists_return_values_without_parameters(read: SandboxClient, path: str) -> None:
    """They return `customfields` without names (verified), and ignore the parameters."""
    for row in read.get(path, limit=100, raw=dict.fromkeys(PARAMETERS.values(), "true")).rows:
        assert DEFINITIONS_KEY not in row
        assert all("custom_field" not in value and "name" not in value for value in row["customfields"])


@asking
def test_a_row_by_id_returns_values_on_request(read: SandboxClient, name: str, parameter: str) -> None:
    """The same parameter returns the same array by id."""
    row = _with_value(read.sandbox, name)
    path = str(BY_NAME[name].item_path).format(**row)
    asked = read.get(path, raw={parameter: "true"}).rows
    assert asked.pop(DEFINITIONS_KEY) == _expected(read.sandbox, name, row["id"])
    assert asked == read.get(path).rows


def test_a_material_list_returns_its_values_only_on_request(sandbox: Sandbox, client: SandboxClient) -> None:
    """No other response has `customfields` of one: not by id, not to a write or a delete. A job has them by id."""
    field = next(row["id"] for row in sandbox.rows("custom_fields") if row["object"] == "material_list")
    body = {"customfields": [{"field_instance_id": field, "value": "South"}]}
    made = client("POST", "/material-list", body | {"title": "Kit"})
    path = f"/material-list/{made.rows['id']}"
    asked = client.get(path, withCustomfieldsAndRelatedData="true").rows
    assert [value["value"] for value in asked[DEFINITIONS_KEY]] == ["South"]
    for response in (made, client.get(path), client("PUT", path, body), client("DELETE", path)):
        assert "title" in response.rows
        assert "customfields" not in response.rows
    job = _with_value(sandbox, "jobs")
    assert client.get(f"/jobs/{job['id']}").rows["customfields"] == job["customfields"]


@asking
def test_a_definition_is_returned_in_its_current_state(
    sandbox: Sandbox, client: SandboxClient, name: str, parameter: str
) -> None:
    """A new name appears in rows that were read before; a deleted definition is null (assumed)."""
    row = _with_value(sandbox, name)
    field = row["customfields"][0]["field_instance_id"]

    def definition() -> Any:
        rows = client.get(BY_NAME[name].path, limit=100, raw={parameter: "true"}).rows
        return next(listed[DEFINITIONS_KEY][0]["custom_field"] for listed in rows if listed["id"] == row["id"])

    before = definition()
    client("PUT", f"/custom-fields/{field}", {"name": "Renamed"})
    assert definition() == before | {"name": "Renamed"}
    sandbox.store.delete("custom_fields", field)
    assert definition() is None


def test_a_written_value_is_returned_at_once(sandbox: Sandbox, client: SandboxClient) -> None:
    """The list does not return a cached row."""
    job = _with_value(sandbox, "jobs")
    field = job["customfields"][0]["field_instance_id"]

    def current_values() -> dict[int, str]:
        rows = client.get("/jobs", limit=100, with_custom_fields="true").rows
        values = next(row[DEFINITIONS_KEY] for row in rows if row["id"] == job["id"])
        return {value["field_instance_id"]: value["value"] for value in values}

    before = current_values()
    resent = {key: job[key] for key in ("customer_id", "job_type", "billing")}
    client("PUT", f"/jobs/{job['id']}", resent | {"customfields": [{"field_instance_id": field, "value": "fresh"}]})
    assert current_values() == before | {field: "fresh"}
