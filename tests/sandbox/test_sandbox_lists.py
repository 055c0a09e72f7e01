"""Pages, counts, orders and filters of lists, and the switches that break them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sandbox_client import Client

from fieldpulse_api.catalogue import BY_NAME, RESOURCES
from fieldpulse_sandbox.faults import Behaviour
from fieldpulse_sandbox.server import Sandbox

if TYPE_CHECKING:
    from fieldpulse_api.resource import Resource

LISTS = [resource for resource in RESOURCES if not resource.parent]


def _filter(column: str, operator: str, value: object, kind: str = "") -> dict[str, object]:
    parts = {"attribute": column, "operator": operator, "value": value, "class": kind}
    return {f"filter[0][{part}]": given for part, given in parts.items() if given != ""}


@pytest.mark.parametrize("resource", LISTS, ids=lambda resource: resource.name)
def test_a_walk_by_id_sees_every_row_once_in_order(read: Client, resource: Resource) -> None:
    """Pages, sorted by id where a sort is documented, give each live row exactly once."""
    name, path = resource.name, resource.path
    order = resource.order("id", "asc")
    ids = read.walk(path, limit=40, raw=order)
    expected = [row["id"] for row in read.box.rows(name)]
    assert (ids if order else sorted(ids)) == expected


@pytest.mark.parametrize(("path", "size"), [("/customers", 50), ("/jobs", 20), ("/locations", 20)])
def test_a_page_has_its_default_size(read: Client, path: str, size: int) -> None:
    """The default is 20, and 50 for customers (V); `page_size` is no parameter."""
    assert len(read.get(path, page_size=5).ids) == size


@pytest.mark.parametrize(("limit", "size"), [("7", 7), ("100", 100), ("300", 100), ("0", 1), ("x", 50)])
def test_a_limit_is_honoured_up_to_the_cap(read: Client, limit: str, size: int) -> None:
    """A limit above 100 is clamped, one that is no number is ignored."""
    assert len(read.get("/customers", limit=limit).ids) == size


def test_a_page_past_the_end_is_empty_and_200(read: Client) -> None:
    """Past the end there is no error (V)."""
    reply = read.get("/jobs", page=999)
    assert (reply.status, reply.rows) == (200, [])


@pytest.mark.parametrize("resource", LISTS, ids=lambda resource: resource.name)
def test_the_count_is_given_as_documented(read: Client, resource: Resource) -> None:
    """`total_count` is null unless asked for, except on customers and jobs; where it is undocumented it stays null."""
    name, path, counts = resource.name, resource.path, resource.counts
    rows = len(read.box.rows(name))
    unasked, asked = read.get(path).json["total_count"], read.get(path, calculate_count="true").json["total_count"]
    always = name in {"customers", "jobs"}
    assert unasked == (rows if always else None)
    assert asked == (rows if always or counts else None)


@pytest.mark.parametrize("key", ["total_results", None])
def test_the_count_has_another_name_or_none(key: str | None) -> None:
    """The key of the count is a switch."""
    with Sandbox(customers=3, behaviour=Behaviour(count_key=key)) as box:  # type: ignore[arg-type]
        envelope = Client(box).get("/customers").json
    assert set(envelope) == {"error", "response"} | ({key} if key else set())


@pytest.mark.parametrize("direction", ["asc", "desc"])
@pytest.mark.parametrize("name", ["jobs", "customers", "payments", "items"])
def test_updated_at_sorts_in_the_idiom_of_the_catalogue(read: Client, name: str, direction: str) -> None:
    """Both idioms order by updated_at in both directions."""
    resource = BY_NAME[name]
    rows = read.get(resource.path, limit=100, raw=resource.order("updated_at", direction)).rows  # type: ignore[arg-type]
    stamps = [row["updated_at"] for row in rows]
    assert stamps == sorted(stamps, reverse=direction == "desc")
    assert len(set(stamps)) > 1


def test_a_sort_by_that_is_not_documented_is_ignored(read: Client) -> None:
    """`sort_by=updated_at` does nothing on payments, where it is not listed."""
    assert read.get("/payments", sort_by="updated_at", sort_dir="asc").ids == read.get("/payments").ids


def test_an_unsorted_list_is_not_in_the_order_of_ids(read: Client) -> None:
    """Default orders differ between lists (V)."""
    assert read.get("/customers").ids == sorted(read.get("/customers").ids)
    assert read.get("/jobs").ids == sorted(read.get("/jobs").ids, reverse=True)
    assert read.get("/lead-source").ids != sorted(read.get("/lead-source").ids)


def test_an_ignored_sort_gives_the_default_order(box: Sandbox, ask: Client) -> None:
    """With the switch off a sort changes nothing."""
    unsorted = ask.get("/jobs").ids
    box.behaviour.honour_sort = False
    assert ask.get("/jobs", raw=BY_NAME["jobs"].order("id", "asc")).ids == unsorted


def test_a_shuffled_walk_without_sort_loses_rows_and_a_sorted_one_does_not(box: Sandbox, ask: Client) -> None:
    """Rows slide between pages only where no sort is sent (V)."""
    box.behaviour.shuffle_unsorted = True
    everything = {row["id"] for row in box.rows("jobs")}
    assert set(ask.walk("/jobs", limit=10)) < everything
    assert set(ask.walk("/jobs", limit=10, raw=BY_NAME["jobs"].order("id", "asc"))) == everything


def test_a_page_less_list_may_repeat_its_first_page(box: Sandbox, ask: Client) -> None:
    """With honour_page off, users answer the same page for ever, and jobs do not."""
    box.behaviour.honour_page = False
    assert ask.get("/users", limit=5, page=2).ids == ask.get("/users", limit=5).ids
    assert ask.get("/jobs", limit=5, page=2).ids != ask.get("/jobs", limit=5).ids


@pytest.mark.parametrize("operator", ["=", ">", "<", ">=", "<="])
def test_a_bracket_filter_compares(read: Client, operator: str) -> None:
    """Each operator selects the rows for which it is true."""
    middle = sorted(row["updated_at"] for row in read.box.rows("jobs"))[60]
    wanted = {
        "=": lambda text: text == middle,
        ">": lambda text: text > middle,
        "<": lambda text: text < middle,
        ">=": lambda text: text >= middle,
        "<=": lambda text: text <= middle,
    }[operator]
    given = _filter("updated_at", operator, middle.replace(" ", "T"), "date")
    expected = {row["id"] for row in read.box.rows("jobs") if wanted(row["updated_at"])}
    assert 0 < len(expected) < len(read.box.rows("jobs"))
    assert set(read.walk("/jobs", raw=given)) == expected


def test_a_filter_takes_unix_seconds_for_times(read: Client) -> None:
    """Times in filters may be UNIX seconds (O)."""
    reply = read.get("/jobs", limit=100, raw=_filter("start_time", ">", 1_780_000_000))
    assert reply.rows
    assert all(row["start_time"] > "2026-05-28" for row in reply.rows)


def test_a_filter_in_takes_a_comma_list(read: Client) -> None:
    """`in` selects any of the values, and the flat status_id of jobs does the same (D)."""
    wanted = [row["id"] for row in read.box.rows("job_statuses")][:2]
    text = ",".join(map(str, wanted))
    expected = {row["id"] for row in read.box.rows("jobs") if row["status_id"] in wanted}
    assert expected
    assert set(read.walk("/jobs", raw=_filter("status_id", "in", text, "int_array"))) == expected
    assert set(read.walk("/jobs", status_id=text)) == expected


def test_money_is_compared_as_a_number(read: Client) -> None:
    """A filter on an amount does not compare text."""
    reply = read.get("/payments", limit=100, raw=_filter("amount", ">", "900"))
    assert reply.rows
    assert all(float(row["amount"]) > 900 for row in reply.rows)


def test_a_filter_on_what_is_no_column_breaks_the_backend(read: Client) -> None:
    """A computed attribute in a filter is 500 (V*)."""
    reply = read.get("/custom-fields", raw=_filter("related_record_names", "=", "customer"))
    assert (reply.status, reply.json) == (500, {"message": "Internal Server Error"})


def test_filters_may_be_ignored(box: Sandbox, ask: Client) -> None:
    """Two switches ignore all bracket filters, or those on some columns."""
    given = _filter("id", "=", 1)
    assert ask.get("/jobs", raw=given).ids == []
    box.behaviour.unfiltered_columns = ("id",)
    assert len(ask.get("/jobs", raw=given).ids) == 20
    box.behaviour.unfiltered_columns = ()
    box.behaviour.honour_filter = False
    assert len(ask.get("/jobs", raw=given).ids) == 20


def test_a_flat_parameter_that_is_not_documented_is_ignored(read: Client) -> None:
    """`customer_id` on invoices and an invented date filter return the whole list (V)."""
    unfiltered = read.get("/invoices", calculate_count="true").json["total_count"]
    for name in ("customer_id", "job_id", "updated_at_from"):
        reply = read.get("/invoices", calculate_count="true", raw={name: "1"})
        assert reply.json["total_count"] == unfiltered


@pytest.mark.parametrize(
    ("path", "query", "column", "wanted"),
    [
        ("/locations", {"object_type": "customer"}, "object_type", "App\\Http\\Api\\Core\\Models\\BaseCustomer"),
        ("/comments", {"object_type": "job"}, "commentable_type", "App\\Http\\Api\\Core\\Models\\BaseJob"),
        ("/custom-fields", {"object_type": "job"}, "object", "job"),
        ("/tags", {"object_type": "job"}, "type", "job"),
        ("/jobs/qb-classes", {"active": "false"}, "active", False),
        ("/assets", {"status": "retired"}, "status", "retired"),
        ("/subtasks", {"status": "open"}, "status", 1),
    ],
)
def test_a_documented_flat_filter_works(
    read: Client, path: str, query: dict[str, str], column: str, wanted: object
) -> None:
    """The flat filters that the vendor documents select their rows and no others."""
    ids = read.walk(path, raw=query)
    name = next(resource.name for resource in RESOURCES if resource.path == path)
    rows = read.box.rows(name)
    assert set(ids) == {row["id"] for row in rows if row[column] == wanted}
    assert 0 < len(ids) < len(rows) or path == "/comments"


def test_filters_by_owner_and_user_work(read: Client) -> None:
    """Locations by object, timesheets and subtasks by user, jobs by creation."""
    row = read.box.rows("customers")[0]
    found = read.get("/locations", object_type="customer", object_id=row["id"]).ids
    assert found == [row["main_location"]["id"]]
    user = read.box.rows("timesheets")[0]["user_id"]
    assert {row["user_id"] for row in read.get("/timesheets", user_id=user).rows} == {user}
    tasks = read.get("/subtasks", assigned_user_id=user).rows
    assert tasks
    assert all(task["assignments"][0]["user_id"] == user for task in tasks)
    late = read.walk("/jobs", created_from=1_780_000_000)
    assert 0 < len(late) < len(read.box.rows("jobs"))


def test_search_finds_by_mail_and_only_where_documented(read: Client) -> None:
    """`search` is free text on the lists that document it and ignored on the others."""
    row = next(row for row in read.box.rows("customers") if row["email"])
    assert read.get("/customers", search=row["email"].upper()).ids == [row["id"]]
    assert len(read.get("/locations", search="nothing at all").ids) == 20
