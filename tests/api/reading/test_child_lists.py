"""The lists of many parents, with the statistics of all."""

from __future__ import annotations

from collections.abc import Iterator

from fieldpulse_api.http.client import Client
from fieldpulse_api.reading.child_lists import ChildLists
from fieldpulse_api.reading.full_scan import FullScan
from fieldpulse_api.reading.pages import ReadOptions, Row
from fieldpulse_api.resources.catalogue import BY_NAME
from fieldpulse_sandbox.sandbox import Sandbox
from tests.api.reading.lists import ONE_PAGE_AT_A_TIME, SMALL_PAGES, ids_in, ids_of, pages_of


def children_of(client: Client, options: ReadOptions = SMALL_PAGES) -> ChildLists:
    return ChildLists(client, BY_NAME["customer_contacts"], options, pages_of(client, "customers", options))


def rows_of(children: ChildLists) -> Iterator[list[Row]]:
    return children.rows(FullScan(children.parents).rows())


def test_the_children_of_each_parent_cost_one_request(sandbox: Sandbox, client: Client) -> None:
    """A short list that has as many rows as counted needs no empty page."""
    children = children_of(client)
    assert sorted(ids_of(rows_of(children))) == ids_in(sandbox, "customer_contacts")
    asked = [request for request in sandbox.requests if request.path.endswith("/customer-contact")]
    assert len(asked) == len(ids_in(sandbox, "customers"))
    assert children.stats.verdict == "complete"
    assert children.stats.server_count == len(ids_in(sandbox, "customer_contacts"))


def test_a_parent_that_was_deleted_in_the_meantime_is_counted(sandbox: Sandbox, client: Client) -> None:
    """A 404 for the list of a customer that existed a second ago is not an error."""
    customers = ids_in(sandbox, "customers")
    children = children_of(client, ONE_PAGE_AT_A_TIME)
    rows = rows_of(children)
    read_so_far = customers.index(next(rows)[0]["customer_id"])
    sandbox.store.delete("customers", customers[read_so_far + 1])
    ids_of(rows)
    assert children.stats.vanished_parents == 1


def test_children_are_complete_only_if_their_parents_are(sandbox: Sandbox, client: Client) -> None:
    """The children of a parent that was missed were missed too."""
    sandbox.behaviour.honour_sort, sandbox.behaviour.shuffle_unsorted, sandbox.behaviour.count_key = False, True, None
    children = children_of(client)
    ids_of(rows_of(children))
    assert children.stats.verdict == "unproven"
