"""The links of material lists: allowed entities, visible columns, repeated links."""

from __future__ import annotations

from typing import Any

import pytest

from fieldpulse_api.resources.catalogue import WRITABLE
from fieldpulse_sandbox.data.store import MaterialListLink
from fieldpulse_sandbox.sandbox import Sandbox
from fieldpulse_sandbox.writes.actions import LINK_ENTITIES
from tests.sandbox.client import SandboxClient

every_entity = pytest.mark.parametrize("entity", LINK_ENTITIES)


def _kit(client: SandboxClient, **body: Any) -> dict[str, Any]:
    row: dict[str, Any] = client("POST", "/material-list", {"title": "Kit"} | body).rows
    return row


def _ask(client: SandboxClient, kit: dict[str, Any], action: str, **body: Any) -> Any:
    return client("POST", f"/material-lists/{kit['id']}/{action}", body)


@pytest.mark.parametrize(
    "action",
    [action for resource in WRITABLE.values() for action in resource.write_spec.actions],
    ids=lambda action: action.name,
)
def test_each_action_of_the_catalogue_has_a_route(sandbox: Sandbox, client: SandboxClient, action: Any) -> None:
    """A missing row is 404, an empty body lacks the required fields, and the other method is unknown."""
    method, other = ("PUT", "POST") if action.body_key else ("POST", "PUT")
    assert client(method, action.path.format(id=99), {}).status == 404
    row_id = sandbox.rows("invoices" if action.body_key else "material_lists")[0]["id"]
    response = client(method, action.path.format(id=row_id), {})
    missing = [action.body_key] if action.body_key else action.item.required
    assert response.status == 400
    assert response.json["errors"] == [f"The {name.replace('_', ' ')} field is required." for name in missing]
    assert client(other, action.path.format(id=row_id), {}).status == 403


@every_entity
def test_a_material_list_is_connected_and_disconnected(sandbox: Sandbox, client: SandboxClient, entity: str) -> None:
    """Jobs and projects have a column, other entities do not; a disconnect undoes both."""
    kit, row_id = _kit(client), sandbox.rows(LINK_ENTITIES[entity])[0]["id"]
    linked = _ask(client, kit, "connect", to_entity=entity, to_entity_id=str(row_id))
    assert linked.status == 200
    columns = {"job": (row_id, None), "project": (None, row_id)}.get(entity, (None, None))
    assert (linked.rows["job_id"], linked.rows["project_id"]) == columns
    assert sandbox.links(kit["id"]) == [MaterialListLink(entity, row_id)]
    disconnected = _ask(client, kit, "disconnect", from_entity=entity, from_entity_id=row_id)
    assert (disconnected.rows["job_id"], disconnected.rows["project_id"]) == (None, None)
    assert sandbox.links(kit["id"]) == []
    assert _ask(client, kit, "disconnect", from_entity=entity, from_entity_id=row_id).status == 200


def test_a_repeated_link_is_stored_twice(sandbox: Sandbox, client: SandboxClient) -> None:
    """A connect is not idempotent, so that a test can detect a repeated one."""
    kit, job = _kit(client), sandbox.rows("jobs")[0]["id"]
    for _ in range(2):
        _ask(client, kit, "connect", to_entity="job", to_entity_id=job)
    assert sandbox.links(kit["id"]) == [MaterialListLink("job", job)] * 2


def test_a_disconnect_of_another_job_changes_nothing(sandbox: Sandbox, client: SandboxClient) -> None:
    """Only the named link is removed."""
    first, second = (row["id"] for row in sandbox.rows("jobs")[:2])
    kit = _kit(client, job_id=first)
    assert _ask(client, kit, "disconnect", from_entity="job", from_entity_id=second).rows["job_id"] == first
    assert _ask(client, kit, "disconnect", from_entity="job", from_entity_id=first).rows["job_id"] is None


def test_links_of_items_leave_the_column_of_the_list(sandbox: Sandbox, client: SandboxClient) -> None:
    """Lines of the list and items of the price book are both accepted (assumed)."""
    item, job = sandbox.rows("items")[0]["id"], sandbox.rows("jobs")[0]["id"]
    kit = _kit(client, items=[{"item_id": item, "quantity": "2"}])
    line = kit["items"][0]["id"]
    response = _ask(client, kit, "item-connect", to_entity="job", to_entity_id=job, item_ids=[line, item])
    assert (response.status, response.rows["job_id"]) == (200, None)
    assert sandbox.links(kit["id"]) == [MaterialListLink("job", job, (line, item))]


@pytest.mark.parametrize(
    ("action", "body", "problem"),
    [
        ("connect", {"to_entity": "job", "to_entity_id": 99}, "The selected to entity id is invalid."),
        ("connect", {"to_entity": "van", "to_entity_id": 99}, "The selected to entity is invalid."),
        ("connect", {"to_entity": "job", "to_entity_id": "x"}, "The to entity id must be an integer."),
        ("disconnect", {"from_entity": "job", "from_entity_id": 99}, "The selected from entity id is invalid."),
        ("item-connect", {"item_ids": [99]}, "The selected item_ids.0 is invalid."),
        ("item-connect", {"item_ids": [None]}, "The selected item_ids.0 is invalid."),
        ("item-connect", {"item_ids": []}, "The selected item ids is invalid."),
        ("item-connect", {"item_ids": "1"}, "The selected item ids is invalid."),
    ],
)
def test_a_link_to_an_unknown_row_is_refused(
    sandbox: Sandbox, client: SandboxClient, action: str, body: dict[str, Any], problem: str
) -> None:
    """Unknown entities, rows and items leave no link."""
    kit = _kit(client)
    if action == "item-connect":
        body = {"to_entity": "job", "to_entity_id": sandbox.rows("jobs")[0]["id"]} | body
    response = _ask(client, kit, action, **body)
    assert (response.status, response.json["errors"]) == (400, [problem])
    assert sandbox.links(kit["id"]) == []
