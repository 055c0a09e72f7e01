"""No row is missed and none comes twice, whatever the server does with order, pages and counts."""

from __future__ import annotations

from random import Random
from typing import Literal

import pytest

from fieldpulse_api.errors import IncompleteRead
from fieldpulse_api.http.client import Client
from fieldpulse_api.reading.full_scan import FullScan, read_whole_list
from fieldpulse_api.reading.pages import Pages, ReadOptions
from fieldpulse_api.resources.catalogue import RESOURCES
from fieldpulse_api.resources.model import Resource
from fieldpulse_sandbox.faults.fault import Fault
from fieldpulse_sandbox.sandbox import Sandbox
from tests.api.reading.lists import ONE_PAGE_AT_A_TIME, SMALL_PAGES, ids_in, ids_of, pages_of


@pytest.mark.parametrize(
    "resource", [resource for resource in RESOURCES if not resource.parent], ids=lambda resource: resource.name
)
def test_every_list_is_read_completely_in_order(sandbox: Sandbox, client: Client, resource: Resource) -> None:
    """Each row of each resource comes once; by ascending id where a sort is documented."""
    pages = Pages(client, resource, SMALL_PAGES)
    received = ids_of(FullScan(pages).rows())
    assert (received if resource.supports_sort else sorted(received)) == ids_in(sandbox, resource.name)
    assert pages.stats.verdict == "complete"
    assert pages.stats.records == len(ids_in(sandbox, resource.name))


