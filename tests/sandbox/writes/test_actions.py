"""The links of material lists: which there may be, where they show, and that a repetition is seen."""

from __future__ import annotations

from typing import Any

import pytest

from fieldpulse_api.resources.catalogue import WRITABLE
from fieldpulse_sandbox.data.store import MaterialListLink
from fieldpulse_sandbox.sandbox import Sandbox
from fieldpulse_sandbox.writes.actions import LINK_ENTITIES
from tests.sandbox.client import SandboxClient

every_entity = pytest.mark.parametrize("entity", LINK_ENTITIES)


def _kit(ask: SandboxClient, **body: Any) -> dict[str, Any]:
    row: dict[str, Any] = ask("POST", "/material-list", {"title": "Kit"} | body).rows
    return row


def _ask(ask: SandboxClient, kit: dict[str, Any], action: str, **body: Any) -> Any:
    return ask("POST", f"/material-lists/{kit['id']}/{action}", body)


@pytest.mark.parametrize(
    "call", [call for one in WRITABLE.values() for call in one.write_spec.actions], ids=lambda call: call.name
)
def test_each_call_of_the_catalogue_has_a_route(box: Sandbox, ask: SandboxClient, call: Any) -> None:
    """A missing row is 404 there, an empty body is refused by the names it lacks, and the other method is unknown."""
    method, other = ("PUT", "POST") if call.body_key else ("POST", "PUT")
    assert ask(method, call.path.format(id=99), {}).status == 404
    number = box.rows("invoices" if call.body_key else "material_lists")[0]["id"]
    reply = ask(method, call.path.format(id=number), {})
    lacking = [call.body_key] if call.body_key else call.item.required
    assert reply.status == 400
    assert reply.json["errors"] == [f"The {name.replace('_', ' ')} field is required." for name in lacking]
    assert ask(other, call.path.format(id=number), {}).status == 403


@every_entity
def test_a_list_is_connected_and_parted(box: Sandbox, ask: SandboxClient, entity: str) -> None:
    """Jobs and projects show in their columns, the others nowhere; parting undoes both."""
    kit, number = _kit(ask), box.rows(LINK_ENTITIES[entity])[0]["id"]
    linked = _ask(ask, kit, "connect", to_entity=entity, to_entity_id=str(number))
    assert linked.status == 200
    shown = {"job": (number, None), "project": (None, number)}.get(entity, (None, None))
    assert (linked.rows["job_id"], linked.rows["project_id"]) == shown
    assert box.links(kit["id"]) == [MaterialListLink(entity, number)]
    parted = _ask(ask, kit, "disconnect", from_entity=entity, from_entity_id=number)
    assert (parted.rows["job_id"], parted.rows["project_id"]) == (None, None)
    assert box.links(kit["id"]) == []
    assert _ask(ask, kit, "disconnect", from_entity=entity, from_entity_id=number).status == 200


def test_a_link_that_was_made_twice_is_there_twice(box: Sandbox, ask: SandboxClient) -> None:
    """Nothing makes a connect idempotent, so that whoever repeats one is seen to."""
    kit, job = _kit(ask), box.rows("jobs")[0]["id"]
    for _ in range(2):
        _ask(ask, kit, "connect", to_entity="job", to_entity_id=job)
    assert box.links(kit["id"]) == [MaterialListLink("job", job)] * 2


def test_parting_from_another_job_changes_nothing(box: Sandbox, ask: SandboxClient) -> None:
    """Only the link that is named goes."""
    first, second = (row["id"] for row in box.rows("jobs")[:2])
    kit = _kit(ask, job_id=first)
    assert _ask(ask, kit, "disconnect", from_entity="job", from_entity_id=second).rows["job_id"] == first
    assert _ask(ask, kit, "disconnect", from_entity="job", from_entity_id=first).rows["job_id"] is None


def test_some_items_are_connected_without_moving_the_list(box: Sandbox, ask: SandboxClient) -> None:
    """Lines of the list and items of the price book are both taken (assumed); the list's own column stays."""
    item, job = box.rows("items")[0]["id"], box.rows("jobs")[0]["id"]
    kit = _kit(ask, items=[{"item_id": item, "quantity": "2"}])
    line = kit["items"][0]["id"]
    reply = _ask(ask, kit, "item-connect", to_entity="job", to_entity_id=job, item_ids=[line, item])
    assert (reply.status, reply.rows["job_id"]) == (200, None)
    assert box.links(kit["id"]) == [MaterialListLink("job", job, (line, item))]


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
def test_a_link_to_what_is_not_there_is_refused(
    box: Sandbox, ask: SandboxClient, action: str, body: dict[str, Any], problem: str
) -> None:
    """Unknown entities, rows and items leave no link."""
    kit = _kit(ask)
    if action == "item-connect":
        body = {"to_entity": "job", "to_entity_id": box.rows("jobs")[0]["id"]} | body
    reply = _ask(ask, kit, action, **body)
    assert (reply.status, reply.json["errors"]) == (400, [problem])
    assert box.links(kit["id"]) == []
