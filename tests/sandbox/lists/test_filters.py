"""Filters of lists: brackets, documented parameters, search, and the switches that disable them."""

from __future__ import annotations

import pytest

from fieldpulse_api.resources.catalogue import BY_NAME, RESOURCES
from fieldpulse_sandbox.sandbox import Sandbox
from fieldpulse_sandbox.schema.timestamps import unix_from_bare
from tests.sandbox.client import SandboxClient


def _filter(column: str, operator: str, value: object, kind: str = "") -> dict[str, object]:
    parts = {"attribute": column, "operator": operator, "value": value, "class": kind}
    return {f"filter[0][{part}]": text for part, text in parts.items() if text != ""}


@pytest.mark.parametrize("operator", ["=", ">", "<", ">=", "<="])
def test_a_bracket_filter_compares(read: SandboxClient, operator: str) -> None:
    """Each operator selects the rows for which it is true."""
    middle = sorted(row["updated_at"] for row in read.sandbox.rows("jobs"))[60]
    wanted = {
        "=": lambda text: text == middle,
        ">": lambda text: text > middle,
        "<": lambda text: text < middle,
        ">=": lambda text: text >= middle,
        "<=": lambda text: text <= middle,
    }[operator]
    query = _filter("updated_at", operator, middle.replace(" ", "T"), "date")
    expected = {row["id"] for row in read.sandbox.rows("jobs") if wanted(row["updated_at"])}
    assert 0 < len(expected) < len(read.sandbox.rows("jobs"))
    assert set(read.all_ids("/jobs", raw=query)) == expected


def test_a_filter_accepts_unix_seconds_for_times(read: SandboxClient) -> None:
    """Times in filters may be UNIX seconds (observed)."""
    response = read.get("/jobs", limit=100, raw=_filter("start_time", ">", 1_780_000_000))
    assert response.rows
    assert all(row["start_time"] > "2026-05-28" for row in response.rows)


