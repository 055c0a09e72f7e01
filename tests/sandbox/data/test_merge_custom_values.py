"""Written custom values: which value each entry replaces, and which entries are refused."""

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
def sandbox() -> Any:
    """Run a sandbox whose clock stands still after the seeded year."""
    with Sandbox(customers=20, clock=lambda: NOW) as sandbox:
        yield sandbox


def _fields(sandbox: Sandbox, owner: str = "customer") -> list[int]:
    return [row["id"] for row in sandbox.rows("custom_fields") if row["object"] == owner]


def _with_value(sandbox: Sandbox, client: SandboxClient) -> tuple[str, dict[str, Any]]:
    """Create a customer with entry value; return its path and the row of the value."""
    written = {"customfields": [{"field_instance_id": _fields(sandbox)[0], "value": "first"}]}
    created = client("POST", "/customers", PERSON | written).rows
    return f"/customers/{created['id']}", created["customfields"][0]


def _put(client: SandboxClient, path: str, **entry: Any) -> list[dict[str, Any]]:
    response = client("PUT", path, {"customfields": [entry]})
    assert response.status == 200, response.json
    values: list[dict[str, Any]] = response.rows["customfields"]
    return values


def test_custom_values_are_merged_as_text(sandbox: Sandbox, client: SandboxClient) -> None:
    """A written value replaces that of its definition and keeps the others; it is text without a name."""
    fields = [row["id"] for row in sandbox.rows("custom_fields") if row["object"] == "customer"]
    written = [{"field_instance_id": fields[0], "value": "1234"}, {"field_instance_id": fields[1], "value": 7}]
    created = client("POST", "/customers", PERSON | {"customfields": written}).rows
    assert all(entry["customer_id"] == created["id"] for entry in created["customfields"])
    again = {"customfields": [{"field_instance_id": fields[0], "value": "9"}]}
    after = client("PUT", f"/customers/{created['id']}", again).rows["customfields"]
    assert {entry["field_instance_id"]: entry["value"] for entry in after} == {fields[0]: "9", fields[1]: "7"}
    assert "name" not in after[0]


@pytest.mark.parametrize("name", CUSTOM_FIELD_OBJECTS)
def test_custom_values_are_written_on_every_object(sandbox: Sandbox, client: SandboxClient, name: str) -> None:
    """Every resource with definitions accepts values; they name their row and have unique ids."""
    resource = BY_NAME[name]
    create_path, item_path = paths(sandbox, resource)
    field = next(row["id"] for row in sandbox.rows("custom_fields") if row["object"] == CUSTOM_FIELD_OBJECTS[name])
    body = minimal(sandbox, resource)
    again = {key: body[key] for key in rules(resource).always_resend if key in body}
    numbers = set()
    for text in ("1", "2"):
        written = {"customfields": [{"field_instance_id": field, "value": text}]}
        created = client("POST", create_path, body | written).rows["id"]
        changed = {"customfields": [{"field_instance_id": field, "value": f"{text}0"}]}
        assert client("PUT", item_path.replace("{id}", str(created)), again | changed).status == 200
        (value,) = sandbox.store.get(name, created)["customfields"]
        assert (value["value"], value[owner_column(name)], value["updated_at"]) == (f"{text}0", created, bare(NOW))
        numbers.add(value["id"])
    assert len(numbers) == 2


@pytest.mark.parametrize(("written", "text"), [(True, "1"), (False, "0"), (7, "7"), (None, None), ("", "")])
def test_a_custom_value_is_stored_as_text_or_null(
    sandbox: Sandbox, client: SandboxClient, written: Any, text: str | None
) -> None:
    """A value of any JSON type is stored as text."""
    field = sandbox.rows("custom_fields")[0]["id"]
    body = PERSON | {"customfields": [{"field_instance_id": field, "value": written}]}
    assert client("POST", "/customers", body).rows["customfields"][0]["value"] == text


