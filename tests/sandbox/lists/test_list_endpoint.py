"""Pages, counts and orders of lists, and the switches that change them."""

from __future__ import annotations

import pytest

from fieldpulse_api.resources.catalogue import BY_NAME, RESOURCES
from fieldpulse_api.resources.model import Resource
from fieldpulse_sandbox.behaviour.switches import Behaviour
from fieldpulse_sandbox.sandbox import Sandbox
from tests.sandbox.client import SandboxClient

LISTS = [resource for resource in RESOURCES if not resource.parent]


@pytest.mark.parametrize("resource", LISTS, ids=lambda resource: resource.name)
def test_a_scan_by_id_returns_every_row_once_in_order(read: SandboxClient, resource: Resource) -> None:
    """Pages, sorted by id where a sort is documented, return each row exactly once."""
    name, path = resource.name, resource.path
    order = resource.sort_params("id", "asc")
    ids = read.all_ids(path, limit=40, raw=order)
    expected = [row["id"] for row in read.sandbox.rows(name)]
    assert (ids if order else sorted(ids)) == expected


@pytest.mark.parametrize(("path", "size"), [("/customers", 50), ("/jobs", 20), ("/locations", 20)])
def test_a_page_has_its_default_size(read: SandboxClient, path: str, size: int) -> None:
    """The default is 20, and 50 for customers (verified); `page_size` is not a parameter."""
    assert len(read.get(path, page_size=5).ids) == size


@pytest.mark.parametrize(("limit", "size"), [("7", 7), ("100", 100), ("300", 100), ("0", 1), ("x", 50)])
def test_a_limit_is_honoured_up_to_the_maximum(read: SandboxClient, limit: str, size: int) -> None:
    """A limit above 100 is clamped; one that is not a number is ignored."""
    assert len(read.get("/customers", limit=limit).ids) == size


def test_a_page_past_the_end_is_empty_and_200(read: SandboxClient) -> None:
    """A page past the end is not an error (verified)."""
    response = read.get("/jobs", page=999)
    assert (response.status, response.rows) == (200, [])


@pytest.mark.parametrize("resource", LISTS, ids=lambda resource: resource.name)
def test_the_count_is_returned_as_documented(read: SandboxClient, resource: Resource) -> None:
    """`total_count` is null unless requested, except for customers and jobs; elsewhere it stays null."""
    name, path, counts = resource.name, resource.path, resource.supports_count
    rows = len(read.sandbox.rows(name))
    unasked, asked = read.get(path).json["total_count"], read.get(path, calculate_count="true").json["total_count"]
    always = name in {"customers", "jobs"}
    assert unasked == (rows if always else None)
    assert asked == (rows if always or counts else None)


@pytest.mark.parametrize("key", ["total_results", None])
def test_the_key_of_the_count_is_a_switch(key: str | None) -> None:
    """The count can have another key, or none."""
    with Sandbox(customers=3, behaviour=Behaviour(count_key=key)) as sandbox:  # type: ignore[arg-type]
        envelope = SandboxClient(sandbox).get("/customers").json
    assert set(envelope) == {"error", "response"} | ({key} if key else set())


@pytest.mark.parametrize("direction", ["asc", "desc"])
@pytest.mark.parametrize("name", ["jobs", "customers", "payments", "items"])
def test_updated_at_sorts_in_the_idiom_of_the_catalogue(read: SandboxClient, name: str, direction: str) -> None:
    """Both forms of sort parameters work in both directions."""
    resource = BY_NAME[name]
    rows = read.get(resource.path, limit=100, raw=resource.sort_params("updated_at", direction)).rows  # type: ignore[arg-type]
    stamps = [row["updated_at"] for row in rows]
    assert stamps == sorted(stamps, reverse=direction == "desc")
    assert len(set(stamps)) > 1


def test_an_undocumented_sort_by_is_ignored(read: SandboxClient) -> None:
    """`sort_by=updated_at` has no effect on payments."""
    assert read.get("/payments", sort_by="updated_at", sort_dir="asc").ids == read.get("/payments").ids


def test_an_unsorted_list_is_not_in_the_order_of_ids(read: SandboxClient) -> None:
    """Default orders differ between lists (verified)."""
    assert read.get("/customers").ids == sorted(read.get("/customers").ids)
    assert read.get("/jobs").ids == sorted(read.get("/jobs").ids, reverse=True)
    assert read.get("/lead-source").ids != sorted(read.get("/lead-source").ids)


def test_an_ignored_sort_gives_the_default_order(sandbox: Sandbox, client: SandboxClient) -> None:
    """Without `honour_sort` a sort changes nothing."""
    unsorted = client.get("/jobs").ids
    sandbox.behaviour.honour_sort = False
    assert client.get("/jobs", raw=BY_NAME["jobs"].sort_params("id", "asc")).ids == unsorted


def test_a_shuffled_scan_loses_rows_without_a_sort(sandbox: Sandbox, client: SandboxClient) -> None:
    """Rows move between pages only without a sort (verified)."""
    sandbox.behaviour.shuffle_unsorted = True
    everything = {row["id"] for row in sandbox.rows("jobs")}
    assert set(client.all_ids("/jobs", limit=10)) < everything
    assert set(client.all_ids("/jobs", limit=10, raw=BY_NAME["jobs"].sort_params("id", "asc"))) == everything


def test_a_list_without_pages_can_repeat_its_first_page(sandbox: Sandbox, client: SandboxClient) -> None:
    """Without `honour_page`, users return the same page for every number, and jobs do not."""
    sandbox.behaviour.honour_page = False
    assert client.get("/users", limit=5, page=2).ids == client.get("/users", limit=5).ids
    assert client.get("/jobs", limit=5, page=2).ids != client.get("/jobs", limit=5).ids
