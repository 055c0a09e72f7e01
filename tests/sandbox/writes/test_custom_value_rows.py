"""Custom values that are written: which row of values each replaces, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from fieldpulse_api.resources.catalogue import BY_NAME
from fieldpulse_sandbox.sandbox import Sandbox
from fieldpulse_sandbox.schema.timestamps import bare
from fieldpulse_sandbox.seed.fields import CUSTOM_FIELD_OBJECTS, owner_column
from tests.sandbox.bodies import minimal, paths, rules
from tests.sandbox.client import SandboxClient

NOW = 1_795_000_000
PERSON = {"first_name": "Nova"}


@pytest.fixture
def box() -> Any:
    """Start a sandbox whose clock stands still after the seeded year."""
    with Sandbox(customers=20, clock=lambda: NOW) as box:
        yield box


def _fields(box: Sandbox, owner: str = "customer") -> list[int]:
    return [row["id"] for row in box.rows("custom_fields") if row["object"] == owner]


def _with_value(box: Sandbox, ask: SandboxClient) -> tuple[str, dict[str, Any]]:
    """Create a customer with one value; return its path and the row of the value."""
    given = {"customfields": [{"field_instance_id": _fields(box)[0], "value": "first"}]}
    made = ask("POST", "/customers", PERSON | given).rows
    return f"/customers/{made['id']}", made["customfields"][0]


def _put(ask: SandboxClient, path: str, **entry: Any) -> list[dict[str, Any]]:
    reply = ask("PUT", path, {"customfields": [entry]})
    assert reply.status == 200, reply.json
    values: list[dict[str, Any]] = reply.rows["customfields"]
    return values


def test_custom_values_are_merged_as_text(box: Sandbox, ask: SandboxClient) -> None:
    """A written value replaces that of its definition, keeps the others, and reads back as text without a name."""
    fields = [row["id"] for row in box.rows("custom_fields") if row["object"] == "customer"]
    given = [{"field_instance_id": fields[0], "value": "1234"}, {"field_instance_id": fields[1], "value": 7}]
    made = ask("POST", "/customers", PERSON | {"customfields": given}).rows
    assert all(one["customer_id"] == made["id"] for one in made["customfields"])
    again = {"customfields": [{"field_instance_id": fields[0], "value": "9"}]}
    after = ask("PUT", f"/customers/{made['id']}", again).rows["customfields"]
    assert {one["field_instance_id"]: one["value"] for one in after} == {fields[0]: "9", fields[1]: "7"}
    assert "name" not in after[0]


@pytest.mark.parametrize("name", CUSTOM_FIELD_OBJECTS)
def test_custom_values_are_written_on_every_object(box: Sandbox, ask: SandboxClient, name: str) -> None:
    """Every resource with definitions takes values; they name their row and have ids of their own."""
    resource = BY_NAME[name]
    create_path, item_path = paths(box, resource)
    field = next(row["id"] for row in box.rows("custom_fields") if row["object"] == CUSTOM_FIELD_OBJECTS[name])
    body = minimal(box, resource)
    again = {key: body[key] for key in rules(resource).always_resend if key in body}
    numbers = set()
    for text in ("1", "2"):
        given = {"customfields": [{"field_instance_id": field, "value": text}]}
        made = ask("POST", create_path, body | given).rows["id"]
        changed = {"customfields": [{"field_instance_id": field, "value": f"{text}0"}]}
        assert ask("PUT", item_path.replace("{id}", str(made)), again | changed).status == 200
        (value,) = box.store.get(name, made)["customfields"]
        assert (value["value"], value[owner_column(name)], value["updated_at"]) == (f"{text}0", made, bare(NOW))
        numbers.add(value["id"])
    assert len(numbers) == 2


@pytest.mark.parametrize(("given", "text"), [(True, "1"), (False, "0"), (7, "7"), (None, None), ("", "")])
def test_a_custom_value_is_stored_as_text_or_null(
    box: Sandbox, ask: SandboxClient, given: Any, text: str | None
) -> None:
    """Whatever a value was in JSON, it is text afterwards."""
    field = box.rows("custom_fields")[0]["id"]
    body = PERSON | {"customfields": [{"field_instance_id": field, "value": given}]}
    assert ask("POST", "/customers", body).rows["customfields"][0]["value"] == text


def test_an_entry_with_an_id_replaces_that_value(box: Sandbox, ask: SandboxClient) -> None:
    """The value row keeps its id and its definition, with the switch of either kind."""
    path, value = _with_value(box, ask)
    for by_id in (False, True):
        box.behaviour.custom_values_by_id = by_id
        after = _put(ask, path, id=value["id"], field_instance_id=value["field_instance_id"], value=f"{by_id}")
        assert [(one["id"], one["value"]) for one in after] == [(value["id"], str(by_id))]


@pytest.mark.parametrize("blank", [{}, {"id": None}, {"id": ""}])
@pytest.mark.parametrize(("by_id", "values"), [(False, ["second"]), (True, ["first", "second"])])
def test_an_entry_without_an_id_replaces_or_is_one_more(
    box: Sandbox, ask: SandboxClient, by_id: bool, values: list[str], blank: dict[str, Any]
) -> None:
    """Which of the two the live API does is unknown, hence the switch."""
    path, value = _with_value(box, ask)
    box.behaviour.custom_values_by_id = by_id
    after = _put(ask, path, field_instance_id=value["field_instance_id"], value="second", **blank)
    assert [one["value"] for one in after] == values
    assert len({one["id"] for one in after}) == len(values)


def test_an_id_that_is_no_value_of_this_row_is_refused(box: Sandbox, ask: SandboxClient) -> None:
    """Neither an unknown id, nor another row's, nor that of another definition's value will do."""
    path, value = _with_value(box, ask)
    _, other = _with_value(box, ask)
    first, second = value["field_instance_id"], _fields(box)[1]
    for entry in ({"id": 99}, {"id": other["id"]}, {"id": "x"}, {"id": value["id"], "field_instance_id": second}):
        reply = ask("PUT", path, {"customfields": [{"field_instance_id": first, "value": "x"} | entry]})
        assert (reply.status, reply.json["errors"]) == (400, ["The selected customfields.0.id is invalid."])
    fresh = {"customfields": [{"id": value["id"], "field_instance_id": first, "value": "x"}]}
    assert ask("POST", "/customers", PERSON | fresh).status == 400
    assert ask.get(path).rows["customfields"] == [value]


@pytest.mark.parametrize("name", CUSTOM_FIELD_OBJECTS)
def test_a_definition_of_another_object_is_refused(box: Sandbox, ask: SandboxClient, name: str) -> None:
    """A value belongs to a definition for rows of this kind (assumed)."""
    resource = BY_NAME[name]
    foreign = next(row["id"] for row in box.rows("custom_fields") if row["object"] != CUSTOM_FIELD_OBJECTS[name])
    given = {"customfields": [{"field_instance_id": foreign, "value": "x"}]}
    reply = ask("POST", paths(box, resource)[0], minimal(box, resource) | given)
    assert (reply.status, reply.json["errors"]) == (
        400,
        ["The selected customfields.0.field_instance_id is invalid."],
    )


def test_a_new_definition_takes_values_at_once(box: Sandbox, ask: SandboxClient) -> None:
    """Its object stays short, its settings name it, and a PUT of settings keeps what it does not say."""
    body = {"name": "Roof", "object": "customer", "field_widget_id": 5, "settings": {"allowed_values": ["A"]}}
    made = ask("POST", "/custom-fields", body).rows
    assert (made["object"], made["related_record_names"]) == ("customer", ["customer"])
    assert made["settings"] == {"field_instance_id": made["id"], "allowed_values": ["A"], "default_value": None}
    after = ask("PUT", f"/custom-fields/{made['id']}", {"settings": {"default_value": "A", "field_instance_id": 1}})
    assert after.rows["settings"] == made["settings"] | {"default_value": "A"}
    given = {"customfields": [{"field_instance_id": made["id"], "value": "A"}]}
    assert ask("POST", "/customers", PERSON | given).rows["customfields"][0]["value"] == "A"
