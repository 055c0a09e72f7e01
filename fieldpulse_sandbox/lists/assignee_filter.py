"""The parameter `asn`, which filters rows by their assignees (API facts 3.4). Its form in a query is inferred."""

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
TEAM = "asn[team_id]"
MEMBER = re.compile(r"asn\[assigned_members\]\[\d*\]")
NESTED = "assignments"


def asn_conditions(store: Store, name: str, query: Sequence[tuple[str, str]]) -> list[Condition]:
    """Return the conditions of `asn` on a list: one of these users, and this team; both must hold."""
    column = COLUMNS.get(name)
    if column is None:
        return []
    user_ids = [value for key, value in query if MEMBER.fullmatch(key)]
    team_id = dict(query).get(TEAM)
    conditions = [_by_users(column, user_ids)] if user_ids else []
    return [*conditions, _by_team(store, column, team_id)] if team_id else conditions


def _by_users(column: str, user_ids: Sequence[str]) -> Condition:
    return Condition(column, "assigned" if column == NESTED else "in", ",".join(user_ids))


def _by_team(store: Store, column: str, team_id: str) -> Condition:
    """Return the condition of a team. A row with a single user matches if that user is in the team (assumed)."""
    if column == NESTED:
        return Condition(column, "team", team_id)
    team = store.find("teams", team_id)
    return _by_users(column, [str(member["id"]) for member in team["members"]] if team else [])
