"""Routes, authentication, and the envelope of responses."""

from __future__ import annotations

import pytest

from fieldpulse_api.resources.catalogue import RESOURCES
from fieldpulse_api.resources.model import Operation, Resource
from fieldpulse_sandbox.behaviour.switches import Behaviour
from fieldpulse_sandbox.responses.row_format import PIPELINE_COLUMNS
from fieldpulse_sandbox.sandbox import Sandbox
from fieldpulse_sandbox.schema.table_shapes import DETAIL_ONLY, NEVER_SHOWN, SHAPES
from tests.sandbox.client import SandboxClient

every_resource = pytest.mark.parametrize("resource", RESOURCES, ids=lambda resource: resource.name)
MISSING_TOKEN = {"message": "Missing Authentication Token"}


def _first(sandbox: Sandbox, resource: Resource) -> dict[str, object]:
    row = sandbox.rows(resource.name)[0]
    return {"id": row["id"], "customer_id": row.get("customer_id")}


def _columns(resource: Resource) -> set[str]:
    columns = set(SHAPES[resource.name]) - NEVER_SHOWN.get(resource.name, frozenset())
    return columns - PIPELINE_COLUMNS["name"] if resource.name == "pipeline_statuses" else columns


@every_resource
def test_a_list_returns_rows_in_the_envelope(read: SandboxClient, resource: Resource) -> None:
    """A list is 200 with `error` false and rows that have exactly the columns of the list."""
    response = read.get(resource.path.format(**_first(read.sandbox, resource)), limit=3)
    assert response.status == 200
    assert response.json["error"] is False
    assert 1 <= len(response.rows) <= 3
    if resource.name != "job_status_workflows":  # the shape is that of a status, plus its statuses
        assert set(response.rows[0]) == _columns(resource) - DETAIL_ONLY.get(resource.name, frozenset())


@every_resource
def test_a_row_by_id_exists_only_where_documented(read: SandboxClient, resource: Resource) -> None:
    """GET by id returns the row if the vendor documents it."""
    if Operation.GET not in resource.operations:
        assert read.get(f"{resource.path}/1").status == 403
        return
    path = str(resource.item_path).format(**_first(read.sandbox, resource))
    response = read.get(path)
    assert response.status == 200
    assert response.rows["id"] == read.sandbox.rows(resource.name)[0]["id"]
    assert set(response.rows) >= _columns(resource)


@pytest.mark.parametrize(
    "resource", [resource for resource in RESOURCES if resource.item_path], ids=lambda resource: resource.name
)
def test_a_missing_row_is_404_with_the_body_of_the_backend(read: SandboxClient, resource: Resource) -> None:
    """GET by an unknown id is 404 with `error` true."""
    response = read.get(str(resource.item_path).format(**(_first(read.sandbox, resource) | {"id": 99})))
    assert response.status == 404
    assert response.json == {"error": True, "response": None, "errors": ["Entity not found."]}


@pytest.mark.parametrize(
    "resource",
    [resource for resource in RESOURCES if Operation.GET in resource.operations],
    ids=lambda resource: resource.name,
)
def test_a_deleted_row_is_404_by_id(sandbox: Sandbox, client: SandboxClient, resource: Resource) -> None:
    """A row that a test deletes in the store is missing by id as well, and no other row is."""
    row = _first(sandbox, resource)
    path = str(resource.item_path).format(**row)
    assert client.get(path).status == 200
    sandbox.store.delete(resource.name, row["id"])
    response = client.get(path)
    assert (response.status, response.json["errors"]) == (404, ["Entity not found."])
    others = sandbox.rows(resource.name)[:1]
    assert [client.get(str(resource.item_path).format(**other)).status for other in others] == [200] * len(others)


def test_a_deleted_customer_has_no_contacts(sandbox: Sandbox, client: SandboxClient) -> None:
    """Below a deleted customer there is neither a list of contacts nor a contact."""
    contact = sandbox.rows("customer_contacts")[0]
    sandbox.store.delete("customers", contact["customer_id"])
    below = f"/customers/{contact['customer_id']}/customer-contact"
    assert client.get(below).status == 404
    assert client.get(f"{below}/{contact['id']}").status == 404


