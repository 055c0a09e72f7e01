"""Children are asked for where their parents changed, and everywhere every so often."""

from __future__ import annotations

from typing import Any

import pytest

from fieldpulse_sandbox.sandbox import Sandbox
from tests.harness.tap_runner import run_tap

Config = dict[str, Any]


def count_parents_read(box: Sandbox) -> int:
    """Return how many parents were asked for their children, and forget it."""
    paths = {request.path for request in box.requests if request.path.endswith("/customer-contact")}
    box.requests.clear()
    return len(paths)


@pytest.fixture
def first_state(box: Sandbox, config: Config) -> Config:
    """Return the state behind a first run that asked everybody."""
    emitted = run_tap(config, "customer_contacts")
    assert count_parents_read(box) == len(box.rows("customers"))
    assert emitted.ids("customer_contacts") == [row["id"] for row in box.rows("customer_contacts")]
    return emitted.state


def test_only_parents_that_changed_are_asked(box: Sandbox, config: Config, first_state: Config) -> None:
    """And the one at the bookmark, as everywhere."""
    parent = box.rows("customer_contacts")[0]["customer_id"]
    box.store.update("customers", parent, {"notes": "Changed"})
    emitted = run_tap(config, "customer_contacts", state=first_state)
    assert {record["customer_id"] for record in emitted.records["customer_contacts"]} >= {parent}
    assert count_parents_read(box) <= 2
    assert run_tap(config, "customer_contacts", state=emitted.state).state["bookmarks"]["customer_contacts"]["full_at"]


def test_all_are_asked_again_after_some_days(box: Sandbox, config: Config, first_state: Config) -> None:
    """Nobody knows whether a contact that changes stamps its customer."""
    first_state["bookmarks"]["customer_contacts"]["full_at"] = "2026-01-01T00:00:00.000000Z"
    emitted = run_tap(config, "customer_contacts", state=first_state)
    assert count_parents_read(box) == len(box.rows("customers"))
    assert emitted.state["bookmarks"]["customer_contacts"]["full_at"] > "2026-01-02"


def test_all_are_asked_always_if_so_wished(box: Sandbox, config: Config, first_state: Config) -> None:
    """Zero days."""
    run_tap(config | {"contacts_full_refresh_days": 0}, "customer_contacts", state=first_state)
    assert count_parents_read(box) == len(box.rows("customers"))


def test_the_state_does_not_grow_with_the_account(config: Config, first_state: Config) -> None:
    """A bookmark and a time, however many parents there are."""
    bookmark = first_state["bookmarks"]["customer_contacts"]
    assert set(bookmark) == {"parents", "full_at"}
    assert set(bookmark["parents"]) == {"replication_key", "replication_key_value"}


def test_a_server_that_does_not_sort_costs_requests_and_no_contacts(
    box: Sandbox, config: Config, first_state: Config
) -> None:
    """The parents are read whole, and the bookmark is applied to them here."""
    parent = box.rows("customer_contacts")[0]["customer_id"]
    box.store.update("customers", parent, {"notes": "Changed"})
    box.behaviour.honour_sort, box.behaviour.shuffle_unsorted = False, True
    emitted = run_tap(config | {"page_size": 7}, "customer_contacts", state=first_state)
    assert parent in {record["customer_id"] for record in emitted.records["customer_contacts"]}
    assert count_parents_read(box) <= 2


def test_a_run_that_did_not_end_moves_nothing(box: Sandbox, config: Config, first_state: Config) -> None:
    """What was not proved complete is asked for again."""
    parent = box.rows("customer_contacts")[0]["customer_id"]
    box.store.update("customers", parent, {"notes": "Changed"})
    box.behaviour.honour_sort, box.behaviour.shuffle_unsorted = False, True
    box.behaviour.count_key, box.behaviour.always_count = None, ()
    emitted = run_tap(config | {"page_size": 7}, "customer_contacts", state=first_state)
    assert emitted.state["bookmarks"]["customer_contacts"] == first_state["bookmarks"]["customer_contacts"]


def test_ten_changes_cost_five_requests_at_most(box: Sandbox, config: Config) -> None:
    """Of jobs, with their custom fields, in a list of several pages."""
    config |= {"page_size": 20}
    first = run_tap(config, "jobs")
    changed = [row["id"] for row in box.rows("jobs")[::4]][:10]
    for row_id in changed:
        box.store.update("jobs", row_id, {"subtitle": "Changed"})
    catalog_requests = len(box.requests)
    emitted = run_tap(config, "jobs", state=first.state)
    assert set(changed) <= set(emitted.ids("jobs"))
    discovery = 1  # `run_tap` discovers first
    assert len(box.requests) - catalog_requests - discovery <= 5
