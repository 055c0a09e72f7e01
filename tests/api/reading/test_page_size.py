"""Lists whose rows are too heavy for one response are read in smaller requests, without losing or doubling a row."""

from __future__ import annotations

import logging
from contextlib import closing
from datetime import timezone
from typing import Literal

import pytest

from fieldpulse_api.account_profile import AccountProfile, ListFacts
from fieldpulse_api.errors import ServerError
from fieldpulse_api.http.client import Client
from fieldpulse_api.http.page_size import PageSize
from fieldpulse_api.http.retry import RetryPolicy
from fieldpulse_api.reading.full_scan import FullScan
from fieldpulse_api.reading.incremental_scan import IncrementalScan
from fieldpulse_api.reading.pages import ReadOptions
from fieldpulse_api.values.scalars import optional_time
from fieldpulse_sandbox.faults.fault import Fault
from fieldpulse_sandbox.sandbox import Sandbox
from tests.api.reading.lists import ids_in, ids_of, pages_of

WHOLE_PAGES = ReadOptions(page_size=100, pages_in_flight=4)
FAST = RetryPolicy(first_wait_seconds=0.01)


def sizes_of(sandbox: Sandbox, path: str) -> list[int]:
    return [int(request.query["limit"]) for request in sandbox.requests if request.path == path]


def make_heavy(sandbox: Sandbox, name: str, row_bytes: int, *, every: int = 1) -> None:
    """Let each of these rows have so many bytes."""
    for row in sandbox.rows(name)[::every]:
        sandbox.store.tables[name].upsert(row | {"notes": "x" * row_bytes})


@pytest.mark.parametrize("order", ["sorted", "unsorted"])
@pytest.mark.parametrize("counts", ["total_count", None])
@pytest.mark.parametrize("every", [1, 7, 50])
def test_heavy_rows_come_once_each(
    sandbox: Sandbox, client: Client, every: int, counts: Literal["total_count"] | None, order: str
) -> None:
    sandbox.behaviour.max_response_bytes = 400_000
    sandbox.behaviour.count_key, sandbox.behaviour.honour_sort = counts, order == "sorted"
    make_heavy(sandbox, "jobs", 60_000, every=every)
    pages = pages_of(client, "jobs", WHOLE_PAGES)
    received = ids_of(FullScan(pages).rows())
    assert sorted(received) == ids_in(sandbox, "jobs")
    assert pages.stats.verdict == "complete"


def test_the_size_falls_to_one_row(sandbox: Sandbox, client: Client) -> None:
    sandbox.behaviour.max_response_bytes = 100_000
    make_heavy(sandbox, "users", 60_000)
    assert ids_of(FullScan(pages_of(client, "users", WHOLE_PAGES)).rows())
    assert set(sizes_of(sandbox, "/users")) == {100, 50, 25, 10, 5, 2, 1}


def test_a_size_that_was_found_holds_for_the_run(sandbox: Sandbox, client: Client) -> None:
    """The second read of the same list begins with the size of the first."""
    sandbox.behaviour.max_response_bytes = 100_000
    make_heavy(sandbox, "users", 60_000)
    ids_of(FullScan(pages_of(client, "users", WHOLE_PAGES)).rows())
    sandbox.requests.clear()
    ids_of(FullScan(pages_of(client, "users", WHOLE_PAGES)).rows())
    assert set(sizes_of(sandbox, "/users")) == {1}


