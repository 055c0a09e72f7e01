"""No row is missed and none comes twice, whatever the server does with order, pages and counts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from random import Random
from typing import Literal

import pytest

from fieldpulse_api.http.client import Client
from fieldpulse_api.reading.child_lists import ChildLists
from fieldpulse_api.reading.full_scan import FullScan
from fieldpulse_api.reading.incremental_scan import IncrementalScan, read_newest_id
from fieldpulse_api.reading.pages import Pages, ReadOptions, Row
from fieldpulse_api.resources.catalogue import BY_NAME, RESOURCES
from fieldpulse_api.resources.model import Resource
from fieldpulse_api.values.scalars import to_utc
from fieldpulse_sandbox.faults.fault import Fault
from fieldpulse_sandbox.sandbox import Sandbox

READING = ReadOptions(page_size=10, pages_in_flight=4)
ONE_AT_A_TIME = ReadOptions(page_size=10, pages_in_flight=1)


@pytest.fixture
def box() -> Iterator[Sandbox]:
    """Start an account of several pages of ten."""
    with Sandbox(customers=60) as one:
        yield one


def read(pages: Iterator[list[Row]]) -> list[int]:
    return [row["id"] for page in pages for row in page]


def ids(box: Sandbox, name: str) -> list[int]:
    return [row["id"] for row in box.rows(name)]


def pages_of(client: Client, name: str, reading: ReadOptions = READING) -> Pages:
    return Pages(client, BY_NAME[name], reading)


@pytest.mark.parametrize("resource", [one for one in RESOURCES if not one.parent], ids=lambda one: one.name)
def test_every_list_is_read_whole_and_in_order(box: Sandbox, client: Client, resource: Resource) -> None:
    """For each resource: the account's rows, each once; in order where a sort is documented."""
    pages = Pages(client, resource, READING)
    found = read(FullScan(pages).rows())
    assert (found if resource.supports_sort else sorted(found)) == ids(box, resource.name)
    assert pages.stats.verdict == "complete"
    assert pages.stats.records == len(ids(box, resource.name))


