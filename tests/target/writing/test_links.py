"""Links and price updates, which are actions of a record and sent once each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fieldpulse_sandbox.faults.fault import Fault
from fieldpulse_sandbox.sandbox import Sandbox
from tests.harness.messages import record_message, schema_message, singer_lines
from tests.harness.target_runner import run_target
from tests.target.shared import (
    PRICE_UPDATES,
    newest_row,
    posts,
    price_update,
    row_by_id,
    run_ledger_command,
    write_requests,
)

Config = dict[str, Any]

MATERIAL_LISTS = schema_message("material_lists", "external_id", "title", "connect", "disconnect", "item_connect")


def linked_list(sandbox: Sandbox) -> tuple[Config, int]:
    """Return the record of a material list with a link to the first job, and the id of the job."""
    job = sandbox.rows("jobs")[0]["id"]
    return record_message(
        "material_lists", external_id="m", title="Van", connect=[{"to_entity": "job", "to_entity_id": job}]
    ), job


def test_a_link_is_created_once_and_removed_once(sandbox: Sandbox, target_config: Config, tmp_path: Path) -> None:
    """Each change of the link costs one request, and an equal record costs none."""
    record, job = linked_list(sandbox)
    unlinked = record_message(
        "material_lists", external_id="m", title="Van", disconnect=[{"from_entity": "job", "from_entity_id": job}]
    )
    outcomes = []
    for message in (record, record, unlinked, unlinked, record):
        since = len(sandbox.requests)
        outcomes.append(
            (
                run_target(target_config, singer_lines(MATERIAL_LISTS, message), tmp_path).counts,
                len(posts(sandbox, since)),
            )
        )
    assert outcomes == [
        ({"created": 1}, 2),
        ({"unchanged": 1}, 0),
        ({"updated": 1}, 1),
        ({"unchanged": 1}, 0),
        ({"updated": 1}, 1),
    ]
    row = newest_row(sandbox, "material_lists")
    assert [link.entity_id for link in sandbox.links(row["id"])] == [job]


def test_an_uncertain_link_is_not_sent_again(sandbox: Sandbox, target_config: Config, tmp_path: Path) -> None:
    """FieldPulse might create a second link, so the user settles the first one."""
    sandbox.add_fault(Fault("dropped_connection", method="POST", path="/material-lists/*", after_commit=True))
    text = singer_lines(MATERIAL_LISTS, linked_list(sandbox)[0])
    for _ in range(2):
        assert run_target(target_config, text, tmp_path).counts == {"uncertain": 1}
    row = newest_row(sandbox, "material_lists")
    assert len(sandbox.links(row["id"])) == 1
    key = f"link:{row['id']}:job:{linked_list(sandbox)[1]}"
    assert key in run_ledger_command(target_config, "list", "--pending").stdout
    assert (
        run_ledger_command(
            target_config, "settle", "--stream", "material_lists", "--key", key, "--link-created"
        ).returncode
        == 0
    )
    run_target(target_config, text, tmp_path)
    assert run_target(target_config, text, tmp_path).counts == {"unchanged": 1}
    assert len(sandbox.links(row["id"])) == 1


def test_items_are_connected_and_prices_are_updated(sandbox: Sandbox, target_config: Config, tmp_path: Path) -> None:
    """Both are properties of a record that the target sends as separate requests."""
    job, item = sandbox.rows("jobs")[0]["id"], sandbox.rows("items")[0]["id"]
    record = record_message(
        "material_lists",
        external_id="i",
        title="Van",
        item_connect=[{"to_entity": "job", "to_entity_id": job, "item_ids": [item]}],
    )
    assert run_target(target_config, singer_lines(MATERIAL_LISTS, record), tmp_path).counts == {"created": 1}
    row = newest_row(sandbox, "material_lists")
    assert [(link.entity_id, link.item_ids) for link in sandbox.links(row["id"])] == [(job, (item,))]
    prices = price_update(sandbox)
    prices["record"]["price_update"][0]["line_components"][0]["unit_price"] = "$3.00"
    text = singer_lines(PRICE_UPDATES, prices)
    assert run_target(target_config, text, tmp_path).counts == {"updated": 1}
    assert run_target(target_config, text, tmp_path).counts == {"unchanged": 1}
    after = row_by_id(sandbox, "invoices", prices["record"]["id"])
    assert after["line_items"][0]["line_components"][0]["unit_price"] == "3.0000"


def test_a_link_that_is_removed_and_added_in_one_record_exists(
    sandbox: Sandbox, target_config: Config, tmp_path: Path
) -> None:
    """The target removes links before it adds links, so that the row ends with the added ones."""
    job = sandbox.rows("jobs")[0]["id"]
    connect, disconnect = [{"to_entity": "job", "to_entity_id": job}], [{"from_entity": "job", "from_entity_id": job}]
    schema = schema_message("material_lists", "external_id", "title", "connect", "disconnect")
    for values in ({"connect": connect}, {"connect": connect, "disconnect": disconnect}):
        text = singer_lines(schema, record_message("material_lists", external_id="m", title="Van", **values))
        assert run_target(target_config, text, tmp_path).status == 0
    row = newest_row(sandbox, "material_lists")
    assert [link.entity_id for link in sandbox.links(row["id"])] == [job]


def test_a_new_element_of_an_action_costs_one_request(sandbox: Sandbox, target_config: Config, tmp_path: Path) -> None:
    """Elements of earlier records are not sent again."""
    job, items = sandbox.rows("jobs")[0]["id"], [row["id"] for row in sandbox.rows("items")[:3]]
    schema = schema_message("material_lists", "external_id", "title", "item_connect")
    sent = []
    for number in (2, 3):
        since = len(sandbox.requests)
        links = [{"to_entity": "job", "to_entity_id": job, "item_ids": [item]} for item in items[:number]]
        text = singer_lines(schema, record_message("material_lists", external_id="m", title="Van", item_connect=links))
        assert run_target(target_config, text, tmp_path).status == 0
        sent.append(sum("item-connect" in request for request in write_requests(sandbox, since)))
    assert sent == [2, 1]
