"""No changed row is missed, and a list that does not keep the order is read completely."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone

import pytest

from fieldpulse_api.http.client import Client
from fieldpulse_api.reading.incremental_scan import IncrementalScan, read_newest_id
from fieldpulse_api.reading.pages import ReadOptions
from fieldpulse_api.values.scalars import to_utc
from fieldpulse_sandbox.sandbox import Sandbox
from fieldpulse_sandbox.server.recorded_request import RecordedRequest
from tests.api.reading.lists import ONE_PAGE_AT_A_TIME, ids_in, ids_of, pages_of


def changed(sandbox: Sandbox, name: str, since: datetime) -> set[int]:
    zone = timezone.utc
    return {row["id"] for row in sandbox.rows(name) if (time := to_utc(row["updated_at"], zone)) and time >= since}


def since_of(sandbox: Sandbox, name: str, newest: int) -> datetime:
    times = sorted(time for row in sandbox.rows(name) if (time := to_utc(row["updated_at"], timezone.utc)))
    return times[-newest]


@pytest.mark.parametrize("name", ["jobs", "customers", "invoices", "locations"])
@pytest.mark.parametrize("newest", [1, 10, 11, 35])
def test_exactly_the_changed_rows_are_read(sandbox: Sandbox, client: Client, name: str, newest: int) -> None:
    """In either form of the sort parameters, on one page or several."""
    since = since_of(sandbox, name, newest)
    pages = pages_of(client, name)
    received = ids_of(IncrementalScan(pages, "updated_at", since).rows())
    assert sorted(received) == sorted(changed(sandbox, name, since))
    assert pages.stats.verdict == "complete"


def test_a_few_changes_cost_three_requests(sandbox: Sandbox, client: Client) -> None:
    """The newest page, one that is wholly older, and the check in reverse order."""
    ids_of(IncrementalScan(pages_of(client, "jobs"), "updated_at", since_of(sandbox, "jobs", 5)).rows())
    assert len(sandbox.requests) <= 3


@pytest.mark.parametrize("shuffled", [False, True])
def test_an_ignored_sort_hides_no_changed_row(sandbox: Sandbox, client: Client, shuffled: bool) -> None:
    """A list that is not sorted by time is read completely."""
    sandbox.behaviour.honour_sort = False
    sandbox.behaviour.shuffle_unsorted = shuffled
    since = since_of(sandbox, "jobs", 12)
    pages = pages_of(client, "jobs")
    assert sorted(ids_of(IncrementalScan(pages, "updated_at", since).rows())) == sorted(changed(sandbox, "jobs", since))
    assert any("did not keep the sort" in note for note in pages.stats.notes)


def test_an_order_that_only_looks_right_is_detected(sandbox: Sandbox, client: Client) -> None:
    """A server that ignores the sort may list the newest ids first: in order at the top, and wrong below."""
    sandbox.behaviour.honour_sort = False
    rows = sorted(sandbox.rows("tags"), key=lambda row: row["id"])
    since = datetime.now(timezone.utc) - timedelta(minutes=1)
    client.put(f"/tags/{rows[-1]['id']}", {"title": "Changed"})
    received = ids_of(IncrementalScan(pages_of(client, "tags", ReadOptions(page_size=2)), "updated_at", since).rows())
    assert received == [rows[-1]["id"]]


Change = Callable[[Sandbox, Client, list[int]], object]


@pytest.mark.parametrize("counts", ["total_count", None])
@pytest.mark.parametrize(
    "change",
    [
        lambda sandbox, _, received: sandbox.store.delete("customers", received[0]),
        lambda _, client, received: client.post("/customers", {"first_name": "New"}),
        lambda _, client, received: client.put(f"/customers/{received[-1]}", {"notes": "moved to the top"}),
        lambda sandbox, client, received: (
            client.post("/customers", {"first_name": "N"}),
            sandbox.store.delete("customers", received[1]),
        ),
    ],
    ids=["delete", "insert", "update", "insert and delete"],
)
def test_a_change_during_the_scan_hides_no_changed_row(
    sandbox: Sandbox, client: Client, change: Change, counts: str | None
) -> None:
    """Rows slide between pages; they are read again until no row is added."""
    sandbox.behaviour.count_key = counts  # type: ignore[assignment]
    since = since_of(sandbox, "customers", 35)
    before = changed(sandbox, "customers", since)
    received: list[int] = []
    for page in IncrementalScan(pages_of(client, "customers", ONE_PAGE_AT_A_TIME), "updated_at", since).rows():
        first = not received
        received += [row["id"] for row in page]
        if first:
            change(sandbox, client, received)
    assert before <= set(received)


def test_a_sort_that_applies_only_to_ties_is_detected(sandbox: Sandbox, client: Client) -> None:
    """Rows sorted by id look sorted by time: an old row that was just changed is read all the same."""
    sandbox.behaviour.unsortable_columns = ("updated_at",)
    newest, changed = sandbox.rows("payments")[-1], sandbox.rows("payments")[3]
    for row in (newest, changed):
        sandbox.store.update("payments", row["id"], {"notes": "Changed"})
    since = to_utc(sandbox.store.get("payments", changed["id"])["updated_at"], timezone.utc)
    received = ids_of(IncrementalScan(pages_of(client, "payments"), "updated_at", since).rows())
    assert set(received) == {newest["id"], changed["id"]}


def test_a_row_without_a_time_is_always_read(sandbox: Sandbox, client: Client) -> None:
    """It cannot be compared with the bookmark, so it counts as newer."""
    row = sandbox.rows("customers")[5]
    sandbox.store.patch("customers", row["id"], {"updated_at": None})
    since = since_of_valid(sandbox)
    assert row["id"] in ids_of(IncrementalScan(pages_of(client, "customers"), "updated_at", since).rows())


def since_of_valid(sandbox: Sandbox) -> datetime:
    times = [to_utc(row["updated_at"], timezone.utc) for row in sandbox.rows("customers") if row["updated_at"]]
    return max(time for time in times if time)


@pytest.mark.parametrize("shuffled", [False, True])
@pytest.mark.parametrize("honoured", [True, False])
@pytest.mark.parametrize("name", ["customers", "jobs", "tags", "payments"])
def test_the_newest_id_is_found_with_and_without_a_sort(
    sandbox: Sandbox, client: Client, name: str, honoured: bool, shuffled: bool
) -> None:
    """A row that existed before a create must not be mistaken for the created one, not even by chance."""
    sandbox.behaviour.honour_sort, sandbox.behaviour.shuffle_unsorted = honoured, shuffled
    sandbox.behaviour.count_key = None
    for _ in range(5):
        assert read_newest_id(pages_of(client, name)) == max(ids_in(sandbox, name))


def test_the_newest_id_of_a_list_whose_first_row_comes_meanwhile(sandbox: Sandbox, client: Client) -> None:
    """The first of two requests saw an empty list; the second did not."""
    for row_id in ids_in(sandbox, "material_lists"):
        sandbox.store.delete("material_lists", row_id)
    created: list[int] = []

    def create_once(_: RecordedRequest) -> None:
        if len(sandbox.requests) == 2 and not created:
            created.append(sandbox.store.create("material_lists", {"title": "First"})["id"])

    sandbox.on_request = create_once
    assert [read_newest_id(pages_of(client, "material_lists"))] == created


def test_rows_that_slide_down_while_others_are_created_are_in_order(sandbox: Sandbox, client: Client) -> None:
    """A create follows every page: the list is not read completely, and every earlier row comes."""
    known = max(ids_in(sandbox, "customers"))
    for number in range(35):
        sandbox.store.create("customers", {"first_name": f"New{number}"})
    wanted = [row_id for row_id in ids_in(sandbox, "customers") if row_id > known]
    sandbox.on_request = lambda request: sandbox.store.create("customers", {"first_name": "Meanwhile"}) and None
    pages = pages_of(client, "customers", ONE_PAGE_AT_A_TIME)
    assert set(wanted) <= set(ids_of(IncrementalScan(pages, "id", known + 1).rows()))
    assert pages.stats.verdict == "complete"
    assert pages.stats.pages < 20


def test_changes_beyond_a_page_number_that_is_ignored_are_incomplete(sandbox: Sandbox, client: Client) -> None:
    """More rows changed than one page holds, and the second page is the first again."""
    sandbox.behaviour.honour_page = False
    pages = pages_of(client, "timesheets", ReadOptions(page_size=5))
    ids_of(IncrementalScan(pages, "updated_at", since_of(sandbox, "timesheets", 15)).rows())
    assert pages.stats.verdict == "incomplete"
