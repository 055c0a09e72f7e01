"""Every writable resource and every documented field: accepted, refused, required."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from fieldpulse_api.resources.model import Operation, Resource
from fieldpulse_api.resources.write_model import Field, FieldType
from fieldpulse_sandbox.sandbox import Sandbox
from fieldpulse_sandbox.schema.table_shapes import BASE_CLASS
from fieldpulse_sandbox.schema.timestamps import bare
from tests.sandbox.bodies import WRITTEN, minimal, paths, rules, sample, table_of
from tests.sandbox.client import SandboxClient

NOW = 1_795_000_000
UNFIT: dict[FieldType, Any] = {
    FieldType.TEXT: ["x"],
    FieldType.EMAIL: "nova",
    FieldType.PHONE: "none",
    FieldType.E164: "555",
    FieldType.INTEGER: "x",
    FieldType.DECIMAL: "1,5",
    FieldType.BOOLEAN: "maybe",
    FieldType.TIME: "soon",
    FieldType.TEXT_TIME: "soon",
    FieldType.DATE: "05/15/2026",
    FieldType.OBJECT_TYPE: "nothing",
    FieldType.JSON: "x",
}
every_written = pytest.mark.parametrize("resource", WRITTEN, ids=lambda resource: resource.name)


@pytest.fixture
def sandbox() -> Any:
    """Run a sandbox whose clock stands still after the seeded year."""
    with Sandbox(customers=20, clock=lambda: NOW) as sandbox:
        yield sandbox


def _create(sandbox: Sandbox, client: SandboxClient, resource: Resource) -> tuple[str, dict[str, Any]]:
    """Create a row; return its path, and the fields that each PUT must repeat."""
    create_path, item_path = paths(sandbox, resource)
    body = minimal(sandbox, resource)
    created = client("POST", create_path, body)
    assert created.status == _created_status(resource), created.json
    required = {name: body[name] for name in rules(resource).always_resend if name in rules(resource).required}
    return item_path.replace("{id}", str(created.rows["id"])), required


def _created_status(resource: Resource) -> int:
    return 200 if resource.name == "projects" else 201


def _free(resource: Resource) -> list[Field]:
    """Return the fields that are not part of the path."""
    return [field for field in rules(resource).fields if field.name not in resource.parent_keys]


def _is_kept(field: Field, sent: Any, cell: Any) -> bool:
    if field.type is FieldType.TIME:
        return bool(cell == bare(sent))
    if field.type is FieldType.DECIMAL:
        return Decimal(cell) == Decimal(sent)
    if field.type is FieldType.OBJECT_TYPE and field.name != "object":
        return bool(cell == BASE_CLASS + sent.title().removesuffix("s"))
    return bool(cell == sent)


@every_written
def test_a_row_can_be_created_read_and_deleted(sandbox: Sandbox, client: SandboxClient, resource: Resource) -> None:
    """A new row has the highest id, is stamped, readable and listed. Deleted, it is missing everywhere."""
    create_path, item_path = paths(sandbox, resource)
    before = [row["id"] for row in sandbox.rows(resource.name)]
    created = client("POST", create_path, minimal(sandbox, resource))
    assert created.status == _created_status(resource)
    row = created.rows
    assert row["id"] > max(before)
    assert row["created_at"] == row["updated_at"] == bare(NOW)
    path = item_path.replace("{id}", str(row["id"]))
    assert client.get(path).rows["id"] == row["id"]
    assert [existing["id"] for existing in sandbox.rows(resource.name)] == [*before, row["id"]]
    if Operation.DELETE not in resource.operations:
        assert client("DELETE", path).status == 403
        return
    gone = client("DELETE", path)
    assert (gone.status, gone.rows["deleted_at"]) == (200, bare(NOW))
    assert client.get(path).status == 404
    assert client("DELETE", path).status == 404
    assert client("PUT", path, {}).status == 404
    assert [existing["id"] for existing in sandbox.rows(resource.name)] == before


@every_written
def test_each_documented_field_is_updated_and_read_back(
    sandbox: Sandbox, client: SandboxClient, resource: Resource
) -> None:
    """A PUT of one field changes its column, in the form of the rows, and returns the row."""
    sandbox.behaviour.status_moves_documents = False
    path, required = _create(sandbox, client, resource)
    for field in _free(resource):
        if field.type is FieldType.JSON:
            continue
        sent = "12" if field.name == "quantity_available" else sample(sandbox, resource, field)
        response = client("PUT", path, required | {field.name: sent})
        assert response.status == 200, (field.name, response.json)
        cell = client.get(path).rows[field.column]
        assert _is_kept(field, sent, cell), (field.name, sent, cell)
        assert response.rows[field.column] == cell


@every_written
def test_each_field_refuses_invalid_values(sandbox: Sandbox, client: SandboxClient, resource: Resource) -> None:
    """A value of a wrong type, too long or not allowed is one problem each, and changes nothing."""
    path, required = _create(sandbox, client, resource)
    before = client.get(path).rows
    for field in _free(resource):
        bad = [UNFIT[field.type]]
        bad += ["n" * (field.max_length + 1)] if field.max_length and field.type is FieldType.TEXT else []
        bad += [99 if field.type is FieldType.INTEGER else "none of them"] if field.allowed_values else []
        for value in bad:
            response = client("PUT", path, required | {field.name: value})
            assert (response.status, len(response.json["errors"])) == (400, 1), (field.name, response.json)
    assert client.get(path).rows == before


@every_written
def test_each_reference_must_name_a_live_row(sandbox: Sandbox, client: SandboxClient, resource: Resource) -> None:
    """An unknown id is refused with the vendor's text, on create and on update."""
    path, required = _create(sandbox, client, resource)
    named = [field.name for field in _free(resource) if field.type is FieldType.INTEGER]
    for name in named:
        if table_of(resource, name) in (None, "job_statuses"):
            continue
        expected = (400, [f"The selected {name.replace('_', ' ')} is invalid."])
        for response in (
            client("PUT", path, required | {name: 99}),
            client("POST", paths(sandbox, resource)[0], minimal(sandbox, resource) | {name: 99}),
        ):
            assert (response.status, response.json["errors"]) == expected


