"""Lists that are read before the turn of their stream: what is emitted does not depend on it."""

from __future__ import annotations

import threading
from collections import Counter
from typing import Any

import pytest

from fieldpulse_api.errors import AuthenticationError, Forbidden
from fieldpulse_sandbox.faults.fault import Fault
from fieldpulse_sandbox.sandbox import Sandbox
from tap_fieldpulse.tap import TapFieldPulse
from tests.harness.results import RunResult
from tests.harness.tap_runner import join_prefetch_threads, run_tap, select_streams

Config = dict[str, Any]
SMALL_LISTS = ("comments", "customers", "invoices", "users")
IN_ORDER = {"pages_in_flight": 1}


def paths(sandbox: Sandbox) -> list[str]:
    """Return the paths of the requests so far."""
    return [request.path for request in sandbox.requests]


def paths_before_comments(sandbox: Sandbox, config: Config, *streams: str) -> Counter[str]:
    """Run the tap on the comments and these streams. Return what it requested until the comments came, which are late.

    The other lists take milliseconds. After the first page of the comments, the second is requested.
    """
    sandbox.requests.clear()
    sandbox.add_fault(Fault("slow_response", path="/comments", seconds=1))
    run_tap(config, "comments", *streams)
    requested = paths(sandbox)
    return Counter(requested[: requested.index("/comments", requested.index("/comments") + 1)])


def test_what_is_emitted_does_not_depend_on_it(sandbox: Sandbox, config: Config) -> None:
    """Also the order of streams and records, and the state."""
    ahead, in_order = run_tap(config), run_tap(config | IN_ORDER)
    assert list(ahead.records) == list(in_order.records)
    assert ahead.records == in_order.records
    assert ahead.state["bookmarks"].keys() == in_order.state["bookmarks"].keys()
    assert sandbox.requests


def test_small_lists_are_read_while_the_first_one_waits(sandbox: Sandbox, config: Config) -> None:
    """With one page in flight, streams are read in their order."""
    assert set(paths_before_comments(sandbox, config, *SMALL_LISTS)) >= {"/customers", "/invoices", "/users"}
    assert set(paths_before_comments(sandbox, config | IN_ORDER, *SMALL_LISTS)) == {"/comments", "/custom-fields"}


def test_a_large_list_takes_few_pages_before_its_turn(sandbox: Sandbox, config: Config) -> None:
    """Its first pages wait in memory; the rest of it is requested when it is written."""
    before = paths_before_comments(sandbox, config | {"page_size": 2}, "customers", "users")
    assert 0 < before["/customers"] <= 6  # the first page twice, the newest id, and three more
    assert paths(sandbox).count("/customers") > 15


@pytest.mark.parametrize(
    "settings",
    [{"filters": {"customers": {"status": "lead"}}}, {"detect_deletes": True}, {"webhook_token": "a" * 32}],
    ids=["filters", "snapshot", "webhooks"],
)
def test_what_depends_on_the_time_of_reading_waits_for_its_turn(
    sandbox: Sandbox, snapshot_config: Config, settings: Config
) -> None:
    """Rows are compared with a snapshot, with webhooks, or need a list of names first."""
    streams = ("customers", *(["deleted_rows"] if "detect_deletes" in settings else []))
    before = paths_before_comments(sandbox, snapshot_config | settings, *streams)
    assert before["/customers"] <= 1  # the row that names the account


def test_a_list_that_fails_fails_at_its_place(
    sandbox: Sandbox, config: Config, capsys: pytest.CaptureFixture[str]
) -> None:
    """The streams before and behind it are emitted, and all that was begun ends: `run_tap` waits for its threads."""
    sandbox.add_fault(Fault("error_status", path="/customers", status=403, times=100))
    catalog = select_streams(TapFieldPulse(config=dict(config)), SMALL_LISTS)
    tap = TapFieldPulse(config=dict(config), catalog=catalog)
    with pytest.raises(Forbidden):
        tap.sync_all()
    join_prefetch_threads()
    emitted = RunResult(capsys.readouterr().out).records
    assert {name for name, records in emitted.items() if records} == {"comments", "invoices", "users"}


def test_a_run_that_ends_early_abandons_what_it_began(sandbox: Sandbox, config: Config) -> None:
    """Lists that were begun and not taken hold no thread."""
    sandbox.add_fault(Fault("error_status", path="/comments", status=401, times=100))
    with pytest.raises(AuthenticationError):
        run_tap(config | {"page_size": 2}, *SMALL_LISTS)
    assert [thread.name for thread in threading.enumerate() if thread.name.startswith("fieldpulse_ahead")] == []


def test_an_incremental_run_with_nothing_new_costs_two_requests_a_list(shared: Sandbox, config: Config) -> None:
    """A list of more than a page: its first page, and the oldest row, which shows that it is sorted."""
    config = config | {"api_key": shared.key, "api_url": shared.url, "custom_fields": "raw"}
    streams = ("customers", "jobs", "users")
    state = run_tap(config, *streams).state
    shared.requests.clear()
    run_tap(config, *streams, state=state)
    assert Counter(paths(shared)) == {"/customers": 2, "/jobs": 2, "/users": 2}
