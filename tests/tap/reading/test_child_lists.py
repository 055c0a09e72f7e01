"""Child lists: they are read for parents that changed, and for all parents after some days."""

from __future__ import annotations

from typing import Any

import pytest

from fieldpulse_sandbox.sandbox import Sandbox
from tests.harness.tap_runner import run_tap

Config = dict[str, Any]


def count_parents_read(sandbox: Sandbox) -> int:
    """Return for how many parents the contacts were requested, and forget these requests."""
    paths = {request.path for request in sandbox.requests if request.path.endswith("/customer-contact")}
    sandbox.requests.clear()
    return len(paths)


@pytest.fixture
def first_state(sandbox: Sandbox, config: Config) -> Config:
    """Return the state after a first run, which reads the contacts of all customers."""
    emitted = run_tap(config, "customer_contacts")
    assert count_parents_read(sandbox) == len(sandbox.rows("customers"))
    assert emitted.ids("customer_contacts") == [row["id"] for row in sandbox.rows("customer_contacts")]
    return emitted.state


def test_only_children_of_changed_parents_are_read(sandbox: Sandbox, config: Config, first_state: Config) -> None:
    """The parent at the bookmark is read too, as in every incremental scan."""
    parent = sandbox.rows("customer_contacts")[0]["customer_id"]
    sandbox.store.update("customers", parent, {"notes": "Changed"})
    emitted = run_tap(config, "customer_contacts", state=first_state)
    assert {record["customer_id"] for record in emitted.records["customer_contacts"]} >= {parent}
    assert count_parents_read(sandbox) <= 2
    assert run_tap(config, "customer_contacts", state=emitted.state).state["bookmarks"]["customer_contacts"]["full_at"]


def test_all_child_lists_are_read_again_after_some_days(sandbox: Sandbox, config: Config, first_state: Config) -> None:
    """It is unknown whether a change of a contact sets `updated_at` of its customer."""
    first_state["bookmarks"]["customer_contacts"]["full_at"] = "2026-01-01T00:00:00.000000Z"
    emitted = run_tap(config, "customer_contacts", state=first_state)
    assert count_parents_read(sandbox) == len(sandbox.rows("customers"))
    assert emitted.state["bookmarks"]["customer_contacts"]["full_at"] > "2026-01-02"


def test_zero_days_read_all_child_lists_in_every_run(sandbox: Sandbox, config: Config, first_state: Config) -> None:
    """`contacts_full_refresh_days` is 0."""
    run_tap(config | {"contacts_full_refresh_days": 0}, "customer_contacts", state=first_state)
    assert count_parents_read(sandbox) == len(sandbox.rows("customers"))


def test_the_state_does_not_grow_with_the_account(config: Config, first_state: Config) -> None:
    """It contains a bookmark and a time, however many parents exist."""
    bookmark = first_state["bookmarks"]["customer_contacts"]
    assert set(bookmark) == {"parents", "full_at"}
    assert set(bookmark["parents"]) == {"replication_key", "replication_key_value"}


def test_a_server_that_does_not_sort_causes_requests_but_loses_no_contact(
    sandbox: Sandbox, config: Config, first_state: Config
) -> None:
    """The full list of parents is read, and the tap applies the bookmark."""
    parent = sandbox.rows("customer_contacts")[0]["customer_id"]
    sandbox.store.update("customers", parent, {"notes": "Changed"})
    sandbox.behaviour.honour_sort, sandbox.behaviour.shuffle_unsorted = False, True
    emitted = run_tap(config | {"page_size": 7}, "customer_contacts", state=first_state)
    assert parent in {record["customer_id"] for record in emitted.records["customer_contacts"]}
    assert count_parents_read(sandbox) <= 2


def test_an_unproven_list_of_parents_moves_no_bookmark(sandbox: Sandbox, config: Config, first_state: Config) -> None:
    """The next run reads the same child lists again."""
    parent = sandbox.rows("customer_contacts")[0]["customer_id"]
    sandbox.store.update("customers", parent, {"notes": "Changed"})
    sandbox.behaviour.honour_sort, sandbox.behaviour.shuffle_unsorted = False, True
    sandbox.behaviour.count_key, sandbox.behaviour.always_count = None, ()
    emitted = run_tap(config | {"page_size": 7}, "customer_contacts", state=first_state)
    assert emitted.state["bookmarks"]["customer_contacts"] == first_state["bookmarks"]["customer_contacts"]


def test_ten_changes_need_at_most_five_requests(sandbox: Sandbox, config: Config) -> None:
    """The stream is jobs with custom fields, and its list has several pages."""
    config |= {"page_size": 20}
    first = run_tap(config, "jobs")
    changed = [row["id"] for row in sandbox.rows("jobs")[::4]][:10]
    for row_id in changed:
        sandbox.store.update("jobs", row_id, {"subtitle": "Changed"})
    catalog_requests = len(sandbox.requests)
    emitted = run_tap(config, "jobs", state=first.state)
    assert set(changed) <= set(emitted.ids("jobs"))
    discovery = 1  # `run_tap` discovers first
    assert len(sandbox.requests) - catalog_requests - discovery <= 5