@pytest.mark.parametrize(
    "resource",
    [resource for resource in RESOURCES if Operation.CREATE not in resource.operations or resource.create_path],
    ids=lambda resource: resource.name,
)
def test_an_undocumented_operation_is_an_unknown_route(read: SandboxClient, resource: Resource) -> None:
    """POST to a list without a documented create is the gateway's 403."""
    response = read("POST", resource.path, {})
    assert (response.status, response.json) == (403, MISSING_TOKEN)


@pytest.mark.parametrize("path", ["/company", "/me", "/purchase_orders", "/jobs/", "/"])
def test_an_unknown_path_is_403_missing_authentication_token(read: SandboxClient, path: str) -> None:
    """An unknown path is 403, which is easily mistaken for a wrong key (verified)."""
    response = read.get(path)
    assert (response.status, response.json) == (403, MISSING_TOKEN)


@pytest.mark.parametrize("method", ["PATCH", "HEAD", "OPTIONS"])
def test_an_unknown_method_is_403(read: SandboxClient, method: str) -> None:
    """The API has no PATCH, HEAD or OPTIONS."""
    assert read(method, "/jobs").status == 403


def test_a_body_beyond_the_gateways_limit_is_413(sandbox: Sandbox, client: SandboxClient) -> None:
    """A body of more than 10 MiB does not reach the backend."""
    before = sandbox.rows("customers")
    response = client("POST", "/customers", {"first_name": "Nova", "notes": "x" * 10 * 1024 * 1024})
    assert (response.status, response.json) == (413, {"message": "Request Too Long"})
    assert sandbox.rows("customers") == before


def test_an_unknown_key_is_forbidden(read: SandboxClient) -> None:
    """The usage plan responds with 403 Forbidden to an unknown key, on every path."""
    for path in ("/jobs", "/nowhere"):
        response = read.get(path, key="wrong")
        assert (response.status, response.json) == (403, {"message": "Forbidden"})
    assert read.sandbox.requests[-1].has_valid_key is False


def test_an_unknown_key_can_be_unauthorized_instead() -> None:
    """The documented 401 is a switch."""
    with Sandbox(customers=3, behaviour=Behaviour(bad_key_status=401)) as sandbox:
        response = SandboxClient(sandbox).get("/jobs", key="wrong")
    assert (response.status, response.json) == (401, {"message": "Unauthorized"})


def test_version_has_no_envelope(read: SandboxClient) -> None:
    """GET /version is the only response without an envelope (documented)."""
    assert read.get("/version").json == {"reported": "2.5", "latest": "2.0", "deprecated": False}


def test_every_response_has_the_date_of_the_server(read: SandboxClient) -> None:
    """Successes and errors have a date and a request id."""
    for path in ("/jobs", "/nowhere"):
        headers = read.get(path).headers
        assert headers["date"].endswith("GMT")
        assert headers["x-amzn-requestid"]


def test_contacts_belong_to_the_customer_of_their_path(read: SandboxClient) -> None:
    """A contact is missing below another customer; a missing customer has no list."""
    contact = read.sandbox.rows("customer_contacts")[0]
    other = next(row["id"] for row in read.sandbox.rows("customers") if row["id"] != contact["customer_id"])
    contacts = read.get(f"/customers/{contact['customer_id']}/customer-contact")
    assert {row["customer_id"] for row in contacts.rows} == {contact["customer_id"]}
    assert read.get(f"/customers/{other}/customer-contact/{contact['id']}").status == 404
    assert read.get("/customers/99/customer-contact").status == 404


def test_a_job_by_id_has_columns_that_lists_omit(read: SandboxClient) -> None:
    """By id a job has its customer, location, status log and custom values (verified)."""
    response = read.get(f"/jobs/{read.sandbox.rows('jobs')[0]['id']}").rows
    assert response["customer"]["id"] == response["customer_id"]
    assert response["entity_location"]["id"] == response["location_id"]
    assert {"status_log", "customfields", "total_price"} <= set(response)


def test_requests_are_recorded(sandbox: Sandbox, client: SandboxClient) -> None:
    """The record has method, path, query, body and status."""
    client.get("/jobs", limit=1)
    client("POST", "/tags", {"title": "VIP"})
    first, second = sandbox.requests
    assert (first.method, first.path, first.query, first.body, first.status) == (
        "GET",
        "/jobs",
        {"limit": "1"},
        None,
        200,
    )
    assert (second.body, second.status, second.has_valid_key) == ({"title": "VIP"}, 201, True)
    assert first.arrived_at < second.arrived_at