def test_one_line_says_the_size_and_the_reason(
    sandbox: Sandbox, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    sandbox.behaviour.max_response_bytes = 100_000
    make_heavy(sandbox, "users", 60_000)
    ids_of(FullScan(pages_of(client, "users", WHOLE_PAGES)).rows())
    lines = [record.getMessage() for record in caplog.records if "at a time" in record.getMessage()]
    reason = "FieldPulse had an internal error (HTTP 500): Internal Server Error"
    assert lines == [f"users: reading 1 rows at a time, because more did not come: {reason}"]


def test_the_size_grows_again_after_a_short_failure(sandbox: Sandbox, client: Client) -> None:
    sandbox.add_fault(Fault("error_status", path="/customers", status=503, times=2))
    pages = pages_of(client, "customers", ReadOptions(page_size=10, pages_in_flight=1))
    assert ids_of(FullScan(pages).rows()) == ids_in(sandbox, "customers")
    sizes = sizes_of(sandbox, "/customers")
    assert sizes[:3] == [10, 10, 5]
    assert sizes[-1] == 10


@pytest.mark.parametrize("kind", ["slow_response", "truncated_connection", "dropped_connection", "truncated_json"])
def test_a_response_that_does_not_come_whole_is_requested_in_parts(
    sandbox: Sandbox, client: Client, kind: Literal["slow_response"]
) -> None:
    sandbox.add_fault(Fault(kind, path="/jobs", times=2, seconds=1.5))
    settings = client.settings
    object.__setattr__(settings, "timeout_seconds", 0.5)
    with closing(Client(settings, retry_policy=FAST)) as impatient:
        assert ids_of(FullScan(pages_of(impatient, "jobs", WHOLE_PAGES)).rows()) == ids_in(sandbox, "jobs")
    assert sizes_of(sandbox, "/jobs")[:3] == [100, 100, 50]


def test_teams_are_requested_five_at_first(sandbox: Sandbox, client: Client) -> None:
    assert sorted(ids_of(FullScan(pages_of(client, "teams", WHOLE_PAGES)).rows())) == ids_in(sandbox, "teams")
    assert sizes_of(sandbox, "/teams")[0] == 5


def test_the_account_profile_sets_the_size_at_first(sandbox: Sandbox, client: Client) -> None:
    profile = AccountProfile(lists={"jobs": ListFacts(page_size=25)})
    object.__setattr__(client.settings, "profile", profile)
    assert ids_of(FullScan(pages_of(client, "jobs", WHOLE_PAGES)).rows()) == ids_in(sandbox, "jobs")
    assert sizes_of(sandbox, "/jobs")[0] == 25


def test_a_list_that_always_fails_ends_with_the_server_error(sandbox: Sandbox, client: Client) -> None:
    """The smallest size is tried as often as any other request."""
    sandbox.add_fault(Fault("error_status", path="/jobs", status=500, times=10_000))
    with closing(Client(client.settings, retry_policy=FAST)) as fast, pytest.raises(ServerError):
        ids_of(FullScan(pages_of(fast, "jobs", WHOLE_PAGES)).rows())
    assert sizes_of(sandbox, "/jobs") == [100, 100, 50, 50, 25, 25, 10, 10, 5, 5, 2, 2, *[1] * 6]


@pytest.mark.parametrize("cap", [3, 7, 20])
@pytest.mark.parametrize("failing_page", [1, 2, 3, 5])
def test_changed_sizes_lose_no_row_where_the_server_caps_the_limit(
    sandbox: Sandbox, client: Client, cap: int, failing_page: int
) -> None:
    """Pages of another size do not begin where the last one ended: such a pass proves nothing."""
    sandbox.behaviour.max_limit, sandbox.behaviour.count_key, sandbox.behaviour.always_count = cap, None, ()
    sandbox.add_fault(Fault("error_status", path="/jobs", status=504, times=2, skip=failing_page - 1))
    pages = pages_of(client, "jobs", ReadOptions(page_size=20, pages_in_flight=1))
    assert sorted(ids_of(FullScan(pages).rows())) == ids_in(sandbox, "jobs")
    assert pages.stats.verdict == "complete"


@pytest.mark.parametrize("cap", [3, 7, 20])
@pytest.mark.parametrize("failing_page", [1, 2, 3])
def test_changed_sizes_lose_no_row_after_a_bookmark(
    sandbox: Sandbox, client: Client, cap: int, failing_page: int
) -> None:
    sandbox.behaviour.max_limit = cap
    rows = sorted(sandbox.rows("jobs"), key=lambda row: str(row["updated_at"]), reverse=True)
    since = optional_time(rows[50]["updated_at"], timezone.utc)
    sandbox.add_fault(Fault("error_status", path="/jobs", status=504, times=2, skip=failing_page - 1))
    pages = pages_of(client, "jobs", ReadOptions(page_size=20, pages_in_flight=1))
    received = set(ids_of(IncrementalScan(pages, "updated_at", since).rows()))
    assert received >= {row["id"] for row in rows[:51]}
    assert pages.stats.verdict == "complete"


@pytest.mark.parametrize("largest", [1, 7, 20, 96, 100])
def test_every_size_divides_the_largest(largest: int) -> None:
    size = PageSize(largest, start=largest)
    sizes = [size.current]
    while size.shrink(size.current):
        sizes.append(size.current)
    assert sizes[-1] == 1
    assert all(largest % each == 0 for each in sizes)


def test_a_list_that_keeps_failing_is_asked_for_more_ever_more_rarely() -> None:
    """After each failure, growing takes twice as many light responses."""
    size, failures = PageSize(100, start=100), 0
    for _ in range(1000):
        if size.current == 100:
            failures += 1
            size.shrink(100)
        else:
            size.observe(size.current, body_bytes=1000, seconds=0.1)
    assert failures <= 10


@pytest.mark.parametrize(("body_bytes", "seconds"), [(3_000_000, 0.1), (1000, 8.0)])
def test_a_size_whose_double_would_be_heavy_or_slow_does_not_grow(body_bytes: int, seconds: float) -> None:
    size = PageSize(100, start=5)
    for _ in range(100):
        size.observe(5, body_bytes=body_bytes, seconds=seconds)
    assert size.current == 5
