"""The parameter `asn`, which filters lists by assignees."""

from __future__ import annotations

from typing import Any

import pytest

from fieldpulse_api.resources.catalogue import BY_NAME
from fieldpulse_sandbox.sandbox import Sandbox
from tests.sandbox.client import SandboxClient

nested = pytest.mark.parametrize("name", ["jobs", "material_lists", "projects", "subtasks"])
either_form = pytest.mark.parametrize("form", ["asn[0][assigned_members][]", "asn[0][assigned_members][{}]"])


def _members(form: str, users: list[int]) -> dict[str, Any]:
    """Return the query of users, as a repeated parameter or as numbered ones."""
    if "{}" in form:
        return {form.format(number): user for number, user in enumerate(users)}
    return {form: users}


def _assignments(sandbox: Sandbox, name: str) -> list[tuple[int, list[dict[str, Any]]]]:
    return [(row["id"], row["assignments"]) for row in sandbox.rows(name)]


@nested
@either_form
def test_rows_of_one_of_the_users_are_returned(read: SandboxClient, name: str, form: str) -> None:
    """Rows with one of the users among their assignments, and no others; a single user works as well."""
    rows = _assignments(read.sandbox, name)
    seen = list(dict.fromkeys(assignment["user_id"] for _, assignments in rows for assignment in assignments))
    for users in (seen[:1], seen[:2]):
        expected = {
            row_id for row_id, assignments in rows if {assignment["user_id"] for assignment in assignments} & set(users)
        }
        assert expected
        assert set(read.all_ids(BY_NAME[name].path, raw=_members(form, users))) == expected


@nested
def test_rows_of_a_team_are_returned(read: SandboxClient, name: str) -> None:
    """Rows with the team among their assignments; an unknown team has none."""
    rows = _assignments(read.sandbox, name)
    team = next(assignment["team_id"] for _, assignments in rows for assignment in assignments)
    expected = {row_id for row_id, assignments in rows if team in {assignment["team_id"] for assignment in assignments}}
    assert set(read.all_ids(BY_NAME[name].path, raw={"asn[0][team_id]": team})) == expected
    assert read.get(BY_NAME[name].path, raw={"asn[0][team_id]": 1}).ids == []


def test_team_and_user_must_both_match_the_row(sandbox: Sandbox, client: SandboxClient) -> None:
    """They need not be in the same assignment (assumed)."""
    job = sandbox.rows("jobs")[0]
    crew = [{"user_id": 1, "team_id": 11}, {"user_id": 2, "team_id": 12}]
    sandbox.store.patch("jobs", job["id"], {"assignments": crew})
    for user, team, found in ((1, 11, True), (2, 11, True), (1, 13, False), (3, 11, False)):
        query = {"asn[0][team_id]": team, "asn[0][assigned_members][]": user}
        assert client.get("/jobs", raw=query).ids == ([job["id"]] if found else [])


@either_form
def test_customers_are_filtered_by_their_user(read: SandboxClient, form: str) -> None:
    """Customers have no assignments; `assigned_to` is one of the users."""
    rows = read.sandbox.rows("customers")
    users = list(dict.fromkeys(row["assigned_to"] for row in rows if row["assigned_to"]))[:2]
    expected = [row["id"] for row in rows if row["assigned_to"] in users]
    assert read.all_ids("/customers", raw=_members(form, users)) == expected


def test_customers_are_filtered_by_the_team_of_their_user(read: SandboxClient) -> None:
    """The user is a member of the team (assumed); with users in the query both must match."""
    rows = read.sandbox.rows("customers")
    team = read.sandbox.rows("teams")[1]
    members = {member["id"] for member in team["members"]}
    expected = [row["id"] for row in rows if row["assigned_to"] in members]
    assert 0 < len(expected) < len(rows)
    assert read.all_ids("/customers", raw={"asn[0][team_id]": team["id"]}) == expected
    user_id = min(members)
    both = {"asn[0][team_id]": team["id"], "asn[0][assigned_members][]": user_id}
    assert read.all_ids("/customers", raw=both) == [row["id"] for row in rows if row["assigned_to"] == user_id]
    stranger = next(row["assigned_to"] for row in rows if row["assigned_to"] and row["assigned_to"] not in members)
    assert read.get("/customers", raw=both | {"asn[0][assigned_members][]": stranger}).ids == []
    assert read.get("/customers", raw={"asn[0][team_id]": 1}).ids == []


@pytest.mark.parametrize("path", ["/locations", "/comments", "/timesheets"])
def test_lists_without_assignments_ignore_it(read: SandboxClient, path: str) -> None:
    """Locations document `asn` but have no assignees; the others do not document it."""
    query = {"asn[0][team_id]": 1, "asn[0][assigned_members][]": 1}
    assert read.get(path, raw=query).ids == read.get(path).ids


@pytest.mark.parametrize(
    "key", ["asn", "asn[0][assigned_members]", "asn[team_id]", "asn[assigned_members][]", "asn[0][team_id][]"]
)
def test_other_forms_of_the_parameter_are_ignored(read: SandboxClient, key: str) -> None:
    """Only the two probable forms filter a list (inferred); the older form of the web app does not."""
    assert len(read.get("/jobs", raw={key: 1}).ids) == 20


def test_assignees_and_a_filter_must_both_match(read: SandboxClient) -> None:
    """A documented filter parameter narrows the list further."""
    rows = read.sandbox.rows("jobs")
    row = next(row for row in rows if row["assignments"])
    user, status = row["assignments"][0]["user_id"], row["status_id"]
    query = {"asn[0][assigned_members][]": user, "status_id": status}
    expected = {
        row["id"]
        for row in rows
        if row["status_id"] == status and user in {assignment["user_id"] for assignment in row["assignments"]}
    }
    assert set(read.all_ids("/jobs", raw=query)) == expected


@pytest.mark.parametrize(("form", "index"), [("indexed", "[0]"), ("flat", "")])
def test_only_one_form_works(sandbox: Sandbox, client: SandboxClient, form: Any, index: str) -> None:
    sandbox.behaviour.asn_form = form
    everything = set(client.all_ids("/jobs"))
    found = {each: set(client.all_ids("/jobs", raw={f"asn{each}[team_id]": 1})) for each in ("", "[0]")}
    assert found[index] == set()
    assert found["[0]" if form == "flat" else ""] == everything


def test_rows_without_an_assignee_are_returned(sandbox: Sandbox, client: SandboxClient) -> None:
    expected = {row["id"] for row in sandbox.rows("jobs") if not row["assignments"]}
    assert set(client.all_ids("/jobs", raw={"asn[0][unassigned]": "true"})) == expected