def test_an_entry_with_an_id_replaces_that_value(sandbox: Sandbox, client: SandboxClient) -> None:
    """The value keeps its id and its definition, with either setting of the switch."""
    path, value = _with_value(sandbox, client)
    for by_id in (False, True):
        sandbox.behaviour.custom_values_by_id = by_id
        after = _put(client, path, id=value["id"], field_instance_id=value["field_instance_id"], value=f"{by_id}")
        assert [(entry["id"], entry["value"]) for entry in after] == [(value["id"], str(by_id))]


@pytest.mark.parametrize("blank", [{}, {"id": None}, {"id": ""}])
@pytest.mark.parametrize(("by_id", "values"), [(False, ["second"]), (True, ["first", "second"])])
def test_an_entry_without_an_id_replaces_or_is_added(
    sandbox: Sandbox, client: SandboxClient, by_id: bool, values: list[str], blank: dict[str, Any]
) -> None:
    """The behaviour of the live API is unknown, so there is a switch."""
    path, value = _with_value(sandbox, client)
    sandbox.behaviour.custom_values_by_id = by_id
    after = _put(client, path, field_instance_id=value["field_instance_id"], value="second", **blank)
    assert [entry["value"] for entry in after] == values
    assert len({entry["id"] for entry in after}) == len(values)


def test_an_id_of_another_value_is_refused(sandbox: Sandbox, client: SandboxClient) -> None:
    """An unknown id, that of another row and that of another definition are refused."""
    path, value = _with_value(sandbox, client)
    _, other = _with_value(sandbox, client)
    first, second = value["field_instance_id"], _fields(sandbox)[1]
    for entry in ({"id": 99}, {"id": other["id"]}, {"id": "x"}, {"id": value["id"], "field_instance_id": second}):
        response = client("PUT", path, {"customfields": [{"field_instance_id": first, "value": "x"} | entry]})
        assert (response.status, response.json["errors"]) == (400, ["The selected customfields.0.id is invalid."])
    fresh = {"customfields": [{"id": value["id"], "field_instance_id": first, "value": "x"}]}
    assert client("POST", "/customers", PERSON | fresh).status == 400
    assert client.get(path).rows["customfields"] == [value]


@pytest.mark.parametrize("name", CUSTOM_FIELD_OBJECTS)
def test_a_definition_of_another_object_is_refused(sandbox: Sandbox, client: SandboxClient, name: str) -> None:
    """A value belongs to a definition for rows of its resource (assumed)."""
    resource = BY_NAME[name]
    foreign = next(row["id"] for row in sandbox.rows("custom_fields") if row["object"] != CUSTOM_FIELD_OBJECTS[name])
    written = {"customfields": [{"field_instance_id": foreign, "value": "x"}]}
    response = client("POST", paths(sandbox, resource)[0], minimal(sandbox, resource) | written)
    assert (response.status, response.json["errors"]) == (
        400,
        ["The selected customfields.0.field_instance_id is invalid."],
    )


def test_a_new_definition_accepts_values_at_once(sandbox: Sandbox, client: SandboxClient) -> None:
    """Its object stays short, its settings name it, and a PUT of some settings keeps the others."""
    body = {"name": "Roof", "object": "customer", "field_widget_id": 5, "settings": {"allowed_values": ["A"]}}
    created = client("POST", "/custom-fields", body).rows
    assert (created["object"], created["related_record_names"]) == ("customer", ["customer"])
    assert created["settings"] == {"field_instance_id": created["id"], "allowed_values": ["A"], "default_value": None}
    after = client(
        "PUT", f"/custom-fields/{created['id']}", {"settings": {"default_value": "A", "field_instance_id": 1}}
    )
    assert after.rows["settings"] == created["settings"] | {"default_value": "A"}
    written = {"customfields": [{"field_instance_id": created["id"], "value": "A"}]}
    assert client("POST", "/customers", PERSON | written).rows["customfields"][0]["value"] == "A"