@every_written
def test_a_create_requires_the_required_fields(sandbox: Sandbox, client: SandboxClient, resource: Resource) -> None:
    """Each missing field is named, and nothing is stored."""
    body, before = minimal(sandbox, resource), sandbox.rows(resource.name)
    for name in body:
        for blank in ({}, {name: None}, {name: ""}):
            rest = {key: value for key, value in body.items() if key != name}
            response = client("POST", paths(sandbox, resource)[0], rest | blank)
            assert (response.status, len(response.json["errors"])) == (400, 1)
            assert response.json["errors"][0].startswith(f"The {name.replace('_', ' ')} field is required")
    assert sandbox.rows(resource.name) == before


@every_written
def test_an_update_repeats_only_what_must_be_resent(
    sandbox: Sandbox, client: SandboxClient, resource: Resource
) -> None:
    """An empty PUT is accepted (observed), unless a switch lets PUTs repeat what creates require (documented)."""
    path, required = _create(sandbox, client, resource)
    assert client("PUT", path, {}).status == 200
    sandbox.behaviour.required_on_put = ("jobs",)
    assert client("PUT", path, required).status == 200
    assert client("PUT", path, {}).status == (400 if resource.name == "jobs" else 200)


@every_written
def test_a_required_field_cannot_be_cleared(sandbox: Sandbox, client: SandboxClient, resource: Resource) -> None:
    """A PUT that would clear a required field is refused if null clears (assumed)."""
    path, required = _create(sandbox, client, resource)
    sandbox.behaviour.put_null = "clear"
    for name in set(minimal(sandbox, resource)) & set(rules(resource).required):
        assert client("PUT", path, required | {name: None}).status == 400


@every_written
def test_unknown_and_protected_keys_are_ignored(sandbox: Sandbox, client: SandboxClient, resource: Resource) -> None:
    """Unknown keys do not fail a create (observed); no write sets an id, a company or a stamp."""
    junk = {"externalId": "x", "id": 5, "created_at": "1999-01-01 00:00:00", "company_id": 1, "deleted_at": 1}
    created = client("POST", paths(sandbox, resource)[0], minimal(sandbox, resource) | junk)
    assert created.status == _created_status(resource)
    assert created.rows.get("externalId") is None
    assert created.rows["id"] > 5
    assert (created.rows["created_at"], created.rows["company_id"], created.rows["deleted_at"]) == (
        bare(NOW),
        200001,
        None,
    )
