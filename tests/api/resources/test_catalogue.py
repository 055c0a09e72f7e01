"""The catalogue: complete, consistent, and described."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft7Validator

from fieldpulse_api.resources.catalogue import BY_NAME, RESOURCES, WRITABLE
from fieldpulse_api.resources.model import LIST_AND_GET, LIST_ONLY, Evidence, Operation, Resource, WritableResource
from fieldpulse_api.resources.write_model import FieldType

NAMES = [
    "customers",
    "customer_contacts",
    "locations",
    "jobs",
    "job_status_workflows",
    "job_statuses",
    "job_qb_classes",
    "estimate_qb_classes",
    "invoice_qb_classes",
    "subtasks",
    "comments",
    "timesheets",
    "custom_fields",
    "estimates",
    "invoices",
    "payments",
    "items",
    "material_lists",
    "purchase_orders",
    "projects",
    "contracts",
    "assets",
    "asset_categories",
    "vendors",
    "teams",
    "users",
    "tags",
    "lead_sources",
    "pipeline_statuses",
    "company_profiles",
]

each = pytest.mark.parametrize("resource", RESOURCES, ids=lambda resource: resource.name)
each_writable = pytest.mark.parametrize("resource", WRITABLE.values(), ids=lambda resource: resource.name)


def test_the_catalogue_has_every_list_of_the_api_once() -> None:
    """Thirty streams, by the names that users know."""
    assert sorted(NAMES) == sorted(BY_NAME)
    assert len({resource.path for resource in RESOURCES}) == len(RESOURCES) == 30


def test_every_documented_write_is_possible() -> None:
    """Every list with a documented create or update, and moves through the pipeline."""
    documented = [resource.name for resource in RESOURCES if not resource.is_read_only]
    assert sorted(WRITABLE) == sorted([*documented, "pipeline_statuses"])
    assert len(WRITABLE) == 19


@each
def test_a_schema_is_valid_and_every_property_is_described(resource: Resource) -> None:
    """A column without a description is of no use in a warehouse."""
    Draft7Validator.check_schema(resource.schema)
    assert [path for path, schema in _properties(resource.schema) if not schema.get("description")] == []


@each
def test_a_key_is_never_null_and_anything_else_may_be(resource: Resource) -> None:
    """Where the evidence is thin, a missing value must not stop a load."""
    properties = resource.schema["properties"]
    assert properties["id"]["type"] == "integer"
    assert [name for name, schema in properties.items() if name != "id" and "null" not in schema["type"]] == []


@each
def test_the_replication_key_is_a_time_of_the_schema(resource: Resource) -> None:
    """A bookmark needs a column that records contain."""
    if resource.updated_column:
        assert resource.schema["properties"][resource.updated_column]["format"] == "date-time"


@each_writable
def test_every_reference_and_rule_of_a_write_spec_names_something_that_exists(resource: WritableResource) -> None:
    """A reference names a stream and its column, and every rule names a field of the body."""
    write = resource.write_spec
    named = {name for name, *_ in write.defaults} | {name for fields in write.match_sets for name in fields}
    rules = named | {*write.required, *write.require_any_of, *write.always_resend, *write.fingerprint_fields}
    assert rules <= set(write.by_name)
    for reference in write.references:
        assert reference.stream in BY_NAME
        assert {*reference.fields} <= set(write.by_name) | {write.row_reference}
        assert not reference.column or reference.column in BY_NAME[reference.stream].schema["properties"]


@each_writable
def test_every_create_has_a_fingerprint(resource: WritableResource) -> None:
    """Every create has a fingerprint field: without a fingerprint, an uncertain create would be repeated."""
    write = resource.write_spec
    if not write.target_resource:
        always = set(write.required) - set(resource.parent_keys)
        assert always & set(write.fingerprint_fields) or set(write.require_any_of) <= set(write.fingerprint_fields)
        assert all(write.by_name[name].type is not FieldType.JSON for name in write.fingerprint_fields)


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"name": "Jobs"}, "snake_case"),
        ({"operations": frozenset({Operation.GET}), "item_path": "/jobs/{id}"}, "without a list"),
        ({"operations": LIST_AND_GET}, "item_path and operations disagree"),
        ({"path": "/customers/{customer_id}/jobs"}, "path and parent disagree"),
    ],
)
def test_an_entry_that_contradicts_itself_is_rejected(wrong: dict[str, Any], reason: str) -> None:
    """A wrong entry fails when the catalogue is imported, not during a run."""
    entry = {
        "name": "jobs",
        "path": "/jobs",
        "title": "",
        "evidence": Evidence.VERIFIED,
        "source": "",
        "operations": LIST_ONLY,
    }
    with pytest.raises(ValueError, match=reason):
        Resource(**(entry | wrong))


@pytest.mark.parametrize(
    ("name", "column", "query"),
    [
        ("jobs", "updated_at", {"sort_by": "updated_at", "sort_dir": "desc"}),
        ("customers", "id", {"sort[0][attribute]": "id", "sort[0][order]": "desc"}),
        ("job_qb_classes", "id", {}),
    ],
)
def test_an_order_is_requested_with_the_documented_parameters(name: str, column: str, query: dict[str, str]) -> None:
    """`sort_by` only with a documented column, `sort[…]` if it is documented, or else nothing."""
    assert BY_NAME[name].sort_params(column, "desc") == query


def test_ties_are_broken_by_id() -> None:
    """Imports create many rows with equal timestamps. For the direction see `Resource.sort_params`."""
    order = BY_NAME["customers"].sort_params("updated_at", "asc")
    assert (order["sort[1][attribute]"], order["sort[1][order]"]) == ("id", "desc")


def _properties(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    for name, child in schema.get("properties", {}).items():
        yield f"{path}{name}", child
        yield from _properties(child, f"{path}{name}.")
        yield from _properties(child.get("items", {}), f"{path}{name}[].")
