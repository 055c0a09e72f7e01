"""The parameter `asn`, which filters rows by their assignees (API facts 3.4).

The vendor's own form has an index, `asn[0][team_id]` (observed); the flat form `asn[team_id]` is inferred.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from fieldpulse_sandbox.data.conditions import Condition
from fieldpulse_sandbox.data.store import Store

COLUMNS = {
    "customers": "assigned_to",
    "jobs": "assignments",
    "material_lists": "assignments",
    "projects": "assignments",
    "subtasks": "assignments",
}
"""Column with the assignees, by resource. Locations document `asn` but have no such column and ignore it."""
FORMS = {
    "indexed": re.compile(r"asn\[\d+\]\[(?P<name>\w+)\](?P<element>\[\d*\])?"),
    "flat": re.compile(r"asn\[(?P<name>[a-z]\w*)\](?P<element>\[\d*\])?"),
}
NESTED = "assignments"


def asn_conditions(store: Store, name: str, query: Sequence[tuple[str, str]], form: str) -> list[Condition]:
    """Return the conditions of `asn` on a list: one of these users, this team, or no assignee; all must hold."""
    column = COLUMNS.get(name)
    if column is None:
        return []
    values: dict[str, list[str]] = {}
    for key, value in query:
        match = FORMS[form].fullmatch(key)
        if match and (match["name"] == "assigned_members") == bool(match["element"]):
            values.setdefault(match["name"], []).append(value)
    conditions = [_by_users(column, values["assigned_members"])] if values.get("assigned_members") else []
    if values.get("team_id"):
        conditions.append(_by_team(store, column, values["team_id"][-1]))
    if values.get("unassigned") == ["true"]:
        conditions.append(Condition(column, "unassigned", ""))
    return conditions


def _by_users(column: str, user_ids: Sequence[str]) -> Condition:
    return Condition(column, "assigned" if column == NESTED else "in", ",".join(user_ids))


def _by_team(store: Store, column: str, team_id: str) -> Condition:
    """Return the condition of a team. A row with a single user matches if that user is in the team (assumed)."""
    if column == NESTED:
        return Condition(column, "team", team_id)
    team = store.find("teams", team_id)
    return _by_users(column, [str(member["id"]) for member in team["members"]] if team else [])