def test_a_counted_list_costs_three_requests_more_than_its_pages(sandbox: Sandbox, client: Client) -> None:
    """The first page again, the newest id, and the empty page at the end; no prefetched page is wasted."""
    pages = pages_of(client, "customers")
    ids_of(FullScan(pages).rows())
    assert len(sandbox.requests) == -(-len(ids_in(sandbox, "customers")) // 10) + 3


def test_an_ignored_sort_costs_requests_but_no_rows(sandbox: Sandbox, client: Client) -> None:
    """Rows that slide between pages are read until all have come."""
    sandbox.behaviour.honour_sort = False
    sandbox.behaviour.shuffle_unsorted = True
    pages = pages_of(client, "customers")
    assert sorted(ids_of(FullScan(pages).rows())) == ids_in(sandbox, "customers")
    assert pages.stats.verdict == "complete"
    assert any("ignored the sort" in note for note in pages.stats.notes)


def test_without_a_count_a_second_pass_confirms_the_first(sandbox: Sandbox, client: Client) -> None:
    """Two passes with the same rows in the same order prove a list that is not counted."""
    sandbox.behaviour.count_key = None
    pages = pages_of(client, "customers")
    assert ids_of(FullScan(pages).rows()) == ids_in(sandbox, "customers")
    assert pages.stats.verdict == "complete"
    assert pages.stats.server_count is None


def test_a_capped_page_size_does_not_end_the_scan_early(sandbox: Sandbox, client: Client) -> None:
    """A short page is not the end: the server may cap `limit`."""
    sandbox.behaviour.max_limit = 7
    assert ids_of(FullScan(pages_of(client, "customers")).rows()) == ids_in(sandbox, "customers")


def test_a_list_that_ignores_the_page_number_is_incomplete(sandbox: Sandbox, client: Client) -> None:
    """The first page over and over is never taken for the whole list."""
    sandbox.behaviour.honour_page = False
    pages = pages_of(client, "users", ReadOptions(page_size=5))
    assert len(ids_of(FullScan(pages).rows())) == 5
    assert pages.stats.verdict == "incomplete"


@pytest.mark.parametrize("counts", ["total_count", None])
def test_the_same_page_over_and_over_proves_no_order(sandbox: Sandbox, client: Client, counts: str | None) -> None:
    """Two passes with the same order prove a list only if both reached its end."""
    sandbox.behaviour.honour_page = sandbox.behaviour.honour_sort = False
    sandbox.behaviour.count_key = counts  # type: ignore[assignment]
    pages = pages_of(client, "users", ReadOptions(page_size=5))
    assert len(ids_of(FullScan(pages).rows())) == 5
    assert pages.stats.verdict == ("incomplete" if counts else "unproven")


def test_a_steady_order_of_another_kind_proves_a_list_without_a_count(sandbox: Sandbox, client: Client) -> None:
    """The server sorts newest first, whatever was asked for; the second pass equals the first."""
    sandbox.behaviour.honour_sort, sandbox.behaviour.count_key, sandbox.behaviour.always_count = False, None, ()
    pages = pages_of(client, "jobs")
    assert sorted(ids_of(FullScan(pages).rows())) == ids_in(sandbox, "jobs")
    assert pages.stats.verdict == "complete"


@pytest.mark.parametrize("counts", ["total_count", None])
@pytest.mark.parametrize("sorts", [True, False])
@pytest.mark.parametrize("end", ["last", "first", "null"])
def test_the_end_of_a_list_is_found_whatever_follows_it(
    sandbox: Sandbox,
    client: Client,
    end: Literal["last", "first", "null"],
    sorts: bool,
    counts: Literal["total_count"] | None,
) -> None:
    """The last page again, the first page again, or null after the end: the list is complete and proved."""
    sandbox.behaviour.past_the_end, sandbox.behaviour.honour_sort = end, sorts
    sandbox.behaviour.count_key, sandbox.behaviour.always_count = counts, ()
    pages = pages_of(client, "jobs")
    assert sorted(ids_of(FullScan(pages).rows())) == ids_in(sandbox, "jobs")
    assert pages.stats.verdict == "complete"


def test_a_page_that_comes_twice_by_mistake_is_not_the_end(sandbox: Sandbox, client: Client) -> None:
    """A page without a new id is read past, and two passes with the same fault prove nothing."""
    sandbox.behaviour.honour_sort, sandbox.behaviour.count_key, sandbox.behaviour.always_count = False, None, ()
    for skip in (2, 11):
        sandbox.add_fault(Fault("previous_page", path="/jobs", skip=skip))
    pages = pages_of(client, "jobs", ONE_PAGE_AT_A_TIME)
    assert sorted(ids_of(FullScan(pages).rows())) == ids_in(sandbox, "jobs")


@pytest.mark.parametrize("number", range(6))
def test_a_deleted_row_does_not_stand_for_one_that_never_came(sandbox: Sandbox, client: Client, number: int) -> None:
    """In an order that changes with every request, with a count: complete only if all rows came."""
    sandbox.behaviour.honour_sort, sandbox.behaviour.shuffle_unsorted = False, True
    chance = Random(number)
    received = []
    pages = pages_of(client, "customers", ONE_PAGE_AT_A_TIME)
    for page in FullScan(pages).rows():
        received += [row["id"] for row in page]
        if chance.random() < 0.5 and len(ids_in(sandbox, "customers")) > 50:
            sandbox.store.delete("customers", chance.choice(sorted(set(received) & set(ids_in(sandbox, "customers")))))
    assert pages.stats.verdict != "complete" or set(ids_in(sandbox, "customers")) <= set(received)


@pytest.mark.parametrize("counts", ["total_count", None])
def test_a_delete_during_the_scan_hides_no_other_row(sandbox: Sandbox, client: Client, counts: str | None) -> None:
    """A deleted row pulls the next page's first row to a page that was read, and the count fits."""
    sandbox.behaviour.count_key = counts  # type: ignore[assignment]
    before = ids_in(sandbox, "customers")
    received = []
    for page in FullScan(pages_of(client, "customers", ONE_PAGE_AT_A_TIME)).rows():
        received += [row["id"] for row in page]
        if len(received) == 10:
            sandbox.store.delete("customers", before[3])
    assert set(received) == set(before)
    assert len(received) == len(set(received))


def test_a_create_and_a_delete_during_the_scan_do_not_offset_each_other(sandbox: Sandbox, client: Client) -> None:
    """The count at the end fits by chance, but a row that existed at the start is missing."""
    before = ids_in(sandbox, "customers")
    received = []
    for page in FullScan(pages_of(client, "customers", ONE_PAGE_AT_A_TIME)).rows():
        received += [row["id"] for row in page]
        if len(received) == 20:
            sandbox.store.delete("customers", before[3])
            client.post("/customers", {"first_name": "Late"})
    assert set(before) <= set(received)


def test_without_the_completeness_check_there_is_one_pass(sandbox: Sandbox, client: Client) -> None:
    """No page is requested twice, and the verdict is unproven."""
    sandbox.behaviour.count_key = None
    pages = pages_of(client, "customers", ReadOptions(page_size=10, check_completeness=False))
    ids_of(FullScan(pages).rows())
    assert pages.stats.verdict == "unproven"
    assert len({request.query["page"] for request in sandbox.requests}) == len(sandbox.requests)


def test_without_order_and_count_nothing_is_complete(sandbox: Sandbox, client: Client) -> None:
    """Rows may stay hidden for ever in a list that is shuffled and not counted."""
    sandbox.behaviour.honour_sort, sandbox.behaviour.shuffle_unsorted, sandbox.behaviour.count_key = False, True, None
    pages = pages_of(client, "customers")
    ids_of(FullScan(pages).rows())
    assert pages.stats.verdict == "unproven"


def test_the_pages_in_memory_are_limited(sandbox: Sandbox, client: Client) -> None:
    """A consumer that pauses is not overrun: no more pages are requested than may be in flight."""
    walk = FullScan(pages_of(client, "customers", ReadOptions(page_size=2, pages_in_flight=3))).rows()
    next(walk)
    next(walk)
    assert len({request.query["page"] for request in sandbox.requests}) <= 5
    walk.close()


def test_an_incomplete_list_serves_for_no_look_up(sandbox: Sandbox, client: Client) -> None:
    """A row that was not read would seem not to exist."""
    sandbox.behaviour.honour_page = False
    with pytest.raises(IncompleteRead, match="users") as caught:
        list(read_whole_list(pages_of(client, "users", ReadOptions(page_size=5))))
    assert caught.value.where == "GET /users"
