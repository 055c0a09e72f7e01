"""Which paths exist, who may ask, and the envelope of the answers."""

from __future__ import annotations

import pytest

from fieldpulse_api.resources.catalogue import RESOURCES
from fieldpulse_api.resources.model import Operation, Resource
from fieldpulse_sandbox.behaviour.switches import Behaviour
from fieldpulse_sandbox.sandbox import Sandbox
from fieldpulse_sandbox.schema.table_shapes import DETAIL_ONLY, NEVER_SHOWN, SHAPES
from tests.sandbox.client import SandboxClient

every_resource = pytest.mark.parametrize("resource", RESOURCES, ids=lambda resource: resource.name)
MISSING_TOKEN = {"message": "Missing Authentication Token"}


def _first(box: Sandbox, resource: Resource) -> dict[str, object]:
    row = box.rows(resource.name)[0]
    return {"id": row["id"], "customer_id": row.get("customer_id")}


def _columns(resource: Resource) -> set[str]:
    return set(SHAPES[resource.name]) - NEVER_SHOWN.get(resource.name, frozenset())


@every_resource
def test_a_list_answers_rows_in_the_envelope(read: SandboxClient, resource: Resource) -> None:
    """GET of a list is 200 with error false and rows that have exactly the columns of the list."""
    reply = read.get(resource.path.format(**_first(read.box, resource)), limit=3)
    assert reply.status == 200
    assert reply.json["error"] is False
    assert 1 <= len(reply.rows) <= 3
    if resource.name != "job_status_workflows":  # the shape is that of a status, plus its statuses
        assert set(reply.rows[0]) == _columns(resource) - DETAIL_ONLY.get(resource.name, frozenset())


@every_resource
def test_a_row_by_id_exists_only_where_documented(read: SandboxClient, resource: Resource) -> None:
    """GET by id answers the row where the vendor documents it."""
    if Operation.GET not in resource.operations:
        assert read.get(f"{resource.path}/1").status == 403
        return
    path = str(resource.item_path).format(**_first(read.box, resource))
    reply = read.get(path)
    assert reply.status == 200
    assert reply.rows["id"] == read.box.rows(resource.name)[0]["id"]
    assert set(reply.rows) >= _columns(resource)


@pytest.mark.parametrize(
    "resource", [resource for resource in RESOURCES if resource.item_path], ids=lambda resource: resource.name
)
def test_a_missing_row_is_404_in_the_style_of_the_backend(read: SandboxClient, resource: Resource) -> None:
    """GET by an id that is not there is 404 with error true."""
    reply = read.get(str(resource.item_path).format(**(_first(read.box, resource) | {"id": 99})))
    assert reply.status == 404
    assert reply.json == {"error": True, "response": None, "errors": ["Entity not found."]}


@pytest.mark.parametrize(
    "resource",
    [resource for resource in RESOURCES if Operation.GET in resource.operations],
    ids=lambda resource: resource.name,
)
def test_a_row_that_was_removed_is_404_by_id(box: Sandbox, ask: SandboxClient, resource: Resource) -> None:
    """What a test takes out of the store is gone by id as well, and nothing else is."""
    row = _first(box, resource)
    path = str(resource.item_path).format(**row)
    assert ask.get(path).status == 200
    box.store.delete(resource.name, row["id"])
    reply = ask.get(path)
    assert (reply.status, reply.json["errors"]) == (404, ["Entity not found."])
    others = box.rows(resource.name)[:1]
    assert [ask.get(str(resource.item_path).format(**other)).status for other in others] == [200] * len(others)


def test_contacts_go_with_their_customer(box: Sandbox, ask: SandboxClient) -> None:
    """Below a customer that was removed there is neither a list of contacts nor a contact."""
    contact = box.rows("customer_contacts")[0]
    box.store.delete("customers", contact["customer_id"])
    below = f"/customers/{contact['customer_id']}/customer-contact"
    assert ask.get(below).status == 404
    assert ask.get(f"{below}/{contact['id']}").status == 404


@pytest.mark.parametrize(
    "resource",
    [resource for resource in RESOURCES if Operation.CREATE not in resource.operations or resource.create_path],
    ids=lambda resource: resource.name,
)
def test_an_operation_that_is_not_documented_is_an_unknown_route(read: SandboxClient, resource: Resource) -> None:
    """POST to a list that the vendor does not let create is the gateway's 403."""
    reply = read("POST", resource.path, {})
    assert (reply.status, reply.json) == (403, MISSING_TOKEN)