@pytest.mark.parametrize(
    ("name", "column"), [("jobs", "start_time"), ("invoices", "invoiced_date"), ("payments", "payment_date")]
)
@pytest.mark.parametrize("operator", [">=", "<="])
@pytest.mark.parametrize("form", ["UNIX seconds", "UNIX seconds of class date", "text of class date"])
def test_a_filter_on_a_time_includes_its_bound(
    read: SandboxClient, name: str, column: str, operator: str, form: str
) -> None:
    """Both operators include the row at the bound, in any form of the time; null matches neither."""
    rows = read.sandbox.rows(name)
    times = sorted(row[column] for row in rows if row[column])
    bound = times[len(times) // 2]
    value = unix_from_bare(bound) if form.startswith("UNIX") else bound.replace(" ", "T")
    found = read.all_ids(BY_NAME[name].path, raw=_filter(column, operator, value, "date" if "class" in form else ""))
    fits = {">=": lambda text: text >= bound, "<=": lambda text: text <= bound}[operator]
    assert set(found) == {row["id"] for row in rows if row[column] and fits(row[column])}
    assert 0 < len(found) < len(times)


@pytest.mark.parametrize(("name", "column"), [("jobs", "completed_at"), ("assets", "install_date")])
def test_a_filter_compares_times_in_other_forms(read: SandboxClient, name: str, column: str) -> None:
    """ISO times and plain dates are compared as times; both bounds include the row that they come from."""
    rows = read.sandbox.rows(name)
    times = sorted(row[column] for row in rows if row[column])
    bound = times[len(times) // 2]
    value = f"{bound[:10]}T{bound[11:19] or '00:00:00'}"
    late, early = (set(read.all_ids(BY_NAME[name].path, raw=_filter(column, way, value))) for way in (">=", "<="))
    assert late & early == {row["id"] for row in rows if row[column] == bound}
    assert late | early == {row["id"] for row in rows if row[column]}


def test_an_unknown_operator_is_ignored(read: SandboxClient) -> None:
    """The internal operators on assignments are not available to requests."""
    for operator in ("assigned", "team", "unassigned", "between"):
        assert len(read.get("/jobs", raw=_filter("assignments", operator, 1)).ids) == 20


def test_a_filter_in_accepts_a_comma_list(read: SandboxClient) -> None:
    """`in` selects any of the values, and so does `status_id` of jobs (documented)."""
    wanted = [row["id"] for row in read.sandbox.rows("job_statuses")][:2]
    text = ",".join(map(str, wanted))
    expected = {row["id"] for row in read.sandbox.rows("jobs") if row["status_id"] in wanted}
    assert expected
    assert set(read.all_ids("/jobs", raw=_filter("status_id", "in", text, "int_array"))) == expected
    assert set(read.all_ids("/jobs", status_id=text)) == expected


def test_money_is_compared_as_a_number(read: SandboxClient) -> None:
    """A filter on an amount does not compare text."""
    response = read.get("/payments", limit=100, raw=_filter("amount", ">", "900"))
    assert response.rows
    assert all(float(row["amount"]) > 900 for row in response.rows)


def test_a_filter_on_a_computed_attribute_is_500(read: SandboxClient) -> None:
    """The backend fails if the attribute is not a column (observed)."""
    response = read.get("/custom-fields", raw=_filter("related_record_names", "=", "customer"))
    assert (response.status, response.json) == (500, {"message": "Internal Server Error"})


def test_filters_on_some_columns_may_be_ignored(sandbox: Sandbox, client: SandboxClient) -> None:
    """The switch disables bracket filters on its columns, and no others."""
    sandbox.behaviour.unfilterable_columns = ("id",)
    assert len(client.get("/jobs", raw=_filter("id", "=", 1)).ids) == 20
    assert client.get("/jobs", raw=_filter("customer_id", "=", 1)).ids == []


IGNORABLE = [
    ("jobs", {"created_from": 1_780_000_000}),
    ("jobs", {"created_to": 1_780_000_000}),
    ("jobs", {"status_id": 1}),
    ("jobs", _filter("start_time", ">=", 1_780_000_000)),
    ("jobs", {"asn[0][team_id]": 1}),
    ("customers", {"asn[0][assigned_members][]": 1}),
    ("locations", {"object_type": "customer"}),
    ("locations", {"object_id": 1}),
    ("comments", {"object_id": 1}),
    ("custom_fields", {"object_type": "job"}),
    ("tags", {"object_type": "job"}),
    ("assets", {"status": "retired"}),
    ("subtasks", {"assigned_user_id": 1}),
    ("timesheets", {"user_id": 1}),
    ("timesheets", {"in_time": 1_790_000_000}),
    ("job_qb_classes", {"active": "false"}),
]


@pytest.mark.parametrize(("name", "query"), IGNORABLE)
def test_one_switch_ignores_every_filter(
    sandbox: Sandbox, client: SandboxClient, name: str, query: dict[str, object]
) -> None:
    """Without `honour_filter`, brackets, documented parameters and `asn` have no effect."""
    everything = {row["id"] for row in sandbox.rows(name)}
    path = BY_NAME[name].path
    assert set(client.all_ids(path, raw=query)) < everything
    sandbox.behaviour.honour_filter = False
    assert set(client.all_ids(path, raw=query)) == everything


def test_an_ignored_filter_leaves_contacts_below_their_customer(sandbox: Sandbox, client: SandboxClient) -> None:
    """The path is not a filter."""
    sandbox.behaviour.honour_filter = False
    owner = sandbox.rows("customer_contacts")[0]["customer_id"]
    assert {row["customer_id"] for row in client.get(f"/customers/{owner}/customer-contact").rows} == {owner}


def test_an_undocumented_parameter_is_ignored(read: SandboxClient) -> None:
    """`customer_id` on invoices and an invented date filter return the whole list (verified)."""
    unfiltered = read.get("/invoices", calculate_count="true").json["total_count"]
    for name in ("customer_id", "job_id", "updated_at_from"):
        response = read.get("/invoices", calculate_count="true", raw={name: "1"})
        assert response.json["total_count"] == unfiltered


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
def test_a_documented_parameter_filters(
    read: SandboxClient, path: str, query: dict[str, str], column: str, wanted: object
) -> None:
    """The documented parameters select their rows and no others."""
    ids = read.all_ids(path, raw=query)
    name = next(resource.name for resource in RESOURCES if resource.path == path)
    rows = read.sandbox.rows(name)
    assert set(ids) == {row["id"] for row in rows if row[column] == wanted}
    assert 0 < len(ids) < len(rows) or path == "/comments"


def test_filters_by_owner_and_user_work(read: SandboxClient) -> None:
    """Locations by object, timesheets and subtasks by user, jobs by creation."""
    row = read.sandbox.rows("customers")[0]
    found = read.get("/locations", object_type="customer", object_id=row["id"]).ids
    assert found == [row["main_location"]["id"]]
    user = read.sandbox.rows("timesheets")[0]["user_id"]
    assert {row["user_id"] for row in read.get("/timesheets", user_id=user).rows} == {user}
    tasks = read.get("/subtasks", assigned_user_id=user).rows
    assert tasks
    assert all(task["assignments"][0]["user_id"] == user for task in tasks)
    late = read.all_ids("/jobs", created_from=1_780_000_000)
    assert 0 < len(late) < len(read.sandbox.rows("jobs"))


def test_search_works_only_where_documented(read: SandboxClient) -> None:
    """`search` is free text on the lists that document it; others ignore it."""
    row = next(row for row in read.sandbox.rows("customers") if row["email"])
    assert read.get("/customers", search=row["email"].upper()).ids == [row["id"]]
    assert len(read.get("/locations", search="nothing at all").ids) == 20


def test_a_filter_can_match_nothing(client: SandboxClient, sandbox: Sandbox) -> None:
    """A server may compare differently; without a filter every row is returned."""
    sandbox.behaviour.filters_match_nothing = True
    assert client.all_ids("/jobs", raw=_filter("status", "=", 4)) == []
    assert len(client.all_ids("/jobs")) == len(sandbox.rows("jobs"))


@pytest.mark.parametrize(
    ("path", "query", "matches"),
    [
        ("/jobs", {"attribute": "job_type", "operator": "like", "value": "%repair%"}, "repair"),
        ("/customers", {"attribute": "alt_email", "action": "whereNull"}, None),
        ("/items", {"attribute": "is_active", "operator": "=", "value": "0", "class": "boolean"}, False),
    ],
)
def test_more_operators_of_bracket_filters(
    sandbox: Sandbox, client: SandboxClient, path: str, query: dict[str, str], matches: object
) -> None:
    """`like`, `whereNull` and the class `boolean`; indexes may have gaps (observed on the backend)."""
    raw = {f"filter[100][{name}]": value for name, value in query.items()}
    column, name = query["attribute"], path.strip("/")
    expected = {
        row["id"]
        for row in sandbox.rows(name)
        if (matches in str(row[column]).lower() if isinstance(matches, str) else row[column] is matches)
    }
    assert set(client.all_ids(path, raw=raw)) == expected
    assert expected < {row["id"] for row in sandbox.rows(name)}


def test_all_tags_of_a_filter_must_be_there(sandbox: Sandbox, client: SandboxClient) -> None:
    first, second, *_ = (row["id"] for row in sandbox.rows("tags"))
    single, both = (row["id"] for row in sandbox.rows("customers")[:2])
    sandbox.store.patch("customers", single, {"tags": [first]})
    sandbox.store.patch("customers", both, {"tags": [first, second]})
    query = {"attribute": "tags", "operator": "all", "value": f"{first},{second}", "class": "int_array"}
    assert client.all_ids("/customers", raw={f"filter[0][{name}]": value for name, value in query.items()}) == [both]


def test_deleted_rows_are_listed_where_the_server_honours_the_parameter(
    sandbox: Sandbox, client: SandboxClient
) -> None:
    """With `deleted=true` on lists and by id; without the switch the parameter is ignored."""
    row_id = sandbox.rows("jobs")[0]["id"]
    sandbox.store.delete("jobs", row_id)
    assert row_id not in client.all_ids("/jobs", deleted="true")
    sandbox.behaviour.honour_deleted = True
    assert client.all_ids("/jobs", deleted="true") == [row_id]
    assert client.get(f"/jobs/{row_id}").status == 404
    assert client.get(f"/jobs/{row_id}", deleted="true").rows["deleted_at"]


def test_related_rows_come_with_jobs(read: SandboxClient) -> None:
    """`rel[customer]`, `rel[invoices]` and `rel[entityLocation]`, under keys in snake case (observed)."""
    raw = {"rel[customer]": "", "rel[entityLocation]": "", "rel[unknown]": ""}
    for job in read.get("/jobs", raw=raw).rows:
        assert job["customer"] is None or job["customer"]["id"] == job["customer_id"]
        assert job["entity_location"] is None or job["entity_location"]["id"] == job["location_id"]
        assert "unknown" not in job