def test_a_list_with_a_count_costs_no_more_than_its_pages_and_four(box: Sandbox, client: Client) -> None:
    """The first page twice, the mark at the end, the empty page; nothing is fetched ahead in vain."""
    pages = pages_of(client, "customers")
    read(FullScan(pages).rows())
    assert len(box.requests) == -(-len(ids(box, "customers")) // 10) + 3


def test_an_ignored_sort_costs_requests_and_no_rows(box: Sandbox, client: Client) -> None:
    """Rows that slide about between pages are read until they are all there."""
    box.behaviour.honour_sort = False
    box.behaviour.shuffle_unsorted = True
    pages = pages_of(client, "customers")
    assert sorted(read(FullScan(pages).rows())) == ids(box, "customers")
    assert pages.stats.verdict == "complete"
    assert any("did not sort" in note for note in pages.stats.notes)


def test_without_a_count_a_second_reading_confirms_the_first(box: Sandbox, client: Client) -> None:
    """Where nothing can be counted, what comes twice the same is believed."""
    box.behaviour.count_key = None
    pages = pages_of(client, "customers")
    assert read(FullScan(pages).rows()) == ids(box, "customers")
    assert pages.stats.verdict == "complete"
    assert pages.stats.server_count is None


def test_a_server_that_caps_pages_does_not_end_the_walk_early(box: Sandbox, client: Client) -> None:
    """A short page is not the end: the server may take less than it was asked for."""
    box.behaviour.max_limit = 7
    assert read(FullScan(pages_of(client, "customers")).rows()) == ids(box, "customers")


def test_a_list_that_ignores_the_page_is_said_to_be_incomplete(box: Sandbox, client: Client) -> None:
    """The first page over and over is noticed, and never taken for the whole list."""
    box.behaviour.honour_page = False
    pages = pages_of(client, "users", ReadOptions(page_size=5))
    assert len(read(FullScan(pages).rows())) == 5
    assert pages.stats.verdict == "incomplete"


@pytest.mark.parametrize("counts", ["total_count", None])
def test_the_same_page_over_and_over_is_no_order(box: Sandbox, client: Client, counts: str | None) -> None:
    """Two passes that are alike prove a list only if it came to its end."""
    box.behaviour.honour_page, box.behaviour.honour_sort, box.behaviour.count_key = False, False, counts  # type: ignore[assignment]
    pages = pages_of(client, "users", ReadOptions(page_size=5))
    assert len(read(FullScan(pages).rows())) == 5
    assert pages.stats.verdict == ("incomplete" if counts else "unproven")


def test_a_steady_order_of_another_kind_is_proved_without_a_count(box: Sandbox, client: Client) -> None:
    """Newest first, whatever was asked for: the second reading is as the first."""
    box.behaviour.honour_sort, box.behaviour.count_key, box.behaviour.always_count = False, None, ()
    pages = pages_of(client, "jobs")
    assert sorted(read(FullScan(pages).rows())) == ids(box, "jobs")
    assert pages.stats.verdict == "complete"


@pytest.mark.parametrize("counts", ["total_count", None])
@pytest.mark.parametrize("sorts", [True, False])
@pytest.mark.parametrize("end", ["last", "first", "null"])
def test_the_end_of_a_list_is_found_in_whatever_way_it_is_told(
    box: Sandbox,
    client: Client,
    end: Literal["last", "first", "null"],
    sorts: bool,
    counts: Literal["total_count"] | None,
) -> None:
    """The last page again, the first one again, or no list at all behind the end: the list is whole and proved so."""
    box.behaviour.past_the_end, box.behaviour.honour_sort = end, sorts
    box.behaviour.count_key, box.behaviour.always_count = counts, ()
    pages = pages_of(client, "jobs")
    assert sorted(read(FullScan(pages).rows())) == ids(box, "jobs")
    assert pages.stats.verdict == "complete"


def test_a_page_that_came_twice_by_a_slip_is_not_the_end(box: Sandbox, client: Client) -> None:
    """A page without a new id is asked past, and two readings that slip at the same place prove nothing."""
    box.behaviour.honour_sort, box.behaviour.count_key, box.behaviour.always_count = False, None, ()
    for skip in (2, 11):
        box.add_fault(Fault("previous_page", path="/jobs", skip=skip))
    pages = pages_of(client, "jobs", ONE_AT_A_TIME)
    assert sorted(read(FullScan(pages).rows())) == ids(box, "jobs")


@pytest.mark.parametrize("number", range(6))
def test_what_was_deleted_meanwhile_does_not_stand_for_what_never_came(
    box: Sandbox, client: Client, number: int
) -> None:
    """In an order that changes with every request, with a count: complete only if all are there."""
    box.behaviour.honour_sort, box.behaviour.shuffle_unsorted = False, True
    chance = Random(number)
    found = []
    pages = pages_of(client, "customers", ONE_AT_A_TIME)
    for page in FullScan(pages).rows():
        found += [row["id"] for row in page]
        if chance.random() < 0.5 and len(ids(box, "customers")) > 50:
            box.store.delete("customers", chance.choice(sorted(set(found) & set(ids(box, "customers")))))
    assert pages.stats.verdict != "complete" or set(ids(box, "customers")) <= set(found)


@pytest.mark.parametrize("counts", ["total_count", None])
def test_a_delete_during_the_walk_hides_no_other_row(box: Sandbox, client: Client, counts: str | None) -> None:
    """A row that is deleted pulls the next page's first row over the edge: unseen, with a count that fits."""
    box.behaviour.count_key = counts  # type: ignore[assignment]
    before = ids(box, "customers")
    found = []
    for page in FullScan(pages_of(client, "customers", ONE_AT_A_TIME)).rows():
        found += [row["id"] for row in page]
        if len(found) == 10:
            box.store.delete("customers", before[3])
    assert set(found) == set(before)
    assert len(found) == len(set(found))


def test_an_insert_and_a_delete_during_the_walk_do_not_cover_for_each_other(box: Sandbox, client: Client) -> None:
    """The count at the end fits by chance; the rows that were there at the start do not."""
    before = ids(box, "customers")
    found = []
    for page in FullScan(pages_of(client, "customers", ONE_AT_A_TIME)).rows():
        found += [row["id"] for row in page]
        if len(found) == 20:
            box.store.delete("customers", before[3])
            client.post("/customers", {"first_name": "Late"})
    assert set(before) <= set(found)


def test_reading_once_is_enough_where_nothing_is_to_be_proved(box: Sandbox, client: Client) -> None:
    """With completeness off there is one pass and no mark."""
    box.behaviour.count_key = None
    pages = pages_of(client, "customers", ReadOptions(page_size=10, check_completeness=False))
    read(FullScan(pages).rows())
    assert pages.stats.verdict == "unproven"
    assert len({request.query["page"] for request in box.requests}) == len(box.requests)


def test_without_order_and_count_nothing_is_called_complete(box: Sandbox, client: Client) -> None:
    """Rows may hide for ever in a list that is shuffled and not counted: the run says so."""
    box.behaviour.honour_sort, box.behaviour.shuffle_unsorted, box.behaviour.count_key = False, True, None
    pages = pages_of(client, "customers")
    read(FullScan(pages).rows())
    assert pages.stats.verdict == "unproven"


# Newest first


def changed(box: Sandbox, name: str, since: datetime) -> set[int]:
    zone = timezone.utc
    return {row["id"] for row in box.rows(name) if (time := to_utc(row["updated_at"], zone)) and time >= since}


def since_of(box: Sandbox, name: str, newest: int) -> datetime:
    times = sorted(time for row in box.rows(name) if (time := to_utc(row["updated_at"], timezone.utc)))
    return times[-newest]


@pytest.mark.parametrize("name", ["jobs", "customers", "invoices", "locations"])
@pytest.mark.parametrize("newest", [1, 10, 11, 35])
def test_what_is_new_is_read_and_only_that(box: Sandbox, client: Client, name: str, newest: int) -> None:
    """In either sort idiom, on one page or several."""
    since = since_of(box, name, newest)
    pages = pages_of(client, name)
    found = read(IncrementalScan(pages, "updated_at", since).rows())
    assert sorted(found) == sorted(changed(box, name, since))
    assert pages.stats.verdict == "complete"


def test_a_few_changes_cost_three_requests(box: Sandbox, client: Client) -> None:
    """The newest page, one that is wholly older, and the proof that the server sorts."""
    read(IncrementalScan(pages_of(client, "jobs"), "updated_at", since_of(box, "jobs", 5)).rows())
    assert len(box.requests) <= 3


@pytest.mark.parametrize("shuffled", [False, True])
def test_an_ignored_sort_does_not_hide_what_is_new(box: Sandbox, client: Client, shuffled: bool) -> None:
    """Where the order is not by change, the whole list is read."""
    box.behaviour.honour_sort = False
    box.behaviour.shuffle_unsorted = shuffled
    since = since_of(box, "jobs", 12)
    pages = pages_of(client, "jobs")
    assert sorted(read(IncrementalScan(pages, "updated_at", since).rows())) == sorted(changed(box, "jobs", since))
    assert any("does not sort" in note for note in pages.stats.notes)


def test_an_order_that_only_looks_right_is_found_out(box: Sandbox, client: Client) -> None:
    """A server that ignores the sort may list the newest ids first: in order at the top, and wrong below."""
    box.behaviour.honour_sort = False
    rows = sorted(box.rows("tags"), key=lambda row: row["id"])
    since = datetime.now(timezone.utc) - timedelta(minutes=1)
    client.put(f"/tags/{rows[-1]['id']}", {"title": "Changed"})
    found = read(IncrementalScan(pages_of(client, "tags", ReadOptions(page_size=2)), "updated_at", since).rows())
    assert found == [rows[-1]["id"]]


Change = Callable[[Sandbox, Client, list[int]], object]


@pytest.mark.parametrize("counts", ["total_count", None])
@pytest.mark.parametrize(
    "change",
    [
        lambda box, _, found: box.store.delete("customers", found[0]),
        lambda _, client, found: client.post("/customers", {"first_name": "New"}),
        lambda _, client, found: client.put(f"/customers/{found[-1]}", {"notes": "moved to the top"}),
        lambda box, client, found: (
            client.post("/customers", {"first_name": "N"}),
            box.store.delete("customers", found[1]),
        ),
    ],
    ids=["delete", "insert", "update", "insert and delete"],
)
def test_a_change_during_the_reading_hides_nothing_new(
    box: Sandbox, client: Client, change: Change, counts: str | None
) -> None:
    """Rows slide over the edges of pages; they are read again until nothing is added."""
    box.behaviour.count_key = counts  # type: ignore[assignment]
    since = since_of(box, "customers", 35)
    before = changed(box, "customers", since)
    found: list[int] = []
    for page in IncrementalScan(pages_of(client, "customers", ONE_AT_A_TIME), "updated_at", since).rows():
        first = not found
        found += [row["id"] for row in page]
        if first:
            change(box, client, found)
    assert before <= set(found)


def test_a_sort_of_which_only_the_ties_are_heeded_is_found_out(box: Sandbox, client: Client) -> None:
    """Rows that come by id look sorted by time: an old row that was just changed is read all the same."""
    box.behaviour.unsortable_columns = ("updated_at",)
    newest, changed = box.rows("payments")[-1], box.rows("payments")[3]
    for row in (newest, changed):
        box.store.update("payments", row["id"], {"notes": "Changed"})
    since = to_utc(box.store.get("payments", changed["id"])["updated_at"], timezone.utc)
    found = read(IncrementalScan(pages_of(client, "payments"), "updated_at", since).rows())
    assert set(found) == {newest["id"], changed["id"]}


def test_a_row_without_a_time_is_always_read(box: Sandbox, client: Client) -> None:
    """What cannot be placed is not left out."""
    row = box.rows("customers")[5]
    box.store.patch("customers", row["id"], {"updated_at": None})
    since = since_of_valid(box)
    assert row["id"] in read(IncrementalScan(pages_of(client, "customers"), "updated_at", since).rows())


def since_of_valid(box: Sandbox) -> datetime:
    times = [to_utc(row["updated_at"], timezone.utc) for row in box.rows("customers") if row["updated_at"]]
    return max(time for time in times if time)


@pytest.mark.parametrize("shuffled", [False, True])
@pytest.mark.parametrize("honoured", [True, False])
@pytest.mark.parametrize("name", ["customers", "jobs", "tags", "payments"])
def test_the_newest_id_is_found_with_and_without_a_sort(
    box: Sandbox, client: Client, name: str, honoured: bool, shuffled: bool
) -> None:
    """What was there before a create must not be mistaken for it: not even by chance."""
    box.behaviour.honour_sort, box.behaviour.shuffle_unsorted = honoured, shuffled
    box.behaviour.count_key = None
    for _ in range(5):
        assert read_newest_id(pages_of(client, name)) == max(ids(box, name))


def test_rows_that_slide_down_while_others_are_created_are_no_disorder(box: Sandbox, client: Client) -> None:
    """A create behind every page: the list is not read whole, and what was there before comes."""
    known = max(ids(box, "customers"))
    for number in range(35):
        box.store.create("customers", {"first_name": f"New{number}"})
    wanted = [one for one in ids(box, "customers") if one > known]
    box.on_request = lambda request: box.store.create("customers", {"first_name": "Meanwhile"}) and None
    pages = pages_of(client, "customers", ONE_AT_A_TIME)
    assert set(wanted) <= set(read(IncrementalScan(pages, "id", known + 1).rows()))
    assert pages.stats.verdict == "complete"
    assert pages.stats.pages < 20


def test_a_list_that_ignores_the_page_does_not_lose_what_is_new(box: Sandbox, client: Client) -> None:
    """More changed than one page holds, and the second page is the first again: said to be incomplete."""
    box.behaviour.honour_page = False
    pages = pages_of(client, "timesheets", ReadOptions(page_size=5))
    read(IncrementalScan(pages, "updated_at", since_of(box, "timesheets", 15)).rows())
    assert pages.stats.verdict == "incomplete"


# Children


def children_of(client: Client, reading: ReadOptions = READING) -> ChildLists:
    return ChildLists(client, BY_NAME["customer_contacts"], reading, pages_of(client, "customers", reading))


def rows_of(children: ChildLists) -> Iterator[list[Row]]:
    return children.rows(FullScan(children.parents).rows())


def test_children_of_all_parents_are_read_with_one_request_each(box: Sandbox, client: Client) -> None:
    """A short list that the server's count vouches for needs no empty page."""
    children = children_of(client)
    assert sorted(read(rows_of(children))) == ids(box, "customer_contacts")
    asked = [request for request in box.requests if request.path.endswith("/customer-contact")]
    assert len(asked) == len(ids(box, "customers"))
    assert children.stats.verdict == "complete"
    assert children.stats.server_count == len(ids(box, "customer_contacts"))


def test_a_parent_that_was_deleted_meanwhile_is_counted(box: Sandbox, client: Client) -> None:
    """A 404 for a list of a customer that was there a second ago is no error."""
    customers = ids(box, "customers")
    children = children_of(client, ONE_AT_A_TIME)
    rows = rows_of(children)
    read_so_far = customers.index(next(rows)[0]["customer_id"])
    box.store.delete("customers", customers[read_so_far + 1])
    read(rows)
    assert children.stats.vanished == 1


def test_children_of_parents_that_were_not_all_read_are_not_complete(box: Sandbox, client: Client) -> None:
    """Whose parents nobody saw, nobody has read."""
    box.behaviour.honour_sort, box.behaviour.shuffle_unsorted, box.behaviour.count_key = False, True, None
    children = children_of(client)
    read(rows_of(children))
    assert children.stats.verdict == "unproven"


def test_memory_is_bounded_by_the_pages_in_flight(box: Sandbox, client: Client) -> None:
    """A reader that stops to think is not overrun: no more pages are asked for than are allowed ahead."""
    walk = FullScan(pages_of(client, "customers", ReadOptions(page_size=2, pages_in_flight=3))).rows()
    next(walk)
    next(walk)
    assert len({request.query["page"] for request in box.requests}) <= 5
    walk.close()