@pytest.mark.parametrize("path", ["/company", "/me", "/purchase_orders", "/jobs/", "/"])
def test_an_unknown_path_is_403_missing_authentication_token(read: SandboxClient, path: str) -> None:
    """What the gateway does not know is 403, easily mistaken for a bad key (V)."""
    reply = read.get(path)
    assert (reply.status, reply.json) == (403, MISSING_TOKEN)


@pytest.mark.parametrize("method", ["PATCH", "HEAD", "OPTIONS"])
def test_a_method_that_the_api_lacks_is_403(read: SandboxClient, method: str) -> None:
    """There is no PATCH, HEAD or OPTIONS."""
    assert read(method, "/jobs").status == 403


def test_a_body_beyond_the_gateways_limit_is_413(box: Sandbox, ask: SandboxClient) -> None:
    """More than 10 MiB do not reach the backend."""
    before = box.rows("customers")
    reply = ask("POST", "/customers", {"first_name": "Nova", "notes": "x" * 10 * 1024 * 1024})
    assert (reply.status, reply.json) == (413, {"message": "Request Too Long"})
    assert box.rows("customers") == before


def test_an_unknown_key_is_forbidden(read: SandboxClient) -> None:
    """The usage plan answers 403 Forbidden to a key that it does not know, whatever the path."""
    for path in ("/jobs", "/nowhere"):
        reply = read.get(path, key="wrong")
        assert (reply.status, reply.json) == (403, {"message": "Forbidden"})
    assert read.box.requests[-1].has_valid_key is False


def test_an_unknown_key_can_be_unauthorized_instead() -> None:
    """The documented 401 is a switch."""
    with Sandbox(customers=3, behaviour=Behaviour(bad_key_status=401)) as box:
        reply = SandboxClient(box).get("/jobs", key="wrong")
    assert (reply.status, reply.json) == (401, {"message": "Unauthorized"})


def test_version_has_no_envelope(read: SandboxClient) -> None:
    """GET /version is the one bare answer (D)."""
    assert read.get("/version").json == {"reported": "2.5", "latest": "2.0", "deprecated": False}


def test_every_answer_has_the_servers_date(read: SandboxClient) -> None:
    """Date and a request id are on successes and on errors."""
    for path in ("/jobs", "/nowhere"):
        headers = read.get(path).headers
        assert headers["date"].endswith("GMT")
        assert headers["x-amzn-requestid"]


def test_contacts_belong_to_the_customer_of_their_path(read: SandboxClient) -> None:
    """A contact is not found below another customer, and a missing customer has no list."""
    contact = read.box.rows("customer_contacts")[0]
    other = next(row["id"] for row in read.box.rows("customers") if row["id"] != contact["customer_id"])
    own = read.get(f"/customers/{contact['customer_id']}/customer-contact")
    assert {row["customer_id"] for row in own.rows} == {contact["customer_id"]}
    assert read.get(f"/customers/{other}/customer-contact/{contact['id']}").status == 404
    assert read.get("/customers/99/customer-contact").status == 404


def test_a_job_by_id_embeds_what_its_list_row_lacks(read: SandboxClient) -> None:
    """By id a job carries its customer, location, status log and custom values (V)."""
    reply = read.get(f"/jobs/{read.box.rows('jobs')[0]['id']}").rows
    assert reply["customer"]["id"] == reply["customer_id"]
    assert reply["entity_location"]["id"] == reply["location_id"]
    assert {"status_log", "customfields", "total_price"} <= set(reply)


def test_requests_are_recorded_as_they_came(box: Sandbox, ask: SandboxClient) -> None:
    """The record has method, path, query, body and status."""
    ask.get("/jobs", limit=1)
    ask("POST", "/tags", {"title": "VIP"})
    first, second = box.requests
    assert (first.method, first.path, first.query, first.body, first.status) == (
        "GET",
        "/jobs",
        {"limit": "1"},
        None,
        200,
    )
    assert (second.body, second.status, second.has_valid_key) == ({"title": "VIP"}, 201, True)
    assert first.arrived_at < second.arrived_at
