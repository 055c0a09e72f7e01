"""Every switch: a question that the switched sandbox answers differently from the default."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, fields
from email.utils import parsedate_to_datetime
from typing import Any

import pytest

from fieldpulse_api.resources.catalogue import BY_NAME, RESOURCES
from fieldpulse_sandbox.behaviour.profiles import ABOUT, LIVE, PROFILES, profile_of
from fieldpulse_sandbox.behaviour.switches import Behaviour
from fieldpulse_sandbox.options import described_options
from fieldpulse_sandbox.sandbox import Sandbox
from tests.sandbox.client import SandboxClient

PERSON = {"first_name": "Nova", "last_name": "Testperson"}
JOB_CLASS = "App\\Http\\Api\\Core\\Models\\BaseJob"
BY_ID = BY_NAME["jobs"].sort_params("id", "asc")
NEWEST = BY_NAME["jobs"].sort_params("updated_at", "desc")


@dataclass(frozen=True)
class Case:
    """A switch at a value, a question, and the answer of the switched sandbox, which the default does not give."""

    switch: str
    value: Any
    question: Callable[[SandboxClient], Any]
    answer: Any

    @property
    def name(self) -> str:
        """Return the id of the test."""
        return f"{self.switch}={self.value}"


def _filtered(column: str, value: str, operator: str = "=") -> dict[str, str]:
    return {"filter[0][attribute]": column, "filter[0][operator]": operator, "filter[0][value]": value}


def _first(client: SandboxClient, path: str, **query: Any) -> Any:
    return client.get(path, limit=1, **query).rows[0]


def _customer(client: SandboxClient) -> str:
    return f"/customers/{client.sandbox.rows('customers')[0]['id']}"


def _column(path: str, column: str) -> Callable[[SandboxClient], Any]:
    return lambda client: _first(client, path).get(column, "absent")


def _kind(path: str, column: str) -> Callable[[SandboxClient], Any]:
    return lambda client: type(_first(client, path)[column])


def _key(key: str, path: str = "/jobs", **query: Any) -> Callable[[SandboxClient], Any]:
    return lambda client: key in client.get(path, **query).json


def _rows(path: str, **query: Any) -> Callable[[SandboxClient], int]:
    return lambda client: len(client.get(path, **query).rows)


def _status(method: str, path: str, body: Any = None, **query: Any) -> Callable[[SandboxClient], int]:
    return lambda client: client(method, path, body, **query).status


def _is_sorted(path: str, **query: Any) -> Callable[[SandboxClient], bool]:
    def question(client: SandboxClient) -> bool:
        ids = client.get(path, limit=100, **query).ids
        return ids == sorted(ids)

    return question


def _newest_first(path: str, **query: Any) -> Callable[[SandboxClient], bool]:
    def question(client: SandboxClient) -> bool:
        stamps = [row["updated_at"] for row in client.get(path, limit=100, **query).rows]
        return stamps == sorted(stamps, reverse=True)

    return question


def _same(path: str, **query: Any) -> Callable[[SandboxClient], bool]:
    return lambda client: client.get(path, limit=3).ids == client.get(path, limit=3, **query).ids


def _past(client: SandboxClient) -> Any:
    pages = [client.get("/jobs", limit=50, page=page).rows for page in (1, 2, 99)]
    names = ["first", "last", "past"]
    return next(name for name, page in zip(names, pages, strict=True) if page == pages[2])


def _deleted(client: SandboxClient) -> Any:
    row = client.sandbox.rows("jobs")[3]
    client("DELETE", f"/jobs/{row['id']}")
    response = client.get(f"/jobs/{row['id']}")
    return response.status, bool(response.json.get("error")), bool((response.rows or {}).get("deleted_at"))


def _listed_deleted(client: SandboxClient) -> list[bool]:
    row = client.sandbox.rows("jobs")[3]
    client("DELETE", f"/jobs/{row['id']}")
    return [bool(listed["deleted_at"]) for listed in client.get("/jobs", limit=100).rows if listed["id"] == row["id"]]


def _put(body: dict[str, Any], column: str) -> Callable[[SandboxClient], Any]:
    return lambda client: (
        client("PUT", _customer(client), {"notes": "x", "email": "a@example.com"}).json
        and (client("PUT", _customer(client), body).rows[column])
    )


def _commented(kind: str) -> Callable[[SandboxClient], int]:
    def question(client: SandboxClient) -> int:
        row = {"commentable_type": kind, "commentable_id": client.sandbox.rows("jobs")[0]["id"], "text": "x"}
        return client("POST", "/comments", row).status

    return question


def _placed(kind: str) -> Callable[[SandboxClient], int]:
    place = {"object_type": kind, "title": "Yard"}
    return _status("POST", "/customers", {**PERSON, "locations": [place]})


def _timed(moment: object) -> Callable[[SandboxClient], Any]:
    """Write a time and return the stored time, in UTC."""

    def question(client: SandboxClient) -> Any:
        row = client.sandbox.rows("invoices")[0]
        response = client("POST", "/payments", {"invoice_id": row["id"], "amount": "1.00", "payment_date": moment})
        return client.sandbox.rows("payments")[-1]["payment_date"] if response.status < 300 else response.status

    return question


def _customs(client: SandboxClient) -> bool:
    field = next(row for row in client.sandbox.rows("custom_fields") if row["object"] == "customer")
    body = {"customfields": [{"field_instance_id": field["id"], "value": "1"}]}
    client("PUT", _customer(client), body)
    values = client("PUT", _customer(client), body).rows["customfields"]
    return len([value for value in values if value["field_instance_id"] == field["id"]]) > 1


def _is_skewed(client: SandboxClient) -> bool:
    date = parsedate_to_datetime(client.get("/jobs").headers["date"])
    return date.timestamp() - time.time() > 86_400


def _deleted_on_request(client: SandboxClient) -> int:
    client.sandbox.store.delete("tags", client.sandbox.rows("tags")[0]["id"])
    return len(client.get("/tags", deleted="true").ids)


def _payment_extras(client: SandboxClient) -> list[str]:
    body = {"invoice_id": client.sandbox.rows("invoices")[0]["id"], "amount": "1.00"}
    return [name for name in client("POST", "/payments", body).json if name == "invoice"]


def _moved_status(client: SandboxClient) -> int:
    path = f"/estimates/{client.sandbox.rows('estimates')[0]['id']}"
    client("PUT", path, {"status": 2})
    return client.get(path).status


CASES = [
    Case("count_key", "total_results", _key("total_results"), answer=True),
    Case("count_key", None, _key("total_count"), answer=False),
    Case("always_count", ("*",), lambda client: bool(client.get("/tags").json["total_count"]), answer=True),
    Case("always_count", (), lambda client: client.get("/jobs").json["total_count"], None),
    Case(
        "count_on_request", False, lambda client: client.get("/tags", calculate_count="true").json["total_count"], None
    ),
    Case("omit_null_count", True, _key("total_count", "/tags"), answer=False),
    Case("extra_envelope_keys", True, _key("updates"), answer=True),
    Case("extra_envelope_keys", True, _key("result_count", "/tags"), answer=True),
    Case("wrap_version", True, _key("response", "/version"), answer=True),
    Case("honour_page", False, _same("/users", page=2), answer=True),
    Case("honour_limit", False, _rows("/jobs", limit=3), 20),
    Case("default_limit", 15, _rows("/jobs"), 15),
    Case("lists_with_limit_50", ("jobs",), _rows("/jobs"), 50),
    Case("lists_with_limit_50", ("jobs",), _rows("/customers"), 20),
    Case("max_limit", 7, _rows("/jobs", limit=9), 7),
    Case("above_max_limit", "refuse", _status("GET", "/jobs", limit=101), 400),
    Case("above_max_limit", "default", _rows("/jobs", limit=101), 20),
    *(
        Case(name, value, lambda client: _with(client, max_limit=7) and len(client.get("/jobs", limit=9).ids), 9)
        for name, value in {"above_max_limit": "honour", "lists_above_max_limit": ("jobs",)}.items()
    ),
    Case("past_the_end", "last", _past, "last"),
    Case("past_the_end", "first", _past, "first"),
    Case("past_the_end", "null", lambda client: client.get("/jobs", page=99).rows, None),
    Case("honour_sort", False, _is_sorted("/jobs", raw=BY_ID), answer=False),
    Case("honour_sort", "sort_by", _is_sorted("/jobs", raw=BY_ID), answer=False),
    Case("honour_sort", "brackets", _newest_first("/jobs", raw=NEWEST), answer=False),
    Case("sort_by_undocumented", True, _newest_first("/customers", sort_by="updated_at", sort_dir="desc"), answer=True),
    Case("unsortable_columns", ("updated_at",), _newest_first("/jobs", raw=NEWEST), answer=False),
    Case("default_order", "id", _is_sorted("/jobs"), answer=True),
    Case("default_order", "newest", _is_sorted("/customers"), answer=False),
    Case("shuffle_unsorted", True, _same("/jobs"), answer=False),
    Case("honour_filter", False, _rows("/jobs", limit=40, raw=_filtered("id", "1")), 40),
    Case("filters_match_nothing", True, _rows("/jobs", raw=_filtered("type", "job")), 0),
    Case("unfilterable_columns", ("id",), _rows("/jobs", limit=40, raw=_filtered("id", "1")), 40),
    Case(
        "failing_filter_columns",
        ("updated_at",),
        _status("GET", "/jobs", raw=_filtered("updated_at", "2026-01-01")),
        500,
    ),
    Case("time_zone", "America/Chicago", _timed("2026-05-01 12:00:00"), "2026-05-01 17:00:00"),
    Case("time_format", "iso_z", lambda client: _first(client, "/jobs")["created_at"][19:], ".000000Z"),
    Case("time_format", "offset", lambda client: _first(client, "/jobs")["created_at"][19:], "+00:00"),
    Case("numbers_as_text", True, _kind("/jobs", "id"), str),
    Case("money_as_numbers", True, _kind("/payments", "amount"), float),
    Case("null_as_empty_text", True, _column("/jobs", "deleted_at"), ""),
    Case("omit_null_columns", True, _column("/jobs", "deleted_at"), "absent"),
    Case("missing_columns", ("jobs.billing",), _column("/jobs", "billing"), "absent"),
    Case("unknown_columns", True, _column("/jobs", "sandbox_rank"), 3),
    Case(
        "unknown_codes", True, lambda client: -1 in {row["status"] for row in client.get("/invoices").rows}, answer=True
    ),
    Case("list_deleted_rows", True, _listed_deleted, [True]),
    Case("deleted_row_by_id", "row", _deleted, (200, False, True)),
    Case("deleted_row_by_id", "error_in_200", _deleted, (200, True, False)),
    Case("bad_key_status", 401, lambda client: client.get("/jobs", key="wrong").status, 401),
    Case("unknown_route_status", 404, lambda client: client.get("/me").json["message"], "Request URL not found"),
    Case("unknown_route_status", 404, _status("PATCH", "/jobs"), 404),
    Case(
        "unavailable_resources",
        ("jobs",),
        lambda client: client.get("/jobs").json.get("message"),
        "Missing Authentication Token",
    ),
    Case("missing_row_error", "documented", _key("message", "/jobs/1"), answer=True),
    Case("validation_status", "422", _status("POST", "/customers", {}), 422),
    Case("validation_status", "200", _status("POST", "/customers", {}), 200),
    Case("create_status", 200, _status("POST", "/customers", PERSON), 200),
    Case("create_status", 202, _status("POST", "/customers", PERSON), 202),
    Case("create_returns_row", False, lambda client: client("POST", "/tags", {"title": "VIP"}).rows, None),
    Case("delete_returns", "null", lambda client: client("DELETE", _customer(client)).rows, None),
    Case("delete_returns", "true", lambda client: client("DELETE", _customer(client)).rows, answer=True),
    Case("put_null", "clear", _put({"notes": None}, "notes"), None),
    Case(
        "put_null",
        "empty",
        lambda client: _with(client, put_empty_clears=False) and _put({"notes": ""}, "notes")(client),
        "",
    ),
    Case("put_empty_clears", False, _put({"notes": ""}, "notes"), "x"),
    Case("accepted_object_types", "short", _commented(JOB_CLASS), 400),
    Case("accepted_object_types", "class", _commented("job"), 400),
    Case("accepted_object_types", "class", _placed("customer"), 400),
    Case("accepted_times", "unix", _timed("2026-05-01 12:00:00"), 400),
    Case("accepted_times", "text", _timed(1_777_000_000), 400),
    Case("user_columns", "few", lambda client: len(client.get("/users").rows[0]), 10),
    Case("pipeline_label", "name", lambda client: "name" in client.get("/pipeline-status").rows[0], answer=True),
    Case("max_response_bytes", 1000, _status("GET", "/customers"), 500),
    Case("required_on_create", ("tags.color",), _status("POST", "/tags", {"title": "VIP"}), 400),
    Case(
        "ignored_fields",
        ("tags.color",),
        lambda client: client("POST", "/tags", {"title": "VIP", "color": "#ff0000"}).rows["color"],
        None,
    ),
    Case("payment_effects", False, _payment_extras, []),
    Case("status_moves_documents", False, _moved_status, 200),
    Case("asn_form", "flat", lambda client: len(client.get("/jobs", raw={"asn[team_id]": 1}).ids), 0),
    Case("honour_deleted", True, _deleted_on_request, 1),
    Case("count_headers", True, lambda client: "fieldpulse-limit" in client.get("/jobs").headers, answer=True),
    Case("created_with_200", ("tags",), _status("POST", "/tags", {"title": "VIP"}), 200),
    Case(
        "required_on_put",
        ("customers",),
        lambda client: client("PUT", _customer(client), {"notes": "x"}).status,
        400,
    ),
    Case("custom_values_by_id", True, _customs, answer=True),
    Case("date_header", False, lambda client: "date" in client.get("/jobs").headers, answer=False),
    Case("date_skew_seconds", 31_536_000.0, _is_skewed, answer=True),
    Case("tag_elements", "objects", lambda client: [type(element) for element in _tagged(client)], [dict]),
]


def _with(client: SandboxClient, **switches: Any) -> bool:
    for name, value in switches.items():
        setattr(client.sandbox.behaviour, name, value)
    return True


def _tagged(client: SandboxClient) -> Any:
    return client("PUT", _customer(client), {"tags": [client.sandbox.rows("tags")[0]["id"]]}).rows["tags"]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_switch_changes_the_behaviour_it_describes(case: Case) -> None:
    """The switched sandbox gives the expected answer, and the default gives another."""
    with Sandbox(customers=50) as plain, Sandbox(customers=50) as switched:
        setattr(switched.behaviour, case.switch, case.value)
        assert case.question(SandboxClient(switched)) == case.answer
        assert case.question(SandboxClient(plain)) != case.answer


def test_every_switch_has_a_case() -> None:
    """Each switch changes something; the switches of webhooks are tested in `server/test_webhooks.py`."""
    switches = {switch.name for switch in fields(Behaviour) if not switch.name.startswith("webhook_")}
    assert {case.switch for case in CASES} == switches


def test_every_switch_has_a_description() -> None:
    """The description is printed by `--help` and in the documentation."""
    options = list(described_options(Behaviour))
    assert [option.name for option in options] == [switch.name for switch in fields(Behaviour)]
    assert all(option.description for option in options)


@pytest.mark.parametrize("name", PROFILES)
def test_every_list_can_be_read_in_every_profile(name: str) -> None:
    """Reading pages until nothing new appears returns every row of each list."""
    with Sandbox(customers=40, profile=name) as sandbox:
        client = SandboxClient(sandbox)
        for resource in RESOURCES:
            if resource.parent:
                continue
            row_ids: set[int] = set()
            for page in range(1, 50):
                new = {int(row_id) for row_id in client.get(resource.path, page=page, limit=100).ids} - row_ids
                if not new:
                    break
                row_ids |= new
            assert row_ids == {row["id"] for row in sandbox.rows(resource.name)}, resource.name


def test_a_profile_is_a_copy() -> None:
    """A switch that one sandbox changes does not change in another with the same profile."""
    mine, other = profile_of("hostile"), Sandbox(customers=3, profile="hostile").behaviour
    mine.validation_status = "400"
    assert other.validation_status == PROFILES["hostile"].validation_status == "422"


def test_a_switch_takes_precedence_over_the_profile() -> None:
    """The other switches stay as in the profile."""
    behaviour = profile_of("hostile", honour_sort=True)
    assert (behaviour.honour_sort, behaviour.honour_filter) == (True, False)
    assert profile_of() == Behaviour() == PROFILES[LIVE]
    assert set(ABOUT) == set(PROFILES)


@pytest.mark.parametrize("asked", ["list", "id", "related"])
def test_nested_values_have_the_form_of_the_row(asked: str) -> None:
    """Ids are text and times have an offset at any depth: in lists, by id, and in values with definitions."""
    with Sandbox(customers=50, behaviour=Behaviour(numbers_as_text=True, time_format="offset")) as sandbox:
        client = SandboxClient(sandbox)
        job = next(row for row in sandbox.rows("jobs") if row["assignments"] and _values(client, row["id"]))
        rows = client.get("/jobs", limit=100, with_custom_fields="true").rows
        row = next(candidate for candidate in rows if candidate["id"] == str(job["id"]))
        if asked == "id":
            row = client.get(f"/jobs/{job['id']}").rows
            nested = row["customer"]
        elif asked == "list":
            nested = row["assignments"][0]
        else:
            nested = row["customfields_with_related_data"][0]
            assert isinstance(nested["custom_field"]["id"], str)
        assert isinstance(nested["id"], str)
        assert nested["created_at"].endswith("+00:00")


def _values(client: SandboxClient, row_id: int) -> Any:
    return client.get(f"/jobs/{row_id}").rows["customfields"]


def test_a_switch_applies_from_the_next_request(sandbox: Sandbox, client: SandboxClient) -> None:
    """Cached rows are returned in the new form, and in the old form after switching back."""
    plain = client.get("/jobs").rows
    sandbox.behaviour.numbers_as_text = True
    assert client.get("/jobs").rows[0]["id"] == str(plain[0]["id"])
    sandbox.behaviour.numbers_as_text = False
    assert client.get("/jobs").rows == plain


def test_times_are_shown_in_the_zone_of_the_account(sandbox: Sandbox, client: SandboxClient) -> None:
    """Times without a zone are local in summer and winter; times with a zone do not change."""
    rows = sandbox.rows("jobs")
    plain = {row["id"]: row for row in client.get("/jobs", limit=100).rows}
    sandbox.behaviour.time_zone = "America/Chicago"
    local = {row["id"]: row for row in client.get("/jobs", limit=100).rows}
    shifts = {_hours(row["created_at"]) - _hours(local[row["id"]]["created_at"]) for row in rows}
    assert {shift % 24 for shift in shifts} == {5, 6}
    assert {row["completed_at"] for row in local.values()} == {row["completed_at"] for row in plain.values()}


def test_a_filter_value_is_in_the_zone_of_the_account(sandbox: Sandbox, client: SandboxClient) -> None:
    """A filter from a stamp that a row shows returns that row and no earlier one."""
    sandbox.behaviour.time_zone = "America/Chicago"
    stamps = sorted(row["updated_at"] for row in client.get("/jobs", limit=100).rows)
    rows = client.get("/jobs", limit=100, raw=_filtered("updated_at", stamps[20], ">=")).rows
    assert sorted(row["updated_at"] for row in rows) == stamps[20:]


def _hours(text: str) -> int:
    return int(text[11:13])


def test_object_columns_are_null_where_others_are_empty() -> None:
    """An empty text replaces null only in columns of single values."""
    with Sandbox(customers=50, behaviour=Behaviour(null_as_empty_text=True)) as sandbox:
        row = _first(SandboxClient(sandbox), "/jobs")
    assert row["location_coords"] is None or isinstance(row["location_coords"], dict)
    assert "" in row.values()


def test_a_time_with_a_zone_does_not_depend_on_the_account() -> None:
    """UNIX seconds, Z and an offset mean the same in every zone."""
    for moment in (1_777_651_200, "2026-05-01T16:00:00Z", "2026-05-01T18:00:00+02:00"):
        with Sandbox(customers=5, behaviour=Behaviour(time_zone="America/Chicago")) as sandbox:
            assert _timed(moment)(SandboxClient(sandbox)) == "2026-05-01 16:00:00"
