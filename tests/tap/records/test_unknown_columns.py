"""Unknown columns: logged with their types, and announced in the catalog if discovery reads a sample."""

from __future__ import annotations

from typing import Any

import pytest

from fieldpulse_api.resources.catalogue import RESOURCES
from fieldpulse_sandbox.faults.fault import Fault
from fieldpulse_sandbox.sandbox import Sandbox
from tap_fieldpulse.records.discovery_sample import infer_schema
from tap_fieldpulse.tap import TapFieldPulse
from tests.harness.tap_runner import run_tap, select_streams

Config = dict[str, Any]


def test_an_unknown_column_is_logged_once_with_its_types(
    sandbox: Sandbox, config: Config, caplog: pytest.LogCaptureFixture
) -> None:
    """A user learns of a new column of the API from the log."""
    first, second, *_ = sandbox.rows("tags")
    sandbox.store.patch("tags", first["id"], {"brand_new": 1, "brand_time": "2026-03-09 18:22:41"})
    sandbox.store.patch("tags", second["id"], {"brand_new": "one"})
    emitted = run_tap(config, "tags")
    unexpected = [record["unexpected_fields"] for record in emitted.records["tags"]]
    assert unexpected[:2] == [{"brand_new": 1, "brand_time": "2026-03-09 18:22:41"}, {"brand_new": "one"}]
    (warning,) = [log.getMessage() for log in caplog.records if "brand_new" in log.getMessage()]
    assert "brand_new (integer or string), brand_time (date-time)" in warning


def test_users_are_emitted_by_an_allow_list(sandbox: Sandbox, config: Config, caplog: pytest.LogCaptureFixture) -> None:
    """Their rows have secrets: unknown flags go into one object, and all else that is unknown is left out and named."""
    first, *_ = sandbox.rows("users")
    sandbox.store.patch("users", first["id"], {"sandbox_pin": "sandbox-secret-pin", "sandbox_flag": True})
    emitted = run_tap(config | {"add_labels": True}, "users", "teams")
    assert "sandbox-secret" not in emitted.stdout
    assert "coordinates" not in emitted.stdout
    (warning,) = [log.getMessage() for log in caplog.records if "left out" in log.getMessage()]
    assert "sandbox_pin" in warning
    assert "sandbox_flag" not in warning
    announced = set(emitted.schemas["users"]["properties"])
    for record in emitted.records["users"]:
        assert set(record) == announced
        assert len(record["permissions"]) >= 100
        assert record["updated_at"].endswith("Z")
    assert emitted.records["users"][0]["permissions"]["sandbox_flag"] is True
    assert "Unknown (6)" in {record["role_label"] for record in emitted.records["users"]}


def test_a_sampled_column_is_announced_with_a_nullable_type(
    sandbox: Sandbox, config: Config, caplog: pytest.LogCaptureFixture
) -> None:
    """One page of each stream is read, and the run that follows reads no second sample."""
    for row in sandbox.rows("tags"):
        new = {"count": 7, "price": 1.5, "on": True, "seen": "2026-03-09 18:22:41", "why": "x", "none": None}
        sandbox.store.patch("tags", row["id"], new | {"deep": {"a": [1, None]}, "mixed": row["id"] % 2 or "odd"})
    catalog = select_streams(TapFieldPulse(config=dict(config) | {"sample_on_discovery": True}), ["tags"])
    sandbox.requests.clear()
    emitted = run_tap(config | {"sample_on_discovery": True}, catalog=catalog)
    properties = emitted.schemas["tags"]["properties"]
    assert properties["count"]["type"] == ["integer", "null"]
    assert properties["price"]["type"] == ["number", "null"]
    assert properties["on"]["type"] == ["boolean", "null"]
    assert properties["seen"] == {"type": ["string", "null"], "format": "date-time"}
    assert properties["mixed"]["type"] == properties["none"]["type"] == ["string", "null"]
    assert properties["deep"]["properties"]["a"]["items"]["type"] == ["integer", "null"]
    record = emitted.records["tags"][0]
    assert record["seen"] == "2026-03-09T18:22:41.000000Z"
    assert set(record) <= set(properties)
    assert "not in the catalogue" not in caplog.text
    assert {request.path for request in sandbox.requests} == {"/tags"}


def test_sampling_sends_one_request_per_stream(sandbox: Sandbox, config: Config) -> None:
    """Two more requests read the parents of a child list and the custom field definitions.

    The contacts of some customers are read, until one has any.
    """
    TapFieldPulse(config=dict(config) | {"sample_on_discovery": True}).catalog_json_text  # noqa: B018  reading the property sends the requests
    paths = [request.path for request in sandbox.requests if "customer-contact" not in request.path]
    assert sorted(paths) == sorted(
        [*(resource.path for resource in RESOURCES if not resource.parent), "/customers", "/custom-fields"]
    )
    assert len(sandbox.requests) - len(paths) <= 20


def test_contacts_are_sampled_where_the_newest_customer_has_none(sandbox: Sandbox, config: Config) -> None:
    contact = sandbox.rows("customer_contacts")[0]
    sandbox.store.patch("customer_contacts", contact["id"], {"nickname": "Ada"})
    for row in sandbox.rows("customers"):
        if row["id"] > contact["customer_id"]:
            for child in sandbox.rows("customer_contacts"):
                if child["customer_id"] == row["id"]:
                    sandbox.store.delete("customer_contacts", child["id"])
    newest = sorted((row["id"] for row in sandbox.rows("customers")), reverse=True)
    for row_id in newest[: newest.index(contact["customer_id"])][10:]:
        sandbox.store.delete("customers", row_id)
    catalog = TapFieldPulse(config=dict(config) | {"sample_on_discovery": True}).catalog_dict
    (entry,) = [entry for entry in catalog["streams"] if entry["tap_stream_id"] == "customer_contacts"]
    assert "nickname" in entry["schema"]["properties"]


def test_a_stream_that_cannot_be_sampled_is_still_discovered(
    sandbox: Sandbox, config: Config, caplog: pytest.LogCaptureFixture
) -> None:
    """The account's plan may lack the list."""
    sandbox.add_fault(Fault("error_status", path="/tags", status=404, times=9))
    tap = TapFieldPulse(config=dict(config) | {"sample_on_discovery": True})
    assert "tags" in tap.streams
    assert tap.catalog_dict["streams"]
    assert "tags: cannot read a sample" in caplog.text


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        ([1, ""], "integer"),
        ([True, None], "boolean"),
        ([{"a": 1}, []], "object"),
        ([[1], ""], "array"),
        (["2026-01-01 00:00:00", ""], "string"),
        ([1, "x"], "string"),
        ([1, 2.5], "number"),
        ([], "string"),
    ],
)
def test_the_type_of_a_column_is_inferred_from_values_that_are_not_empty(values: list[Any], wanted: str) -> None:
    """An empty text is null in rows that the web form saved (API facts 4.0)."""
    assert infer_schema(values)["type"] == [wanted, "null"]
